"""Disturbs a farm at random, for as long as is wished: `make chaos SECONDS=600`.

Round after round, batches are submitted and, while they are rendered, disturbances are drawn from the seed. After each round
everything must be as after an undisturbed run. Ends with one line of counts; exit code 1 at the first thing that is wrong,
with the round's seed and the folder of the logs.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from farm.jobs.reconcile import reconcile
from farm.jobs.states import State
from farm.mascots import write_mascots
from farm.models.package import Package, read_model
from farm.spec import RenderSpec
from tests.chaos.farm import SHORT_LEASE_SECONDS, Farm, Results, farm_under_test, undisturbed
from tests.chaos.processes import blenders, signal_all
from tests.support.faults import Fault
from tests.support.servers import S3Server, has_radosgw, radosgw

SPECS = [
    RenderSpec(seed=21, samples=40, size=48),
    RenderSpec(seed=22, samples=120, size=48),
    RenderSpec(seed=23, samples=200, size=48, styles=("flat", "ink"), labels=("parts",)),
]
ROUND_SECONDS = 240


@dataclass
class Chaos:
    """A farm and the dice."""

    farm: Farm
    dice: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    names: int = 0

    def disturb(self) -> None:
        """Do something bad, and make it good again; workers that were lost are replaced."""
        what: list[Callable[[], None]] = [
            self.kill_blender,
            self.kill_worker,
            self.stop_worker,
            self.freeze_worker,
            self.hang_blender,
            self.restart_redis,
            self.wipe_redis,
            self.silence_redis,
            self.take_no_writes,
            self.restart_api,
            self.pause,
        ]
        if self.farm.proxy is not None:
            what += [self.break_store] * 2
        action = self.dice.choice(what)
        action()
        self.counts[action.__name__] += 1

    def _worker(self) -> str:
        return self.dice.choice(sorted(self.farm.workers))

    def _hire(self) -> None:
        self.names += 1
        self.farm.start_worker(f"hired{self.names}")

    def kill_blender(self) -> None:
        how = self.dice.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
        signal_all(blenders(self.farm.workers[self._worker()].process.pid), how)

    def hang_blender(self) -> None:
        stopped = blenders(self.farm.workers[self._worker()].process.pid)
        signal_all(stopped, signal.SIGSTOP)
        time.sleep(self.dice.uniform(1, 5))
        signal_all(stopped, signal.SIGCONT)

    def kill_worker(self) -> None:
        self.farm.kill_worker(self._worker())
        self._hire()

    def stop_worker(self) -> None:
        self.farm.stop_worker(self._worker())
        self._hire()

    def freeze_worker(self) -> None:
        frozen = self.farm.workers[self._worker()].tree
        signal_all(frozen, signal.SIGSTOP)
        time.sleep(self.dice.uniform(1, 2 * SHORT_LEASE_SECONDS))
        signal_all(frozen, signal.SIGCONT)

    def restart_redis(self) -> None:
        self.farm.kill_redis()
        time.sleep(self.dice.uniform(0, 4))
        self.farm.start_redis()

    def wipe_redis(self) -> None:
        self.farm.services.connection.redis.flushall()
        time.sleep(self.dice.uniform(0, 2))
        reconcile(self.farm.store, self.farm.services.jobs)

    def silence_redis(self) -> None:
        self.farm.pause_redis(True)
        time.sleep(self.dice.uniform(1, 2 * SHORT_LEASE_SECONDS))
        self.farm.pause_redis(False)

    def take_no_writes(self) -> None:
        """Redis becomes a replica for a while, or its own replicas are gone."""
        server = self.farm.services.connection.redis
        demoted = self.dice.choice([True, False])
        server.replicaof("127.0.0.1", "1") if demoted else server.config_set("min-replicas-to-write", 1)
        time.sleep(self.dice.uniform(1, 2 * SHORT_LEASE_SECONDS))
        server.replicaof("NO", "ONE") if demoted else server.config_set("min-replicas-to-write", 0)

    def restart_api(self) -> None:
        self.farm.stop_api(self.dice.choice([signal.SIGKILL, signal.SIGTERM]))
        self.farm.start_api()

    def pause(self) -> None:
        batch = self.dice.choice([batch.id for batch in self.farm.services.jobs.batches(3)])
        self.farm.services.batches.set_paused(batch, True)
        time.sleep(self.dice.uniform(0, 4))
        self.farm.services.batches.set_paused(batch, False)

    def break_store(self) -> None:
        assert self.farm.proxy is not None
        self.farm.proxy.fault = self.dice.choice([Fault.UNAVAILABLE, Fault.REFUSE, Fault.CUT, Fault.LOSE_ANSWER])
        time.sleep(self.dice.uniform(1, 15))
        self.farm.proxy.fault = Fault.OK


def _forget_everything(farm: Farm) -> None:
    """Results, so that they are rendered again; and earlier batches, which a lost Redis would bring back."""
    farm.store.delete_all("batches/")
    for batch in farm.services.jobs.batches(100):
        farm.services.jobs.remove_batch(batch.id)
    farm.store.delete_all("renders/")


def play(chaos: Chaos, packages: list[Package], expected: Results) -> list[str]:
    """One round; what is wrong after it."""
    farm, dice = chaos.farm, chaos.dice
    _forget_everything(farm)
    batches = [farm.submit(packages, spec) for spec in SPECS]
    wipes = chaos.counts["wipe_redis"]
    for _ in range(dice.randint(1, 4)):
        time.sleep(dice.uniform(0, 4))
        chaos.disturb()
    farm.wait_for_end(batches, ROUND_SECONDS)
    # Enough bad luck uses a job's attempts up; then an operator asks for another try.
    for batch in batches:
        quarantined = farm.services.jobs.batch(batch).counts[State.QUARANTINED]
        if quarantined:
            chaos.counts["quarantined, then retried"] += quarantined
            farm.services.batches.retry(batch)
    farm.wait_for_end(batches, ROUND_SECONDS)
    chaos.counts["jobs"] += len(batches) * len(packages)
    chaos.counts["attempts lost"] += sum(job.attempt - 1 for batch in batches for job in farm.jobs(batch))
    return farm.complaints(batches, expected, wiped=chaos.counts["wipe_redis"] > wipes)


def main() -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="farm-chaos-"))
    packages = [read_model(path) for path in write_mascots(folder / "models")]
    expected = undisturbed(folder / "undisturbed", packages, SPECS)
    print(f"chaos: the undisturbed run gave {len(expected)} objects; logs in {folder}", flush=True)
    with ExitStack() as stack:
        s3: S3Server | None = stack.enter_context(radosgw(folder / "radosgw")) if has_radosgw() else None
        farm = stack.enter_context(
            farm_under_test(folder / "farm", s3, workers=2, api=True, lease_seconds=SHORT_LEASE_SECONDS)
        )
        chaos = Chaos(farm, random.Random(options.seed))
        begun = time.monotonic()
        rounds = 0
        while time.monotonic() - begun < options.seconds:
            before = Counter(chaos.counts)
            wrong = play(chaos, packages, expected)
            rounds += 1
            done = ", ".join(sorted((chaos.counts - before).keys() - {"jobs", "attempts lost"})) or "nothing"
            print(f"chaos: {time.monotonic() - begun:5.0f} s, round {rounds}: {done}", flush=True)
            if wrong:
                print(f"chaos: seed {options.seed}, round {rounds}, logs in {folder}:", *wrong, sep="\n  ", flush=True)
                return 1
    shutil.rmtree(folder)
    counts = ", ".join(f"{name} {count}" for name, count in sorted(chaos.counts.items()))
    print(f"chaos: {rounds} rounds in {options.seconds:.0f} s, 0 wrong: {counts}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.SubprocessError as error:
        sys.exit(f"chaos: {error}")
