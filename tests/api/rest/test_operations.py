"""What holds for all routes, and the routes for those who run the farm."""

import os
import signal
from pathlib import Path

import httpx
import pytest

from farm.jobs.connection import Connection
from farm.jobs.workers import Workers
from tests.api.rest.requests import assert_problem, submit
from tests.support import finished, servers


def test_a_body_over_the_limit_is_refused_whatever_its_headers_say(api: httpx.Client) -> None:
    # A stream has no Content-Length that could tell beforehand.
    endless = (b" " * 2**20 for _ in range(40))

    response = api.post("/v1/batches", content=endless, headers={"content-type": "application/json"})

    assert_problem(response, 413, "content-too-large", "32 MiB")
    assert api.get("/healthz").status_code == 200


def test_metrics_show_the_backlog(api: httpx.Client, nagi: str) -> None:
    backlog = api.get("/v1/autoscale").json()["backlog_images"]

    text = api.get("/metrics").text

    assert f"farm_backlog_images {float(backlog)}" in text
    assert 'farm_jobs{state="queued"}' in text


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/models/{'0' * 64}",
        f"/v1/backgrounds/{'0' * 64}",
        f"/v1/batches/{'0' * 16}",
        f"/v1/batches/{'0' * 16}/jobs",
        f"/v1/jobs/{'0' * 16}-0",
        f"/v1/jobs/{'0' * 16}-0/log",
        f"/v1/jobs/{'0' * 16}-0/contact-sheet",
        f"/v1/jobs/{'0' * 16}-0/files/manifest.json",
        f"/v1/jobs/{'0' * 16}-0/images/flat/frontal/x.png",
        "/v1/nothing",
    ],
)
def test_what_is_not_there_is_not_found(api: httpx.Client, path: str) -> None:
    assert_problem(api.get(path), 404, "not-found")


def test_workers_are_listed_with_their_jobs_drained_and_resumed(
    api: httpx.Client, nagi: str, quiet: None, connection: Connection
) -> None:
    Workers(connection).register(finished.WORKER, 2)
    batch = submit(api, nagi)
    finished.take(connection)

    (worker,) = api.get("/v1/workers").json()["workers"]
    assert (worker["name"], worker["alive"], worker["concurrency"], worker["drained"]) == (finished.WORKER, True, 2, "")
    assert [job["id"] for job in worker["jobs"]] == [f"{batch['id']}-0"]
    assert api.get("/v1/totals").json()["workers_alive"] == 1
    drained = api.post(f"/v1/workers/{finished.WORKER}/drain", json={"reason": "its fan is loud"}).json()
    assert drained["drained"] == "its fan is loud"
    assert api.post(f"/v1/workers/{finished.WORKER}/resume").json()["drained"] == ""

    assert_problem(api.post("/v1/workers/worker@none/resume"), 404, "not-found")
    assert api.post(f"/v1/workers/{finished.WORKER}/drain", json={"reason": " "}).status_code == 422


def test_an_answer_that_the_client_has_is_not_sent_again(api: httpx.Client, nagi: str) -> None:
    url = f"/v1/batches/{submit(api, nagi)['id']}"
    etag = api.get(url).headers["etag"]

    assert api.get(url, headers={"If-None-Match": etag}).status_code == 304
    api.post(f"{url}/pause")
    assert api.get(url, headers={"If-None-Match": etag}).status_code == 200


def test_readiness_tells_of_a_lost_redis(tmp_path: Path) -> None:
    with servers.redis_server(tmp_path / "valkey") as url:
        environment = {"FARM_REDIS_URL": url, "FARM_STORAGE_URL": f"file://{tmp_path}/store"}
        with servers.api_server(tmp_path / "api", environment) as server:
            assert httpx.get(f"{server.url}/readyz").status_code == 200
            with httpx.Client(base_url=server.url, timeout=servers.PATIENCE_SECONDS) as client:
                os.kill(redis_pid(url), signal.SIGKILL)
                assert_problem(client.get("/readyz"), 503, "service-unavailable", "FARM_REDIS_URL")
                assert client.get("/healthz").status_code == 200


def redis_pid(url: str) -> int:
    import redis

    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])
