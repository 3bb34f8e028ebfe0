"""What strangers and users are not told: where the farm's servers are, and what its programs were started with."""

import os
import signal
import sys
from pathlib import Path

import httpx
import pytest
import redis

from farm.keys import Role, entry_for, new_key
from farm.process import spawn
from farm.stack import free_port
from tests.api.rest.requests import assert_problem
from tests.api.rest.test_operations import redis_pid
from tests.support import servers

KEYS = {"olga": new_key(), "alice": new_key()}
ENTRIES = ",".join(
    entry_for(name, [role], KEYS[name]) for name, role in (("olga", Role.OPERATE), ("alice", Role.SUBMIT))
)


def test_addresses_are_for_operators_and_the_log(tmp_path: Path) -> None:
    with servers.redis_server(tmp_path / "valkey") as url:
        address = url.removeprefix("redis://").removesuffix("/0")
        environment = {
            "FARM_REDIS_URL": url,
            "FARM_STORAGE_URL": f"file://{tmp_path}/store",
            "FARM_API_KEYS": ENTRIES,
        }
        with (
            servers.api_server(tmp_path / "api", environment, from_nothing=True) as server,
            httpx.Client(base_url=server.url, timeout=servers.PATIENCE_SECONDS) as client,
        ):

            def ask(path: str, key: str = "") -> httpx.Response:
                return client.get(path, headers={"X-API-Key": key} if key else {})

            assert ask("/readyz").status_code == 200
            os.kill(redis_pid(url), signal.SIGKILL)
            for path, key in (("/readyz", ""), ("/v1/autoscale", ""), ("/v1/batches", KEYS["alice"])):
                refused = ask(path, key)
                assert_problem(refused, 503, "service-unavailable", "Try again later")
                assert address not in refused.text, path
            shown = ask("/metrics")
            assert shown.status_code == 200
            assert "\nfarm_redis_usable 0.0\n" in shown.text
            assert address not in shown.text
            assert_problem(ask("/v1/batches", KEYS["olga"]), 503, "service-unavailable", address, "FARM_REDIS_URL")
            client.get("/v1/models/%0aERROR%20all%20is%20lost", headers={"X-API-Key": KEYS["alice"]})
    log = (tmp_path / "api" / "api.log").read_text("utf-8")
    assert address in log
    assert "\nERROR all is lost" not in log


def test_readiness_tries_a_write(tmp_path: Path) -> None:
    with servers.redis_server(tmp_path / "valkey") as url, redis.Redis.from_url(url) as client:
        environment = {"FARM_REDIS_URL": url, "FARM_STORAGE_URL": f"file://{tmp_path}/store"}
        with servers.api_server(tmp_path / "api", environment) as server:
            assert httpx.get(f"{server.url}/readyz", trust_env=False).status_code == 200
            client.config_set("maxmemory", 1)
            refused = httpx.get(f"{server.url}/readyz", trust_env=False)
            assert_problem(refused, 503, "service-unavailable", "takes no writes")
            assert httpx.get(f"{server.url}/healthz", trust_env=False).status_code == 200


def test_flower_is_started_without_a_password_in_its_arguments(tmp_path: Path) -> None:
    pytest.importorskip("flower")
    with servers.redis_server(tmp_path / "valkey") as url:
        with redis.Redis.from_url(url) as client:
            client.config_set("requirepass", "the-password")
        _start_flower(url.replace("redis://", "redis://:the-password@"), tmp_path)


def _start_flower(url: str, tmp_path: Path) -> None:
    port = free_port()
    environment = {"FARM_REDIS_URL": url, "FARM_FLOWER_BASIC_AUTH": "user:other-password"}
    process = spawn([sys.executable, "-m", "farm", "flower", "--port", str(port)], tmp_path / "log", environment)
    try:

        def arguments() -> str:
            return Path(f"/proc/{process.pid}/cmdline").read_text().replace("\0", " ")

        servers.wait_until(lambda: "flower" in arguments(), "its command")
        assert "password" not in arguments()

        def answers() -> bool:
            answer = servers.asked(f"http://127.0.0.1:{port}/healthcheck")
            return answer is not None and answer[0] == 200

        servers.wait_until(answers, "Flower answering")
    finally:
        servers.end(process)
