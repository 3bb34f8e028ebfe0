"""Disturbs a farm at random, for as long as is wished: `make chaos SECONDS=600`.

Round after round, batches are submitted and, while they are rendered, disturbances are drawn from the seed. After each round
everything must be as after an undisturbed run, and no attempt may count against a job but those whose process was killed.
Ends with one line of counts; exit code 1 at the first thing that is wrong, with the round's seed and the folder of the logs.
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
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from farm.jobs.states import State
from farm.mascots import write_mascots
from farm.models.package import Package, read_model
from farm.spec import RenderSpec
from tests.chaos.disturbances import Chaos
from tests.chaos.farm import SHORT_LEASE_SECONDS, Farm, Results, RunningWorker, farm_under_test, undisturbed
from tests.chaos.ground import disturbable
from tests.support.servers import S3Server, asked, has_radosgw, radosgw, wait_until

SPECS = [
    RenderSpec(seed=21, samples=40, size=48),
    RenderSpec(seed=22, samples=120, size=48),
    RenderSpec(seed=23, samples=200, size=48, styles=("flat", "ink"), labels=("parts",)),
]
ROUND_SECONDS = 400
BACK_SECONDS = 60
"""Within which all is well when nothing is in its way any more."""


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
    chaos.guilty.clear()
    batches = [farm.submit(packages, spec) for spec in SPECS]
    wipes = chaos.counts["wipe_redis"]
    for _ in range(dice.randint(2, 5)):
        time.sleep(dice.uniform(0, 4))
        print(f"chaos:        {chaos.disturb()}", flush=True)
    farm.wait_for_end(batches, ROUND_SECONDS)
    wrong = _blamed(chaos, batches) + _lacking(farm)
    # Enough bad luck uses a job's attempts up; then an operator asks for another try.
    for batch in batches:
        quarantined = farm.services.jobs.batch(batch).counts[State.QUARANTINED]
        if quarantined:
            chaos.counts["quarantined, then retried"] += quarantined
            farm.services.batches.retry(batch)
    farm.wait_for_end(batches, ROUND_SECONDS)
    chaos.counts["jobs"] += len(batches) * len(packages)
    chaos.counts["attempts lost"] += sum(job.attempt - 1 for batch in batches for job in farm.jobs(batch))
    return wrong + farm.complaints(batches, expected, wiped=chaos.counts["wipe_redis"] > wipes)


def _blamed(chaos: Chaos, batches: list[str]) -> list[str]:
    """The attempts that count against their jobs though their processes were not killed.

    Who was cut off or asleep takes back, when it is there again, that it was thought lost.
    """

    def counted() -> Counter[str]:
        attempts = [a for batch in batches for job in chaos.farm.jobs(batch) for a in job.attempts]
        return Counter(attempt.code for attempt in attempts if attempt.counted)

    begun = time.monotonic()
    while (blamed := counted() - chaos.guilty) and time.monotonic() - begun < BACK_SECONDS:
        time.sleep(0.5)
    return [f"{count} x {code} counts against a job that has no fault" for code, count in blamed.items()]


def _lacking(farm: Farm) -> list[str]:
    """Which of the farm's processes have ended, or do not say that all is well."""

    def ready() -> bool:
        answer = asked(f"{farm.api_url}/readyz")
        return answer is not None and answer[0] == 200

    def well(worker: RunningWorker) -> bool:
        answer = asked(worker.metrics)
        listed = {w.name for w in farm.services.workers.all() if w.alive and not w.drained}
        return answer is not None and "farm_redis_usable 1.0" in answer[1] and f"worker@{worker.name}" in listed

    found = [f"worker {worker.name} has ended" for worker in farm.workers.values() if worker.process.poll() is not None]
    try:
        wait_until(ready, "the API being ready", BACK_SECONDS)
        for worker in farm.workers.values():
            wait_until(partial(well, worker), f"{worker.name} being well", BACK_SECONDS)
    except AssertionError as error:
        found.append(str(error))
    return found


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
        ground = stack.enter_context(disturbable(folder / "ground"))
        if s3 is None:
            ground.lacks.append("the store (radosgw is not installed)")
        farm = stack.enter_context(
            farm_under_test(folder / "farm", s3, workers=2, api=True, lease_seconds=SHORT_LEASE_SECONDS, ground=ground)
        )
        chaos = Chaos(farm, ground, random.Random(options.seed))
        begun = time.monotonic()
        rounds = 0
        while time.monotonic() - begun < options.seconds:
            before = Counter(chaos.counts)
            try:
                wrong = play(chaos, packages, expected)
            except AssertionError as error:
                wrong = [str(error)]
            rounds += 1
            done = ", ".join(sorted((chaos.counts - before).keys() - {"jobs", "attempts lost"})) or "nothing"
            print(f"chaos: {time.monotonic() - begun:5.0f} s, round {rounds}: {done}", flush=True)
            if wrong:
                print(f"chaos: seed {options.seed}, round {rounds}, logs in {folder}:", *wrong, sep="\n  ", flush=True)
                return 1
        if left := _left_behind(farm):
            print(f"chaos: left in the temporary folder: {', '.join(left)}; logs in {folder}")
            return 1
    shutil.rmtree(folder)
    counts = ", ".join(f"{name} {count}" for name, count in sorted(chaos.counts.items()))
    lacks = f"; not disturbed: {', '.join(ground.lacks)}" if ground.lacks else ""
    print(f"chaos: {rounds} rounds in {options.seconds:.0f} s, 0 wrong: {counts}{lacks}")
    return 0


def _left_behind(farm: Farm) -> list[str]:
    """What lies in the temporary folder when all have stopped, though some were killed before."""
    for name in list(farm.workers):
        farm.stop_worker(name)
    farm.stop_api(signal.SIGTERM)
    if farm.ground is None or farm.ground.temporary is None:
        return []
    return sorted(path.name for path in farm.ground.temporary.place.iterdir())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.SubprocessError as error:
        sys.exit(f"chaos: {error}")
