"""Turns a list of models and a specification into a batch of jobs, and changes what becomes of a batch.

Orders are written to the object store first, so that whatever Redis has can be made again (`farm.jobs.reconcile`).
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from farm import logs
from farm.annotations.annotations import Annotations
from farm.catalog import Catalog, unknown_background, unknown_motion
from farm.errors import AllowanceError, ConflictError, ServiceError, SpecError, WithdrawnModelError
from farm.jobs import states
from farm.jobs.allowances import BYTES, Allowance, Memory, check_sizes, taken_by
from farm.jobs.batches import PRIORITIES, Batch, BatchRecord, Webhook
from farm.jobs.orders import OrderBook, OrderedModel, Standing, order_of
from farm.jobs.queue import Queue
from farm.jobs.states import WENT_WRONG, State
from farm.jobs.store import JobStore, new_id, text_of, utc_now
from farm.morphs.annotation import MappingTable
from farm.spec import RenderSpec

log = logging.getLogger(__name__)
MAX_MODELS = 10_000
"""Models in one batch."""
_ASKING = 16
"""Questions to the store at a time."""
_READING = 4
"""Annotations read at a time. More threads would keep others that want the interpreter from it: whoever asks the API for a
batch meanwhile changes threads some ten times, and may wait for all of these each time."""
_WOKEN = 64
"""Workers woken at once by a submission; the keeper wakes the others within a second."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of a batch and the label that its results carry for people."""

    model: str
    name: str


@dataclass(frozen=True, slots=True)
class Request:
    """What a user wants rendered."""

    entries: Sequence[Entry]
    spec: RenderSpec
    table: MappingTable | None = None
    name: str = ""
    priority: int = 0
    paused: bool = False
    webhook: Webhook | None = None
    idempotency_key: str = ""
    """The user's own name for this request, made unique among users; empty: every request is another batch."""
    fingerprint: str = ""
    """Hash of the request, to be compared when the idempotency key comes again."""
    owner: str = ""
    """The name of the key that asks."""
    bound: bool = False
    """Whether the owner may have no more than one user may (`farm.jobs.allowances`)."""
    preview: bool = False


class IdempotencyError(ConflictError):
    """The idempotency key was used for another request."""

    code = "idempotency-key-reused"


