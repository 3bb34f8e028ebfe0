"""The logs of a real API and a real worker: every line is an object, says to what it belongs, and has no secret."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from api.services import make_services
from farm.jobs.submission import Entry, Request
from farm.keys import Role, entry_for, new_key
from farm.models.package import Package
from farm.settings import Settings
from farm.spec import RenderSpec
from farm.stack import free_port
from tests.support.fixtures import read_mascot
from tests.support.redises import PASSWORD, QUOTED, answers, serving
from tests.support.servers import api_server, wait_until, worker_process

KEY = "the-s3-key-that-nobody-reads"


@pytest.fixture
def package(mascots: dict[str, Path]) -> Package:
    return read_mascot(mascots, "momo")


def lines_of(log: Path) -> list[dict[str, Any]]:
    """Its lines, of which each is an object."""
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


@pytest.mark.blender
def test_each_line_of_api_and_worker_is_an_object_with_what_it_is_about(package: Package, tmp_path: Path) -> None:
    port, alice = free_port(), new_key()
    url = f"redis://:{QUOTED}@127.0.0.1:{port}/0"
    environment = {
        "FARM_REDIS_URL": url,
        "FARM_STORAGE_URL": f"file://{tmp_path}/store",
        "FARM_WORKER_NAME": "w",
        "FARM_LOG_FORMAT": "json",
        "FARM_S3_SECRET_KEY": KEY,
        "FARM_API_KEYS": entry_for("alice", [Role.SUBMIT], alice),
    }
    with serving(tmp_path / "redis", port, f'requirepass "{PASSWORD}"') as server:
        with redis.Redis(port=port, password=PASSWORD) as client:
            wait_until(lambda: answers(client), "the server")
        services = make_services(Settings(redis_url=url, storage_url=f"file://{tmp_path}/store"))
        services.catalog.add(package)
        with api_server(tmp_path, environment) as api, worker_process(tmp_path, environment):
            request = Request(
                [Entry(package.id, package.name)], RenderSpec(seed=1, samples=1, size=32, styles=("flat",))
            )
            batch = services.batches.submit(request)[0].id
            wait_until(lambda: services.jobs.batch(batch).ended, "the batch")
            server.kill()
            answer = httpx.get(
                f"{api.url}/v1/batches/{batch}", headers={"X-API-Key": alice}, timeout=60, trust_env=False
            )
            assert answer.status_code == 503
            wait_until(lambda: "waits" in (tmp_path / "worker.log").read_text(), "the worker saying that it waits")

    said, done = lines_of(tmp_path / "api.log"), lines_of(tmp_path / "worker.log")
    assert any(line["level"] == "INFO" and line["message"].startswith("Facefarm") for line in said)
    assert any(line.get("batch") == batch and line["level"] == "WARNING" for line in said)
    assert {line.get("worker") for line in done} == {"worker@w"}
    (begun,) = [line for line in done if line["message"].startswith(f"job {batch}-0: model")]
    assert (begun["batch"], begun["job"], begun["attempt"]) == (batch, f"{batch}-0", "1")
    text = (tmp_path / "api.log").read_text() + (tmp_path / "worker.log").read_text()
    for secret in (PASSWORD, QUOTED, KEY, alice):
        assert secret not in text
