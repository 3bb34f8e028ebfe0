"""The job store on servers that lose answers, have no memory, cannot write, or are absent."""

from pathlib import Path

import pytest

from farm.errors import ServiceError
from farm.jobs import states
from farm.jobs.connection import Connection
from farm.jobs.states import Job, State
from farm.jobs.store import JobStore
from farm.stack import free_port
from farm.valkey import valkey_command
from tests.support import servers
from tests.support.audit import audit
from tests.support.faults import Fault, FaultyProxy
from tests.support.jobs import Core, make_core


def test_an_answer_that_is_lost_is_asked_for_again_without_harm(core: Core, valkey_or_redis: str) -> None:
    """GIVEN a change that Redis made and whose answer was cut off WHEN it is said again THEN it changes nothing more."""
    (job,) = core.add(1)
    core.begin()
    host, port = valkey_or_redis.removeprefix("redis://").removesuffix("/0").split(":")
    with FaultyProxy(host, int(port)) as proxy:
        far = JobStore(Connection(f"redis://127.0.0.1:{proxy.port}/0"))
        far.job(job.id)

        def finish(present: Job) -> Job:
            proxy.fault = Fault.LOSE_ANSWER
            return states.finish(present, 1, ("w",))

        with pytest.raises(ServiceError):
            far.change(job.id, finish)
        proxy.fault = Fault.OK
        servers.wait_until(lambda: core.jobs.job(job.id).state is State.DONE, "the change")
        assert far.change(job.id, lambda j: states.finish(j, 1, ("w",))).state is State.DONE


def test_a_server_without_memory_takes_no_batch_and_still_lets_work_go_on_and_be_stopped(core: Core) -> None:
    one, other = core.add(2)
    redis = core.connection.redis
    redis.config_set("maxmemory-policy", "noeviction")
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(ServiceError, match="takes no writes"):
            core.add(3)
        with pytest.raises(ServiceError, match="takes no writes"):
            core.connection.check()
        assert core.begin().id == one.id
        core.jobs.change(one.id, lambda job: states.finish(job, 1))
        core.queue.set_paused(one.batch, True)
        assert core.jobs.change_all(one.batch, states.cancel) == 1
    finally:
        redis.config_set("maxmemory", 0)

    assert core.jobs.batch(one.batch).ended
    assert core.jobs.job(other.id).state is State.CANCELLED


def test_a_server_that_cannot_write_its_file_is_a_service_error(tmp_path: Path) -> None:
    folder = tmp_path / "valkey"
    command = [*valkey_command(), "--save", "3600 1"]
    with servers.redis_server(folder, command) as url:
        core = make_core(url, tmp_path / "orders")
        (job,) = core.add(1)
        core.connection.redis.config_set("save", "3600 1")
        (folder / "dump.rdb").mkdir()  # what it would write stands in its own way
        (folder / "dump.rdb" / "x").touch()
        core.connection.redis.bgsave()

        def failed() -> bool:
            return bool(core.connection.redis.info("persistence")["rdb_last_bgsave_status"] == "err")

        servers.wait_until(failed, "the failure to save")

        with pytest.raises(ServiceError, match="disk"):
            core.jobs.change(job.id, states.cancel)
        with pytest.raises(ServiceError, match="disk"):
            core.jobs.change_all(job.batch, states.cancel)
        assert audit(core.connection) == []


def test_an_absent_server_is_a_service_error() -> None:
    with pytest.raises(ServiceError, match="FARM_REDIS_URL"):
        JobStore(Connection(f"redis://127.0.0.1:{free_port()}/0")).totals()


def test_a_mistake_of_our_own_is_not_taken_for_an_absent_server(core: Core) -> None:
    import redis

    core.connection.redis.set("farm:batch:wrong:jobs", "text")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        core.jobs.job("wrong-0")
    core.connection.redis.delete("farm:batch:wrong:jobs")
