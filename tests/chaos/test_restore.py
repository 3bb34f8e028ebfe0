"""docs/how-to/back-up-and-restore.md, done to a farm that has a job in every state: its Redis is put back from a copy of the
append-only file, and then Redis and store are lost together, and only the copy of the store is left.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from farm.jobs.states import State
from farm.jobs.submission import Entry, Request
from farm.models.package import Package, read_model
from farm.spec import RenderSpec
from tests.chaos.farm import Farm, farm_under_test, undisturbed
from tests.support.servers import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.blender
RUNNING = RenderSpec(seed=30, samples=150, size=48)
"""Long enough that something can happen meanwhile."""
SPOILT, BARE, WAITING, TAKEN_BACK, DONE, LATE = (RenderSpec(seed=seed, samples=2, size=48) for seed in range(31, 37))
ENDED = {
    SPOILT.seed: State.QUARANTINED,
    BARE.seed: State.FAILED,
    TAKEN_BACK.seed: State.CANCELLED,
    DONE.seed: State.DONE,
}


def reconcile(farm: Farm) -> str:
    """What the command says."""
    command = [sys.executable, "-m", "farm", "reconcile"]
    environment = {**os.environ, **farm.environment}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_redis(farm: Farm, to: Path) -> None:
    """As the page says: no rewrite meanwhile, then the folder."""
    redis = farm.services.connection.redis
    before = redis.config_get("auto-aof-rewrite-percentage")["auto-aof-rewrite-percentage"]
    redis.config_set("auto-aof-rewrite-percentage", 0)
    wait_until(lambda: not redis.info("persistence")["aof_rewrite_in_progress"], "the end of a rewrite")
    shutil.copytree(farm.folder / "valkey" / "appendonlydir", to)
    redis.config_set("auto-aof-rewrite-percentage", before)


def copy_store(farm: Farm, to: Path) -> None:
    """By the two commands for a directory on the page."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "back-up-and-restore.md").read_text()
    commands = re.findall(r"^rsync .*$", page, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        words = shlex.split(command.replace(" store/ copy/", f" {farm.folder}/store/ {to}/"))
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        # 24: something went away meanwhile, such as a checkpoint that is needed no more
        assert done.returncode in (0, 24), done.stderr


def restart_redis(farm: Farm, backup: Path | None) -> None:
    """Another machine's: with the copy, or with nothing."""
    farm.kill_redis()
    shutil.rmtree(farm.folder / "valkey")
    if backup is not None:
        shutil.copytree(backup, farm.folder / "valkey" / "appendonlydir")
    farm.start_redis()


def states(farm: Farm, batches: dict[int, str]) -> dict[int, State]:
    """The state of each batch's one job, by the seed of the batch."""
    return {seed: farm.jobs(batch)[0].state for seed, batch in batches.items()}


@pytest.mark.long
def test_a_farm_with_jobs_in_every_state_comes_back_from_either_copy(
    packages: list[Package], mascots: dict[str, Path], tmp_path: Path
) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    momo, nagi = packages
    expected = undisturbed(tmp_path / "expected", [momo], [RUNNING, WAITING, DONE])
    expected |= undisturbed(tmp_path / "expected-too", [nagi], [SPOILT])
    with farm_under_test(tmp_path / "farm", workers=0) as farm:

        def submit(model: Package, spec: RenderSpec, paused: bool = False) -> str:
            farm.services.catalog.add(model)
            return farm.services.batches.submit(Request([Entry(model.id, model.name)], spec, paused=paused))[0].id

        def wait_for(seed: int, state: State) -> None:
            farm.wait_for_end([batches[seed]])
            assert states(farm, batches)[seed] is state, farm.jobs(batches[seed])

        # GIVEN a job whose model was spoilt in the store, one whose model has no face, one taken back, one that waits, one
        # that is done, and one in the middle
        batches = {SPOILT.seed: submit(nagi, SPOILT)}
        package = f"models/{nagi.id}/package.zip"
        whole = farm.store.get(package)
        farm.store.put(package, whole[:100])
        bare = tmp_path / "bare.pmx"
        bare.write_bytes(mascots["momo"].read_bytes())
        batches[BARE.seed] = submit(read_model(bare), BARE)
        batches[TAKEN_BACK.seed] = submit(momo, TAKEN_BACK, paused=True)
        farm.services.batches.cancel(batches[TAKEN_BACK.seed])
        batches[WAITING.seed] = submit(momo, WAITING, paused=True)
        batches[DONE.seed] = submit(momo, DONE)
        farm.start_worker("first")
        for seed in (SPOILT.seed, BARE.seed, DONE.seed):
            wait_for(seed, ENDED[seed])
        batches[RUNNING.seed] = submit(momo, RUNNING)
        farm.wait_for_images(batches[RUNNING.seed], 50)

        # WHEN both are copied while it works, and something is ordered after that
        copy_redis(farm, tmp_path / "redis-copy")
        copy_store(farm, tmp_path / "store-copy")
        late = submit(momo, LATE)
        farm.stop_worker("first")
        attempts = farm.jobs(batches[SPOILT.seed])[0].attempts
        assert [attempt.code for attempt in attempts] == ["archive-refused"] * 3

        # AND Redis is put back THEN all is as it was, with its history, and what the copy does not know comes from the store
        restart_redis(farm, tmp_path / "redis-copy")
        assert "6 batches known, 1 rebuilt" in reconcile(farm)
        found = states(farm, batches)
        assert {seed: found[seed] for seed in ENDED} == ENDED
        assert found[WAITING.seed] is State.QUEUED
        assert farm.jobs(batches[SPOILT.seed])[0].attempts == attempts
        paused = farm.batch(batches[WAITING.seed])
        assert paused is not None
        assert paused.paused
        farm.start_worker("second")
        farm.wait_for_end([batches[RUNNING.seed], late])
        assert farm.jobs(late)[0].state is State.DONE
        farm.stop_worker("second")

        # AND WHEN both are lost THEN the copy of the store makes all of it again that had been ordered by then
        shutil.rmtree(farm.folder / "store")
        shutil.copytree(tmp_path / "store-copy", farm.folder / "store")
        restart_redis(farm, None)
        assert "0 batches known, 6 rebuilt (1 job done, 4 queued)" in reconcile(farm)
        assert states(farm, batches)[TAKEN_BACK.seed] is State.CANCELLED
        # failed and broken ones are tried again: the store does not say that they were
        farm.store.put(package, whole)
        farm.services.batches.set_paused(batches[WAITING.seed], False)
        farm.start_worker("third")
        farm.wait_for_end(list(batches.values()))
        assert states(farm, batches)[BARE.seed] is State.FAILED
        ended = [batch for seed, batch in batches.items() if seed not in (TAKEN_BACK.seed, BARE.seed)]
        assert farm.complaints(ended, expected, wiped=True) == []
