"""Withdraws a model from the whole farm: its jobs, its files and its results go, and it is kept out."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from pydantic import ValidationError

from farm.catalog import Catalog
from farm.dataset.manifest import MANIFEST, result_object
from farm.errors import NotFoundError
from farm.jobs.orders import Order, OrderBook, new_job
from farm.jobs.states import State, job_id
from farm.jobs.states import withdraw as told
from farm.jobs.store import JobStore
from farm.licences.tombstones import Tombstone
from farm.storage import ObjectStore

INSPECTION = "inspection.json"
"""What stands in place of a manifest where pictures to annotate by were drawn."""
_HEAD_BYTES = 4096
"""Of a manifest: its model is named in there."""
_PAGE, _ASKING = 1000, 16
PULSE_SECONDS = 3.0
"""Time for a worker to hear that its job was cancelled, before what it may have stored is removed."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What was taken away."""

    cancelled: int
    """Jobs that had not ended."""
    results: int
    """Results of which anything was there."""


def withdraw(
    stone: Tombstone,
    store: ObjectStore,
    catalog: Catalog,
    book: OrderBook,
    jobs: JobStore,
    pulse: float = PULSE_SECONDS,
) -> Withdrawn:
    """Keep the model of `stone` out, cancel its jobs, and remove it and all its results. May be called again.

    Raises ServiceError when Redis or the store does not answer.
    """
    said = str(catalog.withdraw(stone).error())  # first: from here on nobody can order it
    cancelled, running = 0, False
    keys: set[str] = set()
    for order, place in _orders_of(book, stone.model):
        keys.add(new_job(order.id, place, order.models[place], order.spec).render_key)
        with suppress(NotFoundError):  # history was forgotten, or Redis was lost
            before = jobs.job(job_id(order.id, place))
            after = jobs.change(before.id, partial(told, error=said))
            cancelled += not before.state.ended and after.state is State.CANCELLED
            running = running or before.state.active
    if running:
        time.sleep(pulse)
    results = 0
    for key in sorted(keys | _results_of(store, stone.model)):
        store.delete(result_object(key, MANIFEST))  # where it stands, the result counts
        results += store.delete_all(result_object(key, "")) > 0
    return Withdrawn(cancelled, results)


def _orders_of(book: OrderBook, model: str) -> Iterator[tuple[Order, int]]:
    """Every order with the model, and its place there."""
    for batch in book.ids():
        with suppress(NotFoundError, ValidationError):  # forgotten meanwhile, or damaged: `farm reconcile` names it
            order = book.read(batch)
            for place, ordered in enumerate(order.models):
                if ordered.model == model:
                    yield order, place


def _results_of(store: ObjectStore, model: str) -> set[str]:
    """The keys of all results that name the model: those of batches that the farm has forgotten, too."""
    found, last = set[str](), ""
    with ThreadPoolExecutor(_ASKING) as pool:
        while page := store.folders("renders/", last, _PAGE):
            named = pool.map(partial(_names, store, model), page)
            found |= {key for key, names in zip(page, named, strict=True) if names}
            last = page[-1]
    return found


def _names(store: ObjectStore, model: str, key: str) -> bool:
    for file in (MANIFEST, INSPECTION):
        with suppress(NotFoundError):
            return model.encode() in b"".join(store.stream(result_object(key, file), 0, _HEAD_BYTES))
    return False