class BatchControl:
    """What users do with batches: order them, and change their minds.

    Every method raises ServiceError when Redis or the store does not answer.
    """

    def __init__(
        self,
        catalog: Catalog,
        annotations: Annotations,
        book: OrderBook,
        jobs: JobStore,
        queue: Queue,
        wake: Callable[[int], None],
        memory: Memory,
        preview_pixels: int,
    ) -> None:
        """`preview_pixels`: the price of a bound user's previews that are not drawn yet."""
        self._catalog, self._annotations, self._book = catalog, annotations, book
        self._jobs, self._queue, self._wake = jobs, queue, wake
        self._memory, self._preview_pixels = memory, preview_pixels

    def submit(self, request: Request) -> tuple[Batch, bool]:
        """Make a batch: annotate every model, keep the order, store the jobs, wake workers.

        Returns the batch and whether it is new: under an idempotency key that was used before, it is the batch of
        then. Raises NotFoundError for an unknown model, background or motion, SpecError for a list that is empty, too long or
        has a model twice or a job that is too large, IdempotencyError when the key stands for another request,
        AllowanceError when the owner has too much, FullError when all have.
        """
        batch_id = _batch_id(request.idempotency_key)
        if request.idempotency_key and self._jobs.has_batch(batch_id):
            return self._known(batch_id, request), False
        _check(request)
        _check_backgrounds(request.spec, self._catalog)
        _check_motion(request.spec, self._catalog)
        return self._placed(batch_id, request, self._annotated(request))

    def submit_pictures(self, name: str, spec: RenderSpec, models: Sequence[OrderedModel], key: str) -> Batch:
        """Make a batch that draws the pictures by which people annotate `models`, before everything else that waits.

        Each of them says how many pictures it has and what they are called. Under a `key` that was used before, it is the
        batch of then.
        """
        request = Request((), spec, name=name, priority=PRIORITIES.stop - 1, idempotency_key=key)
        batch_id = _batch_id(key)
        if self._jobs.has_batch(batch_id):
            return self._jobs.batch(batch_id)
        return self._placed(batch_id, request, models)[0]

    def _placed(self, batch_id: str, request: Request, models: Sequence[OrderedModel]) -> tuple[Batch, bool]:
        record = BatchRecord(request.name, request.spec, utc_now(), request.fingerprint, request.webhook)
        record = replace(record, owner=request.owner, preview=request.preview)
        standing = Standing(priority=request.priority, paused=request.paused)
        wanted = order_of(batch_id, record, models, standing)
        jobs = wanted.jobs()
        texts = [text_of(job) for job in jobs]
        check_sizes(jobs, texts)
        self._memory.check(taken_by(record, jobs, texts)[BYTES])
        # Under an idempotency key there may be an order already: of the same request at the same time, or before a crash.
        order = self._book.write(wanted)
        _check_same(batch_id, order.request, request)
        jobs = jobs if order is wanted else order.jobs()
        allowance = self._memory.allowance(self._preview_pixels) if request.bound else Allowance()
        try:
            new = self._jobs.add_batch(batch_id, order.record, jobs, request.priority, request.paused, allowance)
        except AllowanceError:
            self._book.remove(batch_id)  # or the next reconciliation would make it all the same
            raise
        if not new:
            return self._known(batch_id, request), False
        with logs.within(batch=batch_id):
            log.info(
                "batch '%s' of %d jobs was submitted by %s", request.name, len(jobs), request.owner or "nobody named"
            )
        if not request.paused:
            self._wake_some(len(jobs))
        return self._jobs.batch(batch_id), True

    def _known(self, batch_id: str, request: Request) -> Batch:
        batch = self._jobs.batch(batch_id)
        _check_same(batch_id, batch.record.request, request)
        return batch

    def _wake_some(self, jobs: int) -> None:
        try:
            self._wake(min(jobs, _WOKEN))
        except ServiceError as error:  # what was asked for is done; the keeper wakes them a moment later
            log.warning("no worker is woken: %s", error)

    def _annotated(self, request: Request) -> list[OrderedModel]:
        known = self._annotations.known([entry.model for entry in request.entries])

        def one(entry: Entry) -> OrderedModel:
            annotation, provenance = self._annotations.ordered(
                entry.model, request.spec, request.table, entry.model in known
            )
            return OrderedModel(model=entry.model, name=entry.name, annotation=annotation, provenance=provenance)

        with ThreadPoolExecutor(_READING) as pool:  # each is a question to the store
            return list(pool.map(one, request.entries))

    def cancel(self, batch: str) -> Batch:
        """Cancel every job of the batch that has not ended. Workers notice within a second. Raises NotFoundError."""
        self._jobs.batch(batch)
        self._note(batch, cancelled=True, wanted=())
        self._jobs.change_all(batch, states.cancel)
        return self._jobs.batch(batch)

    def set_paused(self, batch: str, paused: bool) -> Batch:
        """Stop the batch's jobs, or let them go on; what is drawn is kept. Raises NotFoundError."""
        self._jobs.batch(batch)
        self._note(batch, paused=paused)
        self._queue.set_paused(batch, paused)
        if not paused:
            self._wake_some(_WOKEN)
        return self._jobs.batch(batch)

    def set_priority(self, batch: str, priority: int) -> Batch:
        """Change which batches go first. Raises NotFoundError, and SpecError outside `PRIORITIES`."""
        _check_priority(priority)
        self._jobs.batch(batch)
        self._note(batch, priority=priority)
        self._queue.set_priority(batch, priority)
        return self._jobs.batch(batch)

    def retry(self, batch: str, which: frozenset[State] = frozenset(WENT_WRONG)) -> int:
        """Try the batch's jobs in the states `which` again; how many there were. Raises NotFoundError."""
        self._note_wanted(batch, [job.index for job in self._jobs.jobs(batch, states=which)])
        count = self._jobs.change_all(batch, lambda job: states.retry(job) if job.state in which else job)
        self._wake_some(count)
        return count

    def retry_job(self, job: str) -> states.Job:
        """Try one job again that failed, was quarantined or cancelled. Raises NotFoundError, WithdrawnModelError, and
        ConflictError for others."""

        def again(present: states.Job) -> states.Job:
            after = states.retry(present)
            if present.withdrawn:
                raise WithdrawnModelError(present.error)
            if after == present:
                raise ConflictError(
                    f"Job {job} is {present.state}; only failed, quarantined or cancelled ones are retried."
                )
            return after

        present = self._jobs.job(job)
        again(present)
        self._note_wanted(present.batch, [present.index])
        changed = self._jobs.change(job, again)
        self._wake_some(1)
        return changed

    def _note_wanted(self, batch: str, places: Sequence[int]) -> None:
        """Jobs of a batch are asked for again: if it was cancelled, that holds for the others only."""
        standing = self._book.standing(batch)
        if standing.cancelled:
            self._note(batch, wanted=tuple(sorted({*standing.wanted, *places})))

    def _note(self, batch: str, **changes: object) -> None:
        standing = self._book.standing(batch)
        changed = Standing.model_validate({**standing.model_dump(), **changes})
        if changed != standing:
            self._book.stand(batch, changed)


def _batch_id(idempotency_key: str) -> str:
    """Keys give ids by hashing: two requests under one key cannot make two batches, whenever and wherever they come."""
    if not idempotency_key:
        return new_id()
    return hashlib.sha256(b"batch\0" + idempotency_key.encode()).hexdigest()[:16]


def _check_same(batch_id: str, fingerprint: str, request: Request) -> None:
    if fingerprint != request.fingerprint:
        raise IdempotencyError(
            f"This idempotency key stands for another request, which made batch {batch_id}. Use a new key for a new one."
        )


def _check(request: Request) -> None:
    entries = request.entries
    if not entries:
        raise SpecError("The batch has no models; name at least one.")
    if len(entries) > MAX_MODELS:
        raise SpecError(f"The batch has {len(entries)} models, over the limit of {MAX_MODELS}; split it.")
    if len({entry.model for entry in entries}) < len(entries):
        raise SpecError("The batch names a model twice; its pictures would be the same. Name it once.")
    _check_priority(request.priority)


def _check_priority(priority: int) -> None:
    if priority not in PRIORITIES:
        raise SpecError(f"{priority} is no priority; use {PRIORITIES.start} (last) to {PRIORITIES.stop - 1} (first).")


def _check_motion(spec: RenderSpec, catalog: Catalog) -> None:
    if spec.motion is not None and not catalog.has_motion(spec.motion.id):
        raise unknown_motion(spec.motion.id)


def _check_backgrounds(spec: RenderSpec, catalog: Catalog) -> None:
    with ThreadPoolExecutor(_ASKING) as pool:  # there can be thousands, and each is a question to the store
        for background, there in zip(spec.backgrounds, pool.map(catalog.has_background, spec.backgrounds), strict=True):
            if not there:
                raise unknown_background(background)
