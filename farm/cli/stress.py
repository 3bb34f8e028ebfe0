"""`farm stress`: how much the farm carries on this machine, and whether it loses anything under it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from farm.cli.console import note, stderr, stdout
from farm.cli.ending import stopped_by_sigterm
from farm.errors import ServiceError
from farm.jobs.connection import LEASE_SECONDS
from farm.jobs.store import JobStore
from farm.jobs.submission import MAX_MODELS
from farm.jobs.workers import Workers
from farm.scratch import Scratch
from farm.stress import measurements
from farm.stress.audit import Findings, audit
from farm.stress.characters import model_ids, put_models
from farm.stress.fates import Odds
from farm.stress.load import Latencies, Onlooker, ask, grow, submit
from farm.stress.measurements import Measurement
from farm.stress.rig import Rig
from farm.wording import json_text

_SETTLE_SECONDS = 3.0
"""After a submission, until the keeper has issued its tickets and Redis has moved its tables."""
_LOOK_SECONDS = 0.2
_STALLED_SECONDS = 180.0
"""No job may take longer to end: a lease, the longest wait, and some."""
_SHOWN = 20
"""Findings that are printed."""


@dataclass(slots=True)
class _Run:
    """What is asked for, and what was found out so far."""

    models: int
    batch: int
    workers: int
    known: int
    requests: int
    odds: Odds
    measurements: list[Measurement] = field(default_factory=list)

    def say(self, sentence: str, *found: Measurement) -> None:
        """Keep the measurements of a phase, and print a line about it."""
        self.measurements += found
        stdout.print(sentence, markup=False, soft_wrap=True)


@click.command()
@click.option("--models", type=click.IntRange(1, 10_000_000), default=100_000, show_default=True)
@click.option(
    "--batch", type=click.IntRange(1, MAX_MODELS), default=MAX_MODELS, show_default=True, help="Models of a request."
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=4, show_default=True, help="Workers of one process each."
)
@click.option(
    "--failures",
    type=click.FloatRange(0, 0.5),
    default=0.01,
    show_default=True,
    help="Share of the models that cannot be drawn, and of the attempts that break down.",
)
@click.option(
    "--deaths",
    type=click.FloatRange(0, 0.5),
    default=0.001,
    show_default=True,
    help="Share of the attempts that kill their process; each tenth of these kills its worker.",
)
@click.option(
    "--known",
    type=click.IntRange(0, 10_000_000),
    default=1_000_000,
    show_default=True,
    help="Jobs that the farm knows when the API's answers are timed; those beyond MODELS are put in as ended ones.",
)
@click.option("--requests", type=click.IntRange(1, 1_000_000), default=2000, show_default=True, help="Requests timed.")
@click.option("--seconds-per-job", type=click.FloatRange(0, 3600), default=0.0, show_default=True)
@click.option(
    "--lease",
    type=click.FloatRange(3, 3600),
    default=LEASE_SECONDS,
    show_default=True,
    help="Seconds after which a silent worker's job goes to another.",
)
@click.option("--celery/--no-celery", default=True, help="Workers under Celery, as in production; or without tickets.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides which attempts end how.")
@click.option("--json", "report", type=click.Path(dir_okay=False, path_type=Path), help="Leave the measurements here.")
@click.option("--strict", is_flag=True, help="Exit with 1 when a goal is missed, too.")
def stress(
    models: int,
    batch: int,
    workers: int,
    failures: float,
    deaths: float,
    known: int,
    requests: int,
    seconds_per_job: float,
    lease: float,
    celery: bool,
    seed: int,
    report: Path | None,
    strict: bool,
) -> None:
    """Put a whole farm under load, with workers that only pretend to draw, and print what it carries.

    Starts the farm for the purpose in a temporary folder, and stops it afterwards. Exits with 1 when work was lost or done
    twice.
    """
    run = _Run(models, batch, workers, known, requests, Odds(seed, failures, deaths))
    with stopped_by_sigterm(), Scratch() as room:
        home = room.path
        command = [
            f"--seed={seed}", f"--failures={failures}", f"--deaths={deaths}", f"--seconds-per-job={seconds_per_job}",
            f"--ledger={home / 'ledger'}", "--celery" if celery else "--no-celery",
        ]  # fmt: skip
        with Rig(home, command, lease) as rig:
            findings = _stress(run, rig, home)
    _show(run, findings)
    if report is not None:
        content = {"figures": [measurement.to_json() for measurement in run.measurements], "findings": findings.all}
        report.write_text(json_text(content, indent=2) + "\n")
    missed = any(measurement.met is False for measurement in run.measurements)
    if findings.all or (strict and missed):
        raise SystemExit(1)


def _stress(run: _Run, rig: Rig, home: Path) -> Findings:
    ids = model_ids(run.odds.seed, run.models)
    with _bar("models put into the store", run.models) as advance:
        put_models(rig.store, ids, advance)
    run.say(f"{run.models:,} fake models are in the store")
    batches = _submit(run, rig, ids)
    _work(run, rig)
    with _bar("jobs looked at", None):
        findings = audit(rig.connection, batches, ids, run.odds, home / "ledger")
    run.say(f"{run.models:,} jobs looked at: {len(findings.all)} findings")
    _ask(run, rig, batches)
    return findings


def _submit(run: _Run, rig: Rig, ids: list[str]) -> list[str]:
    before = _memory(rig)
    with _bar("models submitted", run.models) as advance, Onlooker(rig.api_url) as onlooker:
        batches, seconds = submit(rig.api_url, ids, run.batch, onlooker, advance)
    speed = run.models / seconds
    run.say(
        f"{run.models:,} models submitted in {seconds:.1f} s: {speed:,.0f} models/s",
        Measurement("models submitted over REST", speed, "models/s", at_least=measurements.SUBMITTED),
        *_latency("GET /v1/batches/{id} meanwhile", onlooker.batch),
        *_latency("GET /v1/batches meanwhile", onlooker.batches),
    )
    time.sleep(_SETTLE_SECONDS)
    memory = (_memory(rig) - before) / run.models
    run.say(
        f"{memory:,.0f} bytes of Redis' memory a queued job, tickets included",
        Measurement("Redis' memory a queued job", memory, "bytes", at_most=measurements.MEMORY),
    )
    return batches


def _memory(rig: Rig) -> int:
    return int(rig.connection.safely(lambda: rig.connection.redis.info("memory"))["used_memory"])


def _work(run: _Run, rig: Rig) -> None:
    """Let the workers finish everything."""
    store, workers = JobStore(rig.connection), Workers(rig.connection)
    began, used = time.perf_counter(), rig.cpu_seconds()
    course = [(0.0, 0)]
    changed, restarts, drained = began, 0, 0
    with _bar("jobs ended", run.models) as advance:
        rig.start_workers(run.workers)
        while course[-1][1] < run.models:
            time.sleep(_LOOK_SECONDS)
            ended = sum(count for state, count in store.totals().counts.items() if state.ended)
            now = time.perf_counter()
            if ended > course[-1][1]:
                advance(ended - course[-1][1])
                changed = now
            elif now - changed > _STALLED_SECONDS:
                raise ServiceError(
                    f"No job ended for {_STALLED_SECONDS:.0f} s: {run.models - ended} of {run.models} have not ended."
                )
            course.append((now - began, ended))
            restarts += rig.mend()
            # Dice can drain a worker; nobody else is there to put it back.
            for worker in workers.all():
                if worker.drained:
                    workers.resume(worker.name)
                    drained += 1
    speed = measurements.middle_rate(course, run.models)
    run.say(
        f"{run.models:,} jobs ended in {course[-1][0]:.1f} s: {speed:,.0f} jobs/s in the middle 80 %; {restarts} workers "
        f"started again, {drained} drained",
        Measurement("jobs completed", speed, "jobs/s", at_least=measurements.COMPLETED),
        *(
            Measurement(f"processor time a completed job, {name}", 1000 * (seconds - used[name]) / run.models, "ms")
            for name, seconds in rig.cpu_seconds().items()
        ),
    )


def _ask(run: _Run, rig: Rig, batches: list[str]) -> None:
    missing = max(0, run.known - run.models)
    if missing:
        with _bar("ended jobs put in", missing) as advance:
            batches = [*batches, *grow(JobStore(rig.connection), missing, run.batch, advance)]
    known = run.models + missing
    with _bar("requests answered", run.requests) as advance:
        one, many, pages = ask(rig.api_url, batches, run.requests, run.odds.seed, advance)
    run.say(
        f"{len(one.seconds):,} requests for a batch with {known:,} jobs known: "
        f"p50 {1000 * one.quantile(0.5):.1f} ms, p99 {1000 * one.quantile(0.99):.1f} ms",
        *_latency(f"GET /v1/batches/{{id}}, {known:,} jobs known", one, measurements.ANSWERED),
        *_latency("GET /v1/batches", many),
        *_latency("GET /v1/batches/{id}/jobs", pages),
    )


def _latency(name: str, latencies: Latencies, at_most: float | None = None) -> tuple[Measurement, ...]:
    if not latencies.seconds:
        return ()  # one batch, and its submission was over before anybody could look
    goal = None if at_most is None else 1000 * at_most
    return (
        Measurement(f"{name}: p50", 1000 * latencies.quantile(0.5), "ms"),
        Measurement(f"{name}: p99", 1000 * latencies.quantile(0.99), "ms", at_most=goal),
    )


class _bar:  # noqa: N801 - a context manager that reads like a function
    """A progress bar on stderr; gives the function that moves it."""

    def __init__(self, what: str, total: int | None) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=stderr,
            transient=True,
        )
        self._task = self._progress.add_task(what, total=total)

    def __enter__(self) -> Callable[[int], None]:
        self._progress.start()
        return lambda count: self._progress.advance(self._task, count)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def _show(run: _Run, findings: Findings) -> None:
    table = Table("measurement", "value", "goal", "met")
    for column in table.columns[1:3]:
        column.justify = "right"
    for measurement in run.measurements:
        met = {None: "", True: "yes", False: "[red]no[/red]"}[measurement.met]
        table.add_row(measurement.name, f"{measurement.shown} {measurement.unit}", measurement.goal, met)
    for name, found in (("lost", findings.lost), ("repeated", findings.repeated), ("wrong", findings.wrong)):
        table.add_row(f"jobs {name}", str(len(found)), "0", "[red]no[/red]" if found else "yes")
    stdout.print(table)
    for sentence in findings.all[:_SHOWN]:
        note("found", "red", sentence)
