"""Holds what became of every job against what had to become of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from farm.jobs.connection import Connection
from farm.jobs.queue import Queue
from farm.jobs.states import Job, State
from farm.jobs.store import JobStore
from farm.stress.fates import Odds, final_state


@dataclass(slots=True)
class Findings:
    """What is not as it must be, as sentences."""

    lost: list[str] = field(default_factory=list)
    """Jobs that are not there, have not ended, or ended without the work."""
    repeated: list[str] = field(default_factory=list)
    """Attempts that nobody needed."""
    wrong: list[str] = field(default_factory=list)
    """Jobs that ended in another way than they must, and counters that disagree with the jobs."""

    @property
    def all(self) -> list[str]:
        """All of them."""
        return [*self.lost, *self.repeated, *self.wrong]


def audit(connection: Connection, batches: Sequence[str], models: Sequence[str], odds: Odds, ledger: Path) -> Findings:
    """Look at every job of the batches, the renderers' ledger, and the counters of a farm that has no other batches."""
    findings = Findings()
    store = JobStore(connection)
    drawn = _attempts_by_model(ledger)
    waiting_for, sums = set(models), Counter[str]()
    for batch in batches:
        counts: Counter[State] = Counter()
        images = 0
        for job in store.jobs(batch):
            waiting_for.discard(job.model)
            _check_job(job, odds, drawn.get(job.model, Counter()), findings)
            counts[job.state] += 1
            images += job.images_done
        known = store.batch(batch)
        _agree(f"batch {batch}: jobs by state", dict(known.counts), {s: counts[s] for s in State}, findings)
        _agree(f"batch {batch}: images done", known.images_done, images, findings)
        _agree(f"batch {batch}: ended", known.ended, not any(counts[s] for s in State if not s.ended), findings)
        sums.update(counts)
    findings.lost += [f"model {model}: no batch has a job for it" for model in sorted(waiting_for)]
    totals, queue = store.totals(), Queue(connection)
    _agree("all jobs by state", dict(totals.counts), {s: sums[s] for s in State}, findings)
    _agree("images that the farm owes", totals.backlog_images, 0, findings)
    _agree("jobs that workers have", len(queue.leased()), 0, findings)
    _agree("jobs that wait", queue.waiting(1_000_000), 0, findings)
    _agree("models in use", sum(map(bool, map(store.uses_of, models[:100]))), 0, findings)
    return findings


def _attempts_by_model(ledger: Path) -> dict[str, Counter[int]]:
    """How often each attempt began to draw, by model."""
    attempts: dict[str, Counter[int]] = {}
    for line in _lines(ledger):
        model, number, _ = line.split(" ", 2)
        attempts.setdefault(model, Counter())[int(number)] += 1
    return attempts


def _lines(ledger: Path) -> Iterator[str]:
    for file in sorted(ledger.glob("*")):
        yield from file.read_text().splitlines()


def _check_job(job: Job, odds: Odds, drawn: Counter[int], findings: Findings) -> None:
    course = odds.course(job.model)
    if not job.state.ended:
        findings.lost.append(f"job {job.id}: it is {job.state}, attempt {job.attempt}")
        return
    missing = [number for number in range(1, len(course) + 1) if not drawn[number]]
    if missing:
        findings.lost.append(f"job {job.id}: it is {job.state}, and nobody worked on attempt {missing[0]}")
    if drawn.total() + len(missing) > len(course):
        findings.repeated.append(
            f"job {job.id}: {drawn.total()} attempts drew, {len(course)} had to; the farm says "
            + (", ".join(f"{a.number} {a.code} ({a.worker})" for a in job.attempts) or "nothing against it")
        )
    expected = [fate.code for fate in course if fate.code]
    noted = [attempt.code for attempt in job.attempts]
    if job.state is State.FAILED:
        noted.append(job.error_code)
    if job.state is not final_state(course) or noted != expected:
        findings.wrong.append(f"job {job.id}: it is {job.state} after {noted}, and had to be {final_state(course)} "
                              f"after {expected}")  # fmt: skip


def _agree(what: str, said: object, counted: object, findings: Findings) -> None:
    if said != counted:
        findings.wrong.append(f"{what}: the farm says {said}, and it is {counted}")
