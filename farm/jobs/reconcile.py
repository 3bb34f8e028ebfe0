"""Rebuilds Redis from the object store: after a total loss of Redis, every order is a batch again, and done is what has a
manifest. Jobs that had failed are tried again, since the store does not say that they failed. A batch that had ended has
ended again: its webhook is told unless the store says that it was.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from pydantic import ValidationError

from farm.catalog import Catalog
from farm.dataset.manifest import MANIFEST, read_manifest, result_object
from farm.errors import NotFoundError, StorageError, WithdrawnModelError
from farm.jobs.orders import Order, OrderBook, Standing
from farm.jobs.states import Job, State, cancel, with_samples, withdraw
from farm.jobs.store import JobStore
from farm.storage import ObjectStore

_ASKING = 16
"""Questions to the store at a time."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was found and done."""

    known: int
    """Batches that Redis has."""
    rebuilt: int
    """Batches that it had lost."""
    done: int
    """Jobs of these whose manifest is in the store."""
    queued: int
    """Jobs of these that are to be rendered."""
    damaged: tuple[str, ...]
    """Orders that could not be read."""


def reconcile(store: ObjectStore, jobs: JobStore, on_batch: Callable[[str], None] = lambda batch: None) -> Reconciled:
    """Make a batch of every order that Redis does not know, calling `on_batch` for each that is looked at.

    May run while the farm works, and again after it was interrupted: a batch appears as a whole or not at all.
    """
    book = OrderBook(store)
    known = rebuilt = done = queued = 0
    damaged: list[str] = []
    lost: list[tuple[str, str]] = []
    for batch in book.ids():
        on_batch(batch)
        if jobs.has_batch(batch):
            known += 1
            continue
        try:
            order = book.read(batch)
            book.standing_of(order)
            lost.append((order.created, batch))
        except ValidationError:
            damaged.append(batch)
        except NotFoundError:
            continue  # what is left of a batch that was forgotten
    for _, batch in sorted(lost):
        order = book.read(batch)  # again: all orders of a farm together would fill the memory
        standing = book.standing_of(order)
        with ThreadPoolExecutor(_ASKING) as pool:
            found = list(pool.map(partial(_as_found, store=store, order=order, standing=standing), order.jobs()))
        told = book.told(order.id) if order.webhook else None
        if jobs.add_batch(order.id, order.record, found, standing.priority, standing.paused, told=told):
            rebuilt += 1
            done += sum(job.state is State.DONE for job in found)
            queued += sum(job.state is State.QUEUED for job in found)
        else:
            known += 1
    return Reconciled(known, rebuilt, done, queued, tuple(damaged))


def _as_found(job: Job, store: ObjectStore, order: Order, standing: Standing) -> Job:
    manifest = result_object(job.render_key, MANIFEST)
    if store.exists(manifest):
        # Fewer, where its pictures do not show all targets.
        if order.spec.samples == "auto" and job.samples > order.spec.space.file.samples.few:
            with suppress(StorageError):  # of another version: done all the same
                job = with_samples(job, read_manifest(store.get(manifest), manifest).samples)
        return replace(job, state=State.DONE, images_done=job.images_total)
    try:
        Catalog(store).check_admitted(job.model)
    except WithdrawnModelError as error:
        return withdraw(job, str(error))
    return cancel(job) if standing.cancels(job.index) else job
