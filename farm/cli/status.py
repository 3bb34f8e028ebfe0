"""Commands to look at batches and jobs: how far they are, and why some of them went wrong."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import islice

import click
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from farm.cli.console import say, say_json, stdout
from farm.cli.remote import batch_id, job_id, remote
from farm.client import BatchView, FarmClient, JobView
from farm.errors import WithdrawnModelError
from farm.jobs.states import RETRIABLE, State
from farm.wording import clean, clean_lines, counted, duration

_BAR_WIDTH = 20
_SHOWN_JOBS = 20
_LOOKED_AT = 1000
"""Jobs that are looked at for a summary; a batch can have ten thousand."""
_WITHDRAWN = WithdrawnModelError.code
_ACTIVE = tuple(state for state in State if state.active)


@click.command()
@click.argument("batch", required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object; without BATCH, one a line.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Batches in the table.")
@remote
def status(client: FarmClient, batch: str | None, as_json: bool, limit: int) -> None:
    """Show the newest batches, or how far BATCH is, what went wrong in it, and what is not done."""
    if batch is None:
        newest = list(islice(client.batches(), limit))
        if as_json:
            for one in newest:
                say_json(one.model_dump(mode="json", exclude={"replayed"}))
        elif newest:
            stdout.print(_table(newest))
        else:
            say("There is no batch yet; `farm submit PATH...` makes one.")
        return
    found = client.batch(batch_id(client, batch))
    bad = list(islice(client.jobs(found.id, RETRIABLE), _LOOKED_AT)) if found.count(RETRIABLE) else []
    gone = _withdrawn_since(client, found, bad)
    busy = list(islice(client.jobs(found.id, _ACTIVE), _LOOKED_AT)) if found.count(_ACTIVE) else []
    waiting = list(islice(client.jobs(found.id, [State.QUEUED]), _SHOWN_JOBS)) if found.count([State.QUEUED]) else []
    if as_json:
        values = found.model_dump(mode="json", exclude={"replayed"})
        jobs = {"failed_jobs": bad, "withdrawn_jobs": gone, "running_jobs": busy}
        values |= {name: [job.model_dump(mode="json") for job in some] for name, some in jobs.items()}
        say_json(values)
        return
    _numbers(found)
    _failures(found, [*bad, *gone])
    _not_done(found, [*busy, *waiting][:_SHOWN_JOBS])


def _withdrawn_since(client: FarmClient, batch: BatchView, bad: list[JobView]) -> list[JobView]:
    """The jobs that were done before their model was withdrawn."""
    count = batch.errors.get(_WITHDRAWN, 0) - sum(job.error_code == _WITHDRAWN for job in bad)
    if count <= 0:
        return []
    done = (job for job in client.jobs(batch.id, [State.DONE]) if job.error_code == _WITHDRAWN)
    return list(islice(done, min(count, _LOOKED_AT)))


def _table(batches: Iterable[BatchView]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, side in (
        ("batch", "left"), ("name", "left"), ("state", "left"), ("", "left"), ("%", "right"), ("images", "right"),
        ("images/s", "right"), ("ETA", "right"), ("failed", "right"),
    ):  # fmt: skip
        table.add_column(heading, justify="right" if side == "right" else "left", no_wrap=heading != "name")
    for batch in batches:
        failed, gone = batch.count(RETRIABLE), batch.errors.get(_WITHDRAWN, 0)
        table.add_row(
            batch.id,
            Text(clean(batch.name)),
            _standing(batch) + (f", {gone} withdrawn" if gone else ""),
            ProgressBar(max(1, batch.images_total), batch.images_done, _BAR_WIDTH),
            str(_percent(batch)),
            f"{batch.images_done}/{batch.images_total}",
            f"{batch.rate:.0f}" if batch.rate and not batch.ended else "",
            _duration(batch.eta_seconds),
            Text(str(failed), style="red") if failed else "",
        )
    return table


def _standing(batch: BatchView) -> str:
    if batch.ended:
        return "ended"
    if batch.paused:
        return "paused"
    return "running" if batch.count(_ACTIVE) else "queued"


def _percent(batch: BatchView) -> int:
    return 100 * batch.images_done // max(1, batch.images_total)


def _duration(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)


def _numbers(batch: BatchView) -> None:
    jobs = ", ".join(f"{count} {state}" for state, count in batch.jobs.items() if count)
    pace = f", {batch.rate:.0f} a second" if batch.rate and not batch.ended else ""
    left = f", {_duration(batch.eta_seconds)} left" if batch.eta_seconds is not None else ""
    say(f"batch     {batch.id}  {batch.name}")
    say(f"state     {_standing(batch)}, priority {batch.priority}, submitted {batch.created}")
    say(f"images    {batch.images_done} of {batch.images_total} ({_percent(batch)} %){pace}{left}")
    say(f"jobs      {jobs}")


def _failures(batch: BatchView, bad: list[JobView]) -> None:
    if not bad:
        return
    groups: defaultdict[str, list[JobView]] = defaultdict(list)
    for job in bad:
        groups[job.error_code or job.state].append(job)
    say("failures")
    for reason, jobs in sorted(groups.items(), key=lambda group: -len(group[1])):
        count = max(len(jobs), batch.errors.get(reason, 0))
        say(f"  {count:>5}  {reason}: {jobs[0].error or 'taken back by a user'}")
        for job in jobs[:_SHOWN_JOBS]:
            say(f"         {job.id}  {job.name}  ({job.state})")
        if count > _SHOWN_JOBS:
            say(f"         ... and {count - _SHOWN_JOBS} more")
    retriable = [job for job in bad if job.error_code != _WITHDRAWN]
    if not retriable:
        return
    again = "" if any(job.state is not State.CANCELLED for job in retriable) else " --cancelled"
    say(f"`farm logs JOB` shows what Blender said, `farm retry {batch.id}{again}` tries them again.")


def _not_done(batch: BatchView, jobs: list[JobView]) -> None:
    if not jobs:
        return
    say("not done")
    for job in jobs:
        at = (
            f"at {job.worker}, attempt {job.attempt}"
            if job.state.active
            else f"after {counted(job.attempt, 'attempt')}"
        )
        where = at if job.attempt else ""
        say(f"  {job.id}  {job.state:<9}  {job.images_done}/{job.images_total}  {job.name}  {where}".rstrip())
    more = sum(count for state, count in batch.jobs.items() if not state.ended) - len(jobs)
    if more > 0:
        say(f"  ... and {more} more")


@click.command()
@click.argument("job")
@remote
def logs(client: FarmClient, job: str) -> None:
    """Show what became of the attempts on JOB, and the end of Blender's log of the last one that ended badly."""
    found = client.job(job_id(client, job))
    say(f"job {found.id}  {found.name}  {found.state}, {found.images_done} of {counted(found.images_total, 'image')}")
    if found.error:
        say(f"{found.error_code}: {found.error}")
    for warning in found.warnings:
        say(f"warning: {warning}")
    for attempt in found.attempts:
        counts = "" if attempt.counted else " (does not count)"
        say(f"attempt {attempt.number}  {attempt.at}  {attempt.worker}  {attempt.code}{counts}: {attempt.error}")
    if log := client.log(found.id):
        say("Blender's last words:")
        stdout.print(clean_lines(log.rstrip("\n")), markup=False, soft_wrap=True)
    elif not found.error:
        say("Blender left no log: nothing went wrong, or it ended without a word.")
