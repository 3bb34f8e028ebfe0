"""Answers are counted by route: strangers' paths, methods and ids make no series, and Redis is not needed for it."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from farm import metrics
from farm.keys import Role, entry_for, new_key
from tests.support import servers

KEY = new_key()


@dataclass
class Shown:
    """An API and what it shows."""

    client: httpx.Client
    redis: ExitStack
    key: dict[str, str] = field(default_factory=lambda: {"X-API-Key": KEY})

    def metrics(self) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
        found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for family in text_string_to_metric_families(self.client.get("/metrics").raise_for_status().text):
            for sample in family.samples:
                found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
        return found

    def answers(self) -> dict[tuple[str, str, str], int]:
        """How many, by method, route and status; without those to whoever asked for metrics."""
        found = {}
        for labels, number in self.metrics()["farm_api_answers_total"].items():
            said = dict(labels)
            if said["route"] not in ("/metrics", "/healthz"):
                found[said["method"], said["route"], said["status"]] = int(number)
        return found


@pytest.fixture(params=["", "/some/farm"], ids=["at the root", "under a path"])
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shown]:
    with ExitStack() as stack:
        redis = stack.enter_context(ExitStack())
        environment = {
            "FARM_REDIS_URL": redis.enter_context(servers.redis_server(tmp_path / "valkey")),
            "FARM_STORAGE_URL": f"file://{tmp_path}/store",
            "FARM_API_KEYS": entry_for("anna", [Role.OPERATE, Role.SUBMIT], KEY),
            "FARM_API_PATH": request.param,
            "FARM_RATE_LIMIT": "0",
        }
        server = stack.enter_context(servers.api_server(tmp_path / "api", environment))
        client = httpx.Client(base_url=server.url + request.param, timeout=servers.PATIENCE_SECONDS, trust_env=False)
        yield Shown(stack.enter_context(client), redis)


def test_answers_are_counted_by_route_and_no_stranger_makes_a_series(api: Shown) -> None:
    for number in range(30):
        api.client.get(f"/v1/batches/{number:016x}", headers=api.key)
        api.client.get(f"/v1/nothing/{number}", headers=api.key)
        api.client.get(f"/v1/jobs/{number:016x}-0")
        api.client.request(f"BREW{number}", "/v1/batches", headers=api.key)
    api.client.get("/v1/batches?limit=none", headers=api.key)

    answers = api.answers()

    refused = {key: answers.pop(key) for key in list(answers) if key[0] == "other"}
    assert sum(refused.values()) == 30
    assert {(method, status) for method, _, status in refused} <= {("other", "405"), ("other", "403"), ("other", "401")}
    assert len(refused) == 1
    assert answers == {
        ("GET", "/v1/batches/{batch_id}", "404"): 30,
        ("GET", "none", "404"): 30,
        ("GET", "/v1/jobs/{job_id}", "401"): 30,
        ("GET", "/v1/batches", "422"): 1,
    }
    shown = api.metrics()
    assert shown["farm_api_answer_seconds_count"][("method", "GET"), ("route", "/v1/batches/{batch_id}")] == 30
    assert 0 < shown["farm_api_answer_seconds_sum"][("method", "GET"), ("route", "/v1/batches/{batch_id}")] < 300


def test_a_stream_is_open_until_it_ends_and_its_answer_began_at_once(api: Shown) -> None:
    def open_requests() -> float:
        return api.metrics()["farm_api_open_requests"][()]

    assert open_requests() == 1  # this one
    with api.client.stream("GET", "/v1/events", headers=api.key) as stream:
        assert stream.status_code == 200
        assert open_requests() == 2
        assert ("GET", "/v1/events", "200") in api.answers()
    servers.wait_until(lambda: open_requests() == 1, "the stream's end being noticed")


def test_without_redis_the_api_shows_what_it_counts_itself_and_that_redis_is_away(api: Shown) -> None:
    before = api.metrics()
    assert before["farm_redis_usable"] == {(): 1}
    assert before["farm_backlog_images"] == {(): 0}

    api.redis.close()

    after = api.metrics()
    assert after["farm_redis_usable"] == {(): 0}
    of_the_farm = {metrics.BACKLOG, metrics.JOBS, metrics.LEASES, metrics.WORKERS, metrics.REDIS_MEMORY}
    assert not after.keys() & {metric.name for metric in of_the_farm}
    assert after["farm_api_answer_seconds_count"].keys() >= before["farm_api_answer_seconds_count"].keys()
    assert set(after["farm_disk_free_bytes"]) == {(("place", "temporary"),), (("place", "store"),)}
