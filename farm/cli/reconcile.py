"""The command for the operator whose Redis is lost."""

import click
from rich.progress import Progress, SpinnerColumn, TextColumn

from farm.cli.console import note, stderr, stdout
from farm.jobs.connection import Connection
from farm.jobs.reconcile import reconcile as rebuild
from farm.jobs.store import JobStore
from farm.settings import Settings
from farm.storage import open_store
from farm.wording import counted


@click.command()
def reconcile() -> None:
    """Make every batch again that Redis does not know, from the object store; what has its pictures is done.

    Uses FARM_REDIS_URL and FARM_STORAGE_URL. May run while the farm works, and again after it was interrupted. The exit
    code is 1 when an order is damaged.
    """
    settings = Settings()
    store, jobs = open_store(settings), JobStore(Connection(settings.redis_url))
    jobs.check()
    columns = (
        SpinnerColumn(),
        TextColumn("looking at batch"),
        TextColumn("{task.completed}"),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task("", total=None)
        found = rebuild(store, jobs, lambda batch: bar.update(task, advance=1, description=batch))
    for batch in found.damaged:
        note("damaged", "red", f"The order batches/{batch}/order.json cannot be read; submit that batch again.")
    stdout.print(
        f"{counted(found.known, 'batch', 'batches')} known, {found.rebuilt} rebuilt ({counted(found.done, 'job')} done, "
        f"{found.queued} queued), "
        f"{len(found.damaged)} damaged",
        markup=False,
        soft_wrap=True,
    )
    if found.damaged:
        raise SystemExit(1)
