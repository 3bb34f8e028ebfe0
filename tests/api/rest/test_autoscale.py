"""How many workers the API says it wants, of real jobs in a real Redis."""

import httpx
import pytest

from farm.jobs import states
from farm.jobs.connection import Connection
from farm.jobs.store import JobStore
from farm.jobs.workers import Workers
from tests.api.rest.requests import assert_problem
from tests.support import finished

IMAGES = 3 * 2 * 4
"""Of a job of three samples."""


def order(api: httpx.Client, model: str, paused: bool = False) -> str:
    body = {"models": [{"id": model}], "spec": {"samples": 3}, "paused": paused}
    answer = api.post("/v1/batches", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def wanted(api: httpx.Client, **parameters: float) -> int:
    answer = api.get("/v1/autoscale", params=parameters)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["wanted_workers"])


def test_the_backlog_the_rate_and_the_target_decide(api: httpx.Client, nagi: str, quiet: None) -> None:
    assert wanted(api) == 0
    for _ in range(4):
        order(api, nagi)

    assert wanted(api) == 1
    answer = api.get("/v1/autoscale", params={"target_seconds": 12, "assumed_rate": 4}).json()
    assert answer == {
        "wanted_workers": 2,  # 96 images; each draws 48 in that time
        "backlog_images": 4 * IMAGES,
        "queued_jobs": 4,
        "running_jobs": 0,
        "open_jobs": 4,
        "busy_workers": 0,
        "present_workers": 0,
        "images_per_second": 4.0,
        "measured": False,
        "blenders": 1,
        "target_seconds": 12.0,
    }
    assert wanted(api, target_seconds=1, assumed_rate=1) == 4  # a fifth would have no job


def test_what_is_paused_wants_none_and_what_runs_keeps_its_worker(
    api: httpx.Client, nagi: str, quiet: None, connection: Connection
) -> None:
    batch = order(api, nagi, paused=True)
    assert wanted(api, target_seconds=1, assumed_rate=1) == 0
    api.post(f"/v1/batches/{batch}/resume")
    assert wanted(api) == 1

    # WHEN a worker has it, THEN it is wanted to the last, although nothing is left to draw and the batch is paused.
    job = finished.take(connection, "worker@busy")
    jobs = JobStore(connection)
    jobs.change(job.id, lambda present: states.progress(present, present.attempt, IMAGES))
    answer = api.get("/v1/autoscale").json()
    assert (answer["wanted_workers"], answer["backlog_images"], answer["busy_workers"]) == (1, 0, 1)
    api.post(f"/v1/batches/{batch}/pause")
    assert wanted(api) == 1

    jobs.change(job.id, lambda present: states.hand_back(present, present.attempt, "paused", "x", 1.0, 0.0, True))
    assert wanted(api) == 0


def test_workers_that_are_there_stay_until_there_is_no_job_for_them(
    api: httpx.Client, nagi: str, quiet: None, connection: Connection
) -> None:
    workers = Workers(connection)
    for name in ("worker@one", "worker@two", "worker@three"):
        workers.register(name, 1)
    try:
        batches = [order(api, nagi) for _ in range(3)]
        assert wanted(api) == 3
        workers.drain("worker@three", "it goes")
        assert wanted(api) == 2
        for batch in batches[1:]:
            api.post(f"/v1/batches/{batch}/cancel")
        assert wanted(api) == 1
    finally:
        for name in ("worker@one", "worker@two", "worker@three"):
            workers.leave(name)


def test_what_workers_reported_takes_the_place_of_what_was_assumed(
    api: httpx.Client, nagi: str, quiet: None, connection: Connection
) -> None:
    for _ in range(4):
        order(api, nagi)
    workers = Workers(connection)
    workers.register("worker@a", 2)
    workers.drew("worker@a", 20, 40.0)  # one of two Blenders: the worker draws an image a second
    workers.leave("worker@a")
    try:
        answer = api.get("/v1/autoscale", params={"target_seconds": 48, "assumed_rate": 1000}).json()

        assert (answer["wanted_workers"], answer["images_per_second"], answer["measured"]) == (2, 1.0, True)
        assert answer["blenders"] == 2
    finally:
        connection.redis.delete("farm:pace:images", "farm:pace:seconds", "farm:pace:blenders")


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "1e99", "soon"])
@pytest.mark.parametrize("parameter", ["target_seconds", "assumed_rate"])
def test_numbers_that_cannot_be_meant_are_refused(api: httpx.Client, parameter: str, value: str) -> None:
    assert_problem(api.get("/v1/autoscale", params={parameter: value}), 422, "request-invalid", parameter)
