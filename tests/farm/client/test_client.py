"""The Python SDK's verbs against a real API: models, batches, jobs, workers, keys."""

from dataclasses import replace
from pathlib import Path

import pytest

from farm.client import FarmClient, RefusedError
from farm.jobs.batches import Webhook
from farm.jobs.connection import Connection
from farm.jobs.states import State, job_id, lose
from farm.jobs.workers import Workers
from farm.models.mmd.pmx_writer import pmx_bytes
from tests.farm.client.farm import SPEC, WORKER, Farm
from tests.farm.models import made_files as made
from tests.support import servers


def test_the_same_key_gives_the_same_batch_and_another_request_under_it_is_refused(farm: Farm) -> None:
    first = farm.submit(idempotency_key="mine", name="one")
    again = farm.submit(idempotency_key="mine", name="one")

    assert (again.id, first.replayed, again.replayed) == (first.id, False, True)
    with pytest.raises(RefusedError, match="stands for another request") as caught:
        farm.submit(idempotency_key="mine", name="two")
    assert caught.value.code == "idempotency-key-reused"


def test_the_key_is_shown(farm: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from farm.keys import Role, entry_for, new_key

    key = new_key()
    environment = {**farm.api.environment, "FARM_API_KEYS": entry_for("reader", [Role.READ], key)}
    with servers.api_server(tmp_path, environment) as api:
        with FarmClient(api.url, key) as client:
            assert client.workers() == []
            with pytest.raises(RefusedError, match="needs the role submit"):
                client.submit([farm.model], SPEC)
        with FarmClient(api.url) as client, pytest.raises(RefusedError) as caught:
            client.workers()
        assert caught.value.code == "unauthorized"
        monkeypatch.setenv("FARM_API_KEY", key)
        with FarmClient(api.url) as client:
            assert client.workers() == []


def test_models_are_listed_shown_and_deleted(farm: Farm, mascots: dict[str, Path]) -> None:
    (nagi,), refused = farm.client.upload(mascots["nagi"])
    batch = farm.client.submit([nagi], SPEC)

    assert refused == []
    assert {nagi.id, farm.model.id} <= set(farm.client.models())
    assert farm.client.model(nagi.id).inventory == nagi.inventory
    with pytest.raises(RefusedError, match="cancel their batches"):
        farm.client.delete_model(nagi.id)
    farm.client.cancel(batch.id)
    farm.client.delete_model(nagi.id)
    assert nagi.id not in set(farm.client.models())


def test_a_batch_can_be_steered(farm: Farm) -> None:
    batch = farm.submit(name="steered", priority=-2, paused=True, webhook=Webhook("http://127.0.0.1:9/", "s" * 20)).id

    assert (farm.client.batch(batch).priority, farm.client.batch(batch).paused) == (-2, True)
    assert farm.client.resume(batch).paused is False
    assert farm.client.pause(batch).paused is True
    assert farm.client.set_priority(batch, 7).priority == 7
    assert batch in [found.id for found in farm.client.batches("paused", "teer")]
    ended = farm.client.cancel(batch)
    assert (ended.ended, ended.jobs[State.CANCELLED]) == (True, 1)
    assert batch in [found.id for found in farm.client.batches("ended")]
    assert farm.client.retry(batch) == 0
    assert farm.client.retry(batch, [State.CANCELLED]) == 1


def test_jobs_come_page_by_page_and_by_state(farm: Farm) -> None:
    batch = farm.batch_of(2300)
    for place in (5, 1500, 2299):
        farm.done(job_id(batch, place))

    assert [job.id for job in farm.client.jobs(batch)] == [job_id(batch, place) for place in range(2300)]
    assert [job.id for job in farm.client.jobs(batch, [State.DONE])] == [job_id(batch, i) for i in (5, 1500, 2299)]
    assert list(farm.client.jobs(batch, [State.FAILED, State.CANCELLED])) == []


def test_batches_come_newest_first_page_by_page(farm: Farm) -> None:
    made = [farm.batch_of(1) for _ in range(130)]

    found = [batch.id for batch, _ in zip(farm.client.batches(), range(130), strict=False)]

    assert found == made[::-1]


def test_a_broken_job_tells_its_story_and_is_retried(farm: Farm) -> None:
    job = job_id(farm.batch_of(1), 0)
    for _ in range(3):
        farm.begin(job)
        farm.jobs.change(job, lambda j: lose(j, j.attempt, "blender-died", "Blender ended with signal 11.", 1e9))
    farm.jobs.keep_log(job, "Segmentation fault")

    found = farm.client.job(job)
    assert found.state is State.QUARANTINED
    assert [attempt.code for attempt in found.attempts] == ["blender-died"] * 3
    assert farm.client.log(job) == "Segmentation fault"
    assert farm.client.retry_job(job).state is State.QUEUED
    with pytest.raises(RefusedError, match="only failed, quarantined or cancelled"):
        farm.client.retry_job(job)


def test_workers_are_drained_and_resumed(farm: Farm) -> None:
    Workers(Connection(farm.api.environment["FARM_REDIS_URL"])).register(WORKER, 2)

    assert farm.client.drain_worker(WORKER, "It smells.").drained == "It smells."
    (worker,) = farm.client.workers()
    assert (worker.name, worker.concurrency, worker.alive, worker.drained) == (WORKER, 2, True, "It smells.")
    assert farm.client.resume_worker(WORKER).drained == ""


def test_names_that_are_no_utf8_or_too_long_are_sent_all_the_same(farm: Farm) -> None:
    batch = farm.client.submit([replace(farm.model, name="ä" * 300)], SPEC)

    (job,) = farm.client.jobs(batch.id)
    assert job.name == "ä" * 200


def test_a_table_of_bare_names_names_the_morphs_that_move(farm: Farm, tmp_path: Path) -> None:
    path = tmp_path / "twice.pmx"
    path.write_bytes(pmx_bytes(made.names_twice()))
    (model,), _ = farm.client.upload(path)

    proposed, decided = (farm.client.submit([model], SPEC, mapping=table) for table in (None, made.BARE_NAMES))

    assert model.inventory.annotation == made.NAMES_TWICE
    assert [job.annotation for job in farm.client.jobs(proposed.id)] == [made.NAMES_TWICE]
    assert [job.annotation for job in farm.client.jobs(decided.id)] == [made.BARE_NAMES_GIVE]
