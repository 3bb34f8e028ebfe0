"""A real Flower over a real Redis shows what became of every attempt, also of those it was not there for."""

import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from farm.errors import ServiceError
from farm.jobs import states
from farm.jobs.states import WORKER_LOST, Job, Work
from tests.support.flowers import ShownFlower, flower_on
from tests.support.jobs import RECORD, Core, make_core, new_jobs
from tests.support.servers import redis_server, wait_until

pytest.importorskip("flower")


@pytest.fixture
def core(fresh_redis: str, tmp_path: Path) -> Core:
    return make_core(fresh_redis, tmp_path / "orders")


def drawn(core: Core, job: Job, images: int) -> Job:
    return core.jobs.change(job.id, lambda j: states.progress(j, job.attempt, images))


def done(core: Core, job: Job) -> None:
    core.jobs.change(job.id, lambda j: states.finish(j, job.attempt))


def failed(core: Core, job: Job, code: str = "model-unusable") -> None:
    core.jobs.change(job.id, lambda j: states.fail(j, job.attempt, code, "/srv/secret/place does not show a face."))


def lost(core: Core, job: Job, code: str = "blender-died") -> None:
    core.jobs.change(job.id, lambda j: states.lose(j, job.attempt, code, "in /tmp/x", core.jobs.now()))
    core.wait_is_over()


def handed_back(core: Core, job: Job) -> None:
    at = core.jobs.now()
    core.jobs.change(job.id, lambda j: states.hand_back(j, job.attempt, "worker-stopped", "It ends.", at, kept=True))


def outcomes(flower: ShownFlower, search: str = "") -> dict[str, tuple[str, str | None, str | None]]:
    return {row: (it["state"], it["exception"], it["result"]) for row, it in flower.rows(search).items()}


def test_every_attempt_is_a_row_that_says_what_became_of_it(core: Core, fresh_redis: str, tmp_path: Path) -> None:
    with flower_on(fresh_redis, tmp_path) as flower:
        # GIVEN a batch whose jobs end in all ways
        core.add(5)
        done(core, first := core.begin())
        failed(core, second := core.begin())
        for _ in range(3):
            lost(core, third := core.begin())
        handed_back(core, drawn(core, fourth := core.begin(), 3))
        fourth = core.begin()
        core.jobs.change(fourth.id, states.cancel)
        drawn(core, fifth := core.begin("worker@b"), 5)
        expected = {
            f"{first.id}.1": ("SUCCESS", None, "done, 8 of 8 images"),
            f"{second.id}.1": ("FAILURE", "model-unusable", "failed, 0 of 8 images"),
            f"{third.id}.1": ("FAILURE", "blender-died", "broke down, is tried again"),
            f"{third.id}.2": ("FAILURE", "blender-died", "broke down, is tried again"),
            f"{third.id}.3": ("FAILURE", "blender-died", "quarantined, 0 of 8 images"),
            f"{fourth.id}.1": ("RETRY", "worker-stopped", "handed back, 3 of 8 images"),
            f"{fourth.id}.2": ("REVOKED", None, "cancelled"),
            f"{fifth.id}.1": ("STARTED", None, None),
        }

        # THEN Flower says so
        wait_until(lambda: outcomes(flower) == expected, f"the rows, not {outcomes(flower)}")
        row = flower.rows()[f"{fifth.id}.1"]
        assert (row["name"], row["worker"], row["args"], row["retries"]) == ("farm.render", "worker@b", "('狐 4',)", 0)
        assert row["kwargs"] == repr(
            {"model": "狐 4", "batch": fifth.batch, "job": fifth.id, "attempt": 1, "images": 8}
        )  # fmt: skip
        page = flower.get(f"/task/{fifth.id}.1").text
        assert "rendering, 5 of 8 images" in page
        assert all("secret" not in str(row) and "/tmp" not in str(row) for row in flower.rows().values())

        # AND WHEN a user has failed jobs tried again, THEN what had failed has failed all the same
        core.jobs.change(second.id, states.retry)
        done(core, core.begin())
        expected[f"{second.id}.2"] = ("SUCCESS", None, "done, 8 of 8 images")
        wait_until(lambda: outcomes(flower) == expected, "the row of the new attempt")

    # AND a Flower that starts afterwards shows the same
    with flower_on(fresh_redis, tmp_path / "later") as flower:
        wait_until(lambda: outcomes(flower) == expected, f"the rows again, not {outcomes(flower)}")
        assert flower.rows()[f"{fifth.id}.1"]["started"] == row["started"]


