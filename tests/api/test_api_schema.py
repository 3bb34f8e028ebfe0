"""The OpenAPI document is true: schemathesis makes requests of it, good and bad, for a real API process.

Every answer must have a status, a type, headers and a form that the document tells of, and none may be a 5xx.
FARM_TEST_API_EXAMPLES sets how many requests of each kind are made for every operation beside the fixed ones; `make fuzz-api`
makes 300.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from farm.jobs.connection import Connection
from farm.jobs.workers import Workers
from farm.keys import Role, entry_for, new_key
from farm.models.package import upload_form
from farm.spec import RenderSpec
from farm.storage import LocalStore
from tests.support import finished, servers

EXAMPLES = int(os.environ.get("FARM_TEST_API_EXAMPLES") or 4)
KEY = new_key()
HEADERS = {"X-API-Key": KEY}


@pytest.fixture(scope="module")
def known(
    mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """The address of an API, and path parameters that name what it has: a batch with a done, a failed, a lost, a taken
    and a waiting job, and another that is left alone."""
    folder = tmp_path_factory.mktemp("api-schema")
    spec = RenderSpec(samples=1, styles=("flat",))
    with servers.redis_server(folder / "valkey") as redis_url:
        environment = {
            "FARM_REDIS_URL": redis_url,
            "FARM_STORAGE_URL": f"file://{folder}/store",
            "FARM_API_KEYS": entry_for("tester", [Role.OPERATE], KEY),
            "FARM_RATE_LIMIT": "0",
        }
        with (
            servers.api_server(folder, environment) as server,
            httpx.Client(
                base_url=server.url, headers=HEADERS, timeout=servers.PATIENCE_SECONDS, trust_env=False
            ) as api,
        ):
            models = [
                api.post("/v1/models", files={"file": upload_form(path)}).json()["models"][0]["id"]
                for path in mascots.values()
            ]
            connection = Connection(redis_url)
            Workers(connection).register(finished.WORKER, 1)
            body = {"models": [{"id": model} for model in models], "spec": spec.model_dump(mode="json")}
            batches = [api.post("/v1/batches", json=body).json()["id"] for _ in range(3)]
            done = finished.take(connection)
            collection = api.post("/v1/annotations/collections", json={"name": "all", "models": models}).json()["name"]
            rows = api.get(f"/v1/annotations/collections/{collection}/table").json()["rows"]
            manifest = finished.finish(connection, LocalStore(folder / "store"), done, spec, folder)
            failed = finished.fail(connection, finished.take(connection))
            lost = finished.lose(connection, finished.take(connection), log="Segmentation fault")
            taken = finished.take(connection)
            yield (
                server.url,
                {
                    "model_id": models,
                    "batch_id": batches,
                    "job_id": [done.id, done.id, failed.id, lost.id, taken.id, f"{batches[2]}-0"],
                    "name": ["manifest.json", "contact-sheet.png", manifest.shards[0].file, manifest.images[0].file],
                    "style": ["flat"],
                    "collection": [collection],
                    "row_id": [row["id"] for row in rows[:5]],
                },
            )


_EXCEPTIONS = """
[[operations]]
# Their bodies have a content that no JSON schema describes: models, pictures, tables of morphs; versions.
include-path = [
    "/v1/models", "/v1/backgrounds", "/v1/motions", "/v1/batches", "/v1/previews", "/v1/annotations/check",
    "/v1/annotations/models/{model_id}", "/v1/annotations/collections", "/v1/annotations/collections/{collection}/table.csv",
    "/v1/annotations/collections/{collection}/verdicts", "/v1/annotations/collections/{collection}/rows/{row_id}",
    "/v1/annotations/models/{model_id}/undo", "/v1/annotations/collections/{collection}/rows/{row_id}/undo",
]
checks.positive_data_acceptance.enabled = false

[[operations]]
# By other methods than POST these are the paths of models with odd ids.
include-path = ["/v1/models/uploads", "/v1/models/register"]
checks.unsupported_method.enabled = false
checks.allow_header_conformance.enabled = false
"""


def configuration(known: dict[str, list[str]]) -> str:
    """schemathesis' configuration: most requests name what is there."""
    lines: list[str] = []
    for name, values in known.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    lines.append("[parameters]")
    bindings = {f"path.{name}": name for name in known} | {
        "body.model": "model_id",
        "body.models[*].id": "model_id",
        "body.models[*]": "model_id",
    }
    lines += [f'"{place}" = {{ dictionary = "{name}", probability = 0.7 }}' for place, name in bindings.items()]
    return "\n".join(lines) + _EXCEPTIONS


def test_every_answer_is_as_the_document_says(known: tuple[str, dict[str, list[str]]], tmp_path: Path) -> None:
    url, values = known
    (tmp_path / "schemathesis.toml").write_text(configuration(values))
    program = Path(sys.executable).with_name("schemathesis")

    run = subprocess.run(
        [
            program, "--config-file", tmp_path / "schemathesis.toml", "--no-color", "run", f"{url}/openapi.json",
            "--header", f"Authorization: Bearer {KEY}",
            # Streams of events have no end to wait for; they have tests of their own.
            "--exclude-path-regex", "/events$",
            "--generation-deterministic", "--max-examples", str(EXAMPLES),
            "--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--warnings", "off",
        ],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=3600,
    )  # fmt: skip

    assert run.returncode == 0, run.stdout + run.stderr
