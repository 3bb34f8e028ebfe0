"""Commands for the operator: who works, and who is to stop."""

import click
from rich.table import Table
from rich.text import Text

from farm.cli.console import stdout
from farm.cli.remote import remote
from farm.client import FarmClient, WorkerView
from farm.wording import clean

_BY_HAND = "An operator drained it."


@click.command()
@remote
def workers(client: FarmClient) -> None:
    """List the workers: what they do, what they have done, and who gets no jobs."""
    found = client.workers()
    if not found:
        stdout.print("No worker was heard of within a day; `farm worker` is one, `farm up` has some.", markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("worker", "state", "jobs", "done", "lost", "blamed", "draws with", "at"):
        number = heading in ("jobs", "done", "lost", "blamed")
        table.add_column(heading, justify="right" if number else "left", no_wrap=heading == "worker")
    for worker in found:
        at = ", ".join(f"{job.id} {job.images_done}/{job.images_total}" for job in worker.jobs)
        table.add_row(
            Text(clean(worker.name)),
            _standing(worker),
            f"{len(worker.jobs)}/{worker.concurrency}",
            str(worker.done),
            str(worker.lost),
            str(worker.blamed),
            Text(clean(worker.renderer)),
            Text(clean(at)),
        )
    stdout.print(table)


def _standing(worker: WorkerView) -> Text:
    if not worker.alive:
        return Text(f"silent for {worker.seen_seconds:.0f} s", style="red")
    if worker.drained:
        return Text(clean(f"drained: {worker.drained}"), style="yellow")
    return Text("works" if worker.jobs else "waits")


def drain_by_name(url: str, name: str, undo: bool) -> None:
    """Give a worker no more jobs, or jobs again; `farm drain NAME`."""
    from farm.cli.remote import connect

    with connect(url) as client:
        worker = client.resume_worker(name) if undo else client.drain_worker(name, _BY_HAND)
    left = f"; it finishes {len(worker.jobs)} first" if worker.jobs and worker.drained else ""
    word = "gets no more jobs" if worker.drained else "gets jobs again"
    stdout.print(f"{clean(worker.name)} {word}{left}", markup=False, soft_wrap=True)