def test_rows_are_found_by_batch_model_job_and_code(core: Core, fresh_redis: str, tmp_path: Path) -> None:
    with flower_on(fresh_redis, tmp_path) as flower:
        ours, others = core.add(2), core.add(1)
        for _ in range(2):
            failed(core, core.begin(), "no-neck-bone")
        done(core, core.begin())
        wait_until(lambda: len(flower.rows("state:FAILURE OR state:SUCCESS")) == 3, "the rows")

        for search, expected in {
            f"kwargs:batch={ours[0].batch}": {f"{job.id}.1" for job in ours},
            f"kwargs:batch={others[0].batch}": {f"{others[0].id}.1"},
            f'kwargs:batch={ours[0].batch} "kwargs:model=狐 1"': {f"{ours[1].id}.1"},
            f"kwargs:job={ours[0].id}": {f"{ours[0].id}.1"},
            f"{ours[0].batch} state:FAILURE": {f"{job.id}.1" for job in ours},
            "result:done": {f"{others[0].id}.1"},
            "kwargs:batch=other": set(),
        }.items():
            assert flower.rows(search).keys() == expected, search


def test_a_worker_that_was_only_cut_off_is_not_left_as_a_failure(core: Core, fresh_redis: str, tmp_path: Path) -> None:
    with flower_on(fresh_redis, tmp_path) as flower:
        core.add(1)
        job = core.begin()
        lost(core, job, WORKER_LOST)
        wait_until(lambda: outcomes(flower).get(f"{job.id}.1", ("",))[0] == "FAILURE", "the failure")

        core.jobs.change(job.id, lambda j: states.forgive(j, 1))

        wait_until(lambda: outcomes(flower)[f"{job.id}.1"][:2] == ("RETRY", WORKER_LOST), "the failure taken back")


def test_work_for_annotators_has_a_name_of_its_own(core: Core, fresh_redis: str, tmp_path: Path) -> None:
    (job,) = new_jobs(1)
    with flower_on(fresh_redis, tmp_path) as flower:
        assert core.jobs.add_batch(job.batch, RECORD, [replace(job, work=Work.INSPECTION)])
        core.begin()
        wait_until(lambda: bool(flower.rows()), "the row")
        assert flower.rows()[f"{job.id}.1"]["name"] == "farm.inspect"


def test_a_redis_that_lost_all_leaves_no_row_that_runs_for_ever(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as url:
        core = make_core(url, tmp_path / "orders")
        with flower_on(url, tmp_path) as flower:
            core.add(1)
            before = core.begin()
            wait_until(lambda: outcomes(flower).get(f"{before.id}.1", ("",))[0] == "STARTED", "the attempt")

            core.connection.redis.flushall()
            core.add(1)
            after = core.begin()

            wait_until(lambda: outcomes(flower).get(f"{after.id}.1", ("",))[0] == "STARTED", "the one after")
            assert outcomes(flower)[f"{before.id}.1"][:2] == ("RETRY", "events-lost")


def test_a_redis_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as url:
        core = make_core(url, tmp_path / "orders")
        with flower_on(url, tmp_path) as flower:
            core.add(1)
            job = core.begin()
            wait_until(lambda: bool(flower.rows()), "the attempt")
            # It answers nobody for longer than an answer may take; nothing that it was told is lost.
            core.connection.redis.execute_command("CLIENT", "PAUSE", "15000", "ALL")
            time.sleep(1)
            assert flower.get("/healthcheck").is_success
            wait_until(lambda: was_done(core, job), "Redis answering again")

            wait_until(lambda: outcomes(flower)[f"{job.id}.1"][0] == "SUCCESS", "the end of the attempt")


def was_done(core: Core, job: Job) -> bool:
    try:
        done(core, job)
    except ServiceError:
        return False
    return True


def test_nothing_that_flower_offers_can_touch_a_job(core: Core, fresh_redis: str, tmp_path: Path) -> None:
    with flower_on(fresh_redis, tmp_path) as flower:
        for path in (
            "/api/task/revoke/x?terminate=1",
            "/api/task/abort/x",
            "/api/task/send-task/farm.render",
            "/api/task/async-apply/farm.render",
            "/api/worker/shutdown/worker@a",
            "/api/worker/pool/shrink/worker@a",
            "/api/worker/pool/restart/worker@a",
            "/api/worker/queue/cancel-consumer/worker@a?queue=render",
        ):
            answer = httpx.post(flower.url + path, auth=flower.login, timeout=30, trust_env=False)
            assert answer.status_code == 403, (path, answer.status_code, answer.text)
        assert httpx.get(flower.url + "/api/tasks", timeout=30, trust_env=False).status_code == 401
        assert core.connection.redis.llen("render") == 0
