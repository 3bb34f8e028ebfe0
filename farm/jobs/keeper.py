"""Keeps the farm going: whatever a crash left undone, a round of the keeper does.

A round takes jobs back from workers that fell silent, and sees to it that workers are woken for the jobs that wait. Any
number of processes may run one; a mark in Redis lets one at a time do the round, and nothing breaks if two do, since every
step is atomic and can be repeated. Who may change what was ordered also keeps house, under a mark of its own: old history is
forgotten. A worker may not, and it must not be in the way of those that may.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from farm import logs, metrics
from farm.errors import ConflictError, FarmError, NotFoundError
from farm.jobs.connection import Connection
from farm.jobs.orders import OrderBook
from farm.jobs.queue import Queue
from farm.jobs.states import WORKER_LOST, Job, StaleAttempt, State, hand_back, lose
from farm.jobs.store import JobStore
from farm.jobs.workers import Workers

log = logging.getLogger(__name__)
ROUND_SECONDS = 1.0
_MARK, _HOUSE_MARK = "farm:keeper", "farm:housekeeper"
_MARK_SECONDS = 3
_TICKETS = 1000
"""Tickets on the queue at most: as many jobs can begin between two rounds."""
_OVERDUE_AT_ONCE = 1000
_PRUNE_ROUNDS = 60
_PRUNED_AT_ONCE = 200
_DAY = 86_400.0


class Tickets(Protocol):
    """The queue that wakes workers. A ticket names no job: whoever gets it asks `Queue.take` for one.

    So a ticket lost costs nothing (the keeper issues another) and a ticket too many does nothing.
    """

    def issue(self, count: int) -> None:
        """Wake workers for `count` jobs."""

    def pending(self) -> int:
        """Tickets that no worker has taken."""


def hand_back_all(connection: Connection) -> int:
    """Take every job back from its worker, for a farm that starts anew and has none; how many."""
    jobs, queue = JobStore(connection), Queue(connection)
    leased = queue.leased()
    for job_id in leased:
        try:
            _hand_back(jobs, jobs.job(job_id))
        except (NotFoundError, StaleAttempt):
            queue.put_back(job_id)
    return len(leased)


def _hand_back(jobs: JobStore, job: Job) -> None:
    at = jobs.now()
    jobs.change(job.id, lambda j: hand_back(j, job.attempt, "farm-restarted", "The farm was stopped.", at))


class Keeper:
    """Does rounds, in a thread of its own after `start`."""

    def __init__(
        self,
        connection: Connection,
        book: OrderBook | None,
        tickets: Tickets,
        history_days: float,
        name: str,
        chores: Sequence[Callable[[], object]] = (),
    ) -> None:
        """`book` None: it does not keep house. `chores` are done now and then, as often as history is forgotten."""
        self._connection = connection
        self._jobs, self._queue, self._workers = JobStore(connection), Queue(connection), Workers(connection)
        self._book = book
        self._tickets = tickets
        self._history_seconds = history_days * _DAY
        self._name = name
        self._chores = chores
        self._rounds = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Do rounds until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        trouble = ""
        while not self._stop.wait(ROUND_SECONDS):
            try:
                if self._mine(_MARK):
                    self.round()
                if self._book is not None and self._mine(_HOUSE_MARK):
                    self.keep_house()
                if trouble:
                    log.warning("the keeper goes on")
                trouble = ""
            except FarmError as error:
                if str(error) != trouble:  # once, not once a second
                    log.warning("the keeper cannot work: %s", error)
                trouble = str(error)
            except Exception:
                # The last guard of the farm must not end by a bug in one of its steps.
                log.exception("a round of the keeper broke down")

    def _mine(self, mark: str) -> bool:
        redis = self._connection.redis

        def ask() -> bool:
            if redis.set(mark, self._name, nx=True, ex=_MARK_SECONDS):
                return True
            if redis.get(mark) != self._name:
                if redis.ttl(mark) > _MARK_SECONDS:  # Redis' clock went back: whoever it names may be long dead
                    redis.delete(mark)
                return False
            redis.expire(mark, _MARK_SECONDS)
            return True

        return self._connection.safely(ask)

    def round(self) -> None:
        """Do what cannot wait."""
        self.reap()
        self.wake()

    def keep_house(self) -> None:
        """Forget what is over, once in a while: most calls do nothing."""
        self._rounds += 1
        if self._rounds % _PRUNE_ROUNDS == 1:
            self.prune()
            for chore in self._chores:
                chore()

    def reap(self) -> int:
        """Take back the jobs whose leases have run out; how many."""
        overdue = self._queue.overdue(_OVERDUE_AT_ONCE)
        for job_id in overdue:
            try:
                job = self._jobs.job(job_id)
                if job.state.active:
                    self._take_back(job)
                else:
                    self._queue.put_back(job_id)  # handed out, never claimed; or a lease that nobody needs
            except NotFoundError:
                self._queue.put_back(job_id)
            except StaleAttempt:
                continue  # its worker spoke after all
        return len(overdue)

    def _take_back(self, job: Job) -> None:
        at = self._connection.now()
        sentence = f"Worker {job.worker} fell silent; it was killed, cut off, or its machine is gone."
        with logs.within(batch=job.batch, job=job.id, attempt=job.attempt):
            self._lost(job, sentence, at)

    def _lost(self, job: Job, sentence: str, at: float) -> None:
        after = self._jobs.change(job.id, lambda j: lose(j, job.attempt, WORKER_LOST, sentence, at))
        self._workers.lost(job.worker)
        metrics.LOST.inc(WORKER_LOST)
        if after.state is State.QUARANTINED:
            metrics.MODELS.inc("quarantined")
        log.warning("job %s was lost with worker %s (attempt %d): %s", job.id, job.worker, job.attempt, after.state)

    def wake(self) -> None:
        """Issue tickets for jobs that wait and have none."""
        missing = self._queue.waiting(_TICKETS) - self._tickets.pending()
        if missing > 0:
            self._tickets.issue(missing)

    def prune(self) -> int:
        """Forget ended batches and workers of long ago; how many batches. Results are not touched."""
        self._workers.forget_old()
        horizon = self._connection.time() - self._history_seconds
        count = 0
        for batch in self._jobs.ended_before(horizon, _PRUNED_AT_ONCE):
            try:
                self._jobs.remove_batch(batch)
                count += 1
            except (ConflictError, NotFoundError):
                continue  # retried, or pruned, by somebody else at this moment
        # In a step of its own, so that a crash or a store that is away leaves no order that would come back to life.
        assert self._book is not None
        for batch in self._jobs.removed():
            if not self._jobs.has_batch(batch):
                self._book.remove(batch)
            self._jobs.forget_removed(batch)
        return count
