"""Follows one batch to its end.

Events say when something has changed, the API's own numbers say what: so nothing hangs on a single event, and where a
proxy lets no stream through, the batch is asked for every two seconds instead.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import batched
from types import TracebackType
from typing import Self

from farm.client.events import EventStream
from farm.client.views import ENDED, BatchView, JobView
from farm.errors import FarmError
from farm.jobs.states import State

_TICK_SECONDS = 0.25
"""Between two questions, however fast events come: on one machine, each takes time from the drawing."""
_MOST_SECONDS = 2.0
"""Between two questions without events: the rate changes by itself, and events may not come through."""
_LISTING_SECONDS = 5.0
"""Between two listings of the ended jobs, for those that no event told of."""
_TOGETHER = 50
"""Jobs in one update at most."""


@dataclass(frozen=True, slots=True)
class Update:
    """How far a batch is."""

    batch: BatchView
    ended: tuple[JobView, ...]
    """Jobs that ended since the last update, if they were asked for. One that was retried meanwhile comes again."""


class Source:
    """What following a batch needs of the API."""

    def __init__(
        self,
        batch: Callable[[], BatchView],
        jobs: Callable[[Iterable[State]], Iterator[JobView]],
        job: Callable[[str], JobView],
        events: Callable[[], EventStream],
    ) -> None:
        self.batch, self.jobs, self.job, self.events = batch, jobs, job, events


def watch(source: Source, with_jobs: bool) -> Iterator[Update]:
    """Updates several times a second until the batch has ended; the last one has ``batch.ended``."""
    known: dict[str, _End] = {}  # the ended jobs that were told
    asked = listed = float("-inf")
    with _Feed(source.events) as feed:
        present = source.batch()
        while True:
            news = feed.take()
            now = time.monotonic()
            if news.changed or now - asked >= _MOST_SECONDS:
                present, asked = source.batch(), now
            yield Update(present, ())
            if with_jobs:
                _forget_retried(known, news.jobs)
                fresh = [job for job, seen in news.jobs.items() if seen.state in ENDED and known.get(job) != seen]
                yield from _updates(present, map(source.job, fresh), known)
                late = present.count(ENDED) > len(known)
                if late and (present.ended or now - listed >= _LISTING_SECONDS):
                    missed = (job for job in source.jobs(ENDED) if known.get(job.id) != _end(job))
                    yield from _updates(present, missed, known)
                    listed = now
            if present.ended:
                return
            feed.wait()


@dataclass(frozen=True, slots=True)
class _End:
    """How a job was seen; mostly, how it ended."""

    state: State
    attempt: int


def _end(job: JobView) -> _End:
    return _End(job.state, job.attempt)


def _forget_retried(known: dict[str, _End], seen: Mapping[str, _End]) -> None:
    """Forget the ends of jobs that run again. What was told may be newer than what is seen: then it stays."""
    for job, now in seen.items():
        if (end := known.get(job)) is None or now.state in ENDED or now.attempt < end.attempt:
            continue
        if now.attempt > end.attempt or now.state is State.QUEUED:
            del known[job]


def _updates(batch: BatchView, jobs: Iterator[JobView], known: dict[str, _End]) -> Iterator[Update]:
    for some in batched(jobs, _TOGETHER, strict=False):
        ended = tuple(job for job in some if job.state in ENDED)  # one may be retried since the event
        known |= {job.id: _end(job) for job in ended}
        yield Update(batch, ended)


@dataclass(frozen=True, slots=True)
class _News:
    changed: bool
    jobs: dict[str, _End]
    """The jobs that changed, by id, as they were seen last."""


class _Feed:
    """Reads the events in a thread of its own, so that whoever watches is never stuck in a silent connection."""

    def __init__(self, events: Callable[[], EventStream]) -> None:
        self._stream = events()
        self._lock = threading.Lock()
        self._changed = False
        self._over = threading.Event()
        self._jobs: dict[str, _End] = {}
        self._thread = threading.Thread(target=self._read, name="events", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._stream.opened.wait(_TICK_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()  # the thread ends by that; nobody needs to wait for it

    def wait(self) -> None:
        """For a tick, or until the batch has ended."""
        self._over.wait(_TICK_SECONDS)
        self._over.clear()  # it may be reopened

    def take(self) -> _News:
        """What happened since it was asked last."""
        with self._lock:
            news = _News(self._changed, self._jobs)
            self._changed = False
            self._jobs = {}
        return news

    def _read(self) -> None:
        try:
            for event in self._stream:
                with self._lock:
                    if event.kind == "job":
                        self._jobs[event.data["job"]] = _End(State(event.data["state"]), event.data["attempt"])
                    self._changed = True
                if event.is_last:
                    self._over.set()
        except (FarmError, KeyError, ValueError):
            return  # no stream that we understand comes through; whoever watches asks for the batch instead
