"""One turn of a worker: take a job, claim it, render it, and say how it ended.

Every outcome is written to the job's record. Nothing here knows Celery or Blender: what renders is given.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from farm import logs, metrics
from farm.drawing.render import Interrupted
from farm.errors import (
    BlenderStartError,
    FarmError,
    MappingError,
    ModelError,
    MotionError,
    NotFoundError,
    RenderError,
    ServiceError,
    StorageError,
)
from farm.jobs import states
from farm.jobs.keeper import ROUND_SECONDS
from farm.jobs.queue import Queue, Taken
from farm.jobs.states import Job, StaleAttempt, State, Work
from farm.jobs.store import JobStore
from farm.jobs.workers import MAX_BLAME, Workers
from farm.spec import RenderSpec
from farm.worker.heart import DrawingProcess, Heart
from farm.worker.pacing import Pacing
from farm.worker.telling import Teller

log = logging.getLogger(__name__)
_REPORT_SECONDS = 0.5
_AVOID_SECONDS = 60.0
"""A job that broke down here is left to other workers for so long."""
_AVOID_WAIT = 2.0
_KEEPER_SECONDS = 2 * ROUND_SECONDS
"""Within this a job that may be handed out has its ticket."""
_CLAIM_SHARE = 1 / 2
"""Of a lease: for so long a job that was handed out is claimed; then it may be handed to another."""
_CLAIM_AGAIN_SECONDS = 0.2
_MAX_REST_SECONDS = 30.0
_AWAKE_SECONDS = 1.0
"""How long a ticket keeps a worker asking for jobs. Real jobs take longer, so that theirs is one ticket each; thousands that
were rendered before take milliseconds, less than a ticket costs."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is to be told of a result that is in the store."""

    warnings: tuple[str, ...]
    samples: int


class Renderer(DrawingProcess, Protocol):
    """What draws."""

    name: str
    """What it draws with, for people; empty before it is known."""

    def find(self, job: Job) -> Rendered | None:
        """The job's result if it is in the store already."""

    def render(self, job: Job, spec: RenderSpec, images: Callable[[int, int], None]) -> Rendered:
        """Make the job's result.

        `images` takes the count of images so far and of the samples that there will be, and may raise to stop the work.
        """


@dataclass(slots=True)
class JobRunner:
    """Runs one job after the other in a worker's process.

    `losses` counts its attempts in a row that ended without a result.
    """

    worker: str
    jobs: JobStore
    queue: Queue
    workers: Workers
    renderer: Renderer
    heart: Heart
    losses: int = 0
    declined: bool = False
    """Whether a job was left to others since the last ticket."""
    _teller: Teller = field(init=False)
    _present: Job | None = field(default=None, init=False)
    """The job of the present attempt, as we wrote it last."""
    _last_spec: tuple[str, RenderSpec] | None = field(default=None, init=False)
    """A batch, and what is asked for in it."""

    def __post_init__(self) -> None:
        stops = self.heart.told_to_stop
        self._teller = Teller(self.worker, self.jobs, self.workers, stops, self.queue.lease_seconds)

    def wake(self, told_to_stop: Callable[[], bool]) -> None:
        """A ticket came: do the next job, and more of them as long as the ticket keeps us awake."""
        until = time.monotonic() + _AWAKE_SECONDS
        self.declined = False
        while not told_to_stop() and self.work():
            if time.monotonic() >= until:
                return
        if self.declined:
            # The ticket for the job that was left to others must find another worker, so this one stays busy until then.
            time.sleep(_AVOID_WAIT + _KEEPER_SECONDS)

    def work(self) -> bool:
        """Do the next job, if there is one for this worker; whether there was."""
        try:
            taken = self.queue.take(self.worker)
            if taken is None:
                return False
            with logs.within(batch=taken.job.rpartition("-")[0], job=taken.job):
                job = self._claimed(taken)
        except ServiceError as error:
            log.warning("no job can be taken: %s", error)
            return False
        if job is not None:
            if taken.waited is not None:
                metrics.WAIT.observe(taken.waited)
            metrics.BEGUN.inc(job.work, "first" if job.attempt == 1 else "again")
            with logs.everywhere(batch=job.batch, job=job.id, attempt=job.attempt):
                self._attempt(job)
        return True

    def _claimed(self, taken: Taken) -> Job | None:
        """The job, now ours; None when it is left to others or was cancelled meanwhile."""
        try:
            try:
                return self._claim(taken, avoiding=True)
            except _LeftToOthers:
                if self.workers.others_can_work(self.worker):
                    self.queue.put_back(taken.job, _AVOID_WAIT)
                    self.declined = True
                    return None
                return self._claim(taken, avoiding=False)
        except (StaleAttempt, NotFoundError) as error:
            self.queue.put_back(taken.job)
            log.info("job %s is not taken: %s", taken.job, error)
            return None

    def _claim(self, taken: Taken, avoiding: bool) -> Job:
        """The job, now ours, also where that was done and the answer lost: else nobody would be at it, and it be to blame.

        Raises _LeftToOthers where it broke down here a moment ago and we are `avoiding` that, and ServiceError.
        """
        mine, deadline = 0, time.monotonic() + self.queue.lease_seconds * _CLAIM_SHARE

        def claim(job: Job) -> Job:
            nonlocal mine
            if job.state is State.LEASED and (job.worker, job.attempt) == (self.worker, mine):
                return job
            broken = [attempt for attempt in job.attempts if attempt.counted][-1:]
            here = bool(broken) and broken[0].worker == self.worker and taken.at - broken[0].at < _AVOID_SECONDS
            if avoiding and here:
                raise _LeftToOthers
            mine = job.attempt + 1
            return states.claim(job, self.worker)

        while True:
            try:
                return self.jobs.change(taken.job, claim)
            except ServiceError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_CLAIM_AGAIN_SECONDS)

    def _attempt(self, job: Job) -> None:
        log.info("job %s: model %s (%s), attempt %d", job.id, job.name, job.model[:12], job.attempt)
        done: Job | None = None
        broke_down = False
        self._present = job
        self.heart.begin(job.id, job.attempt)
        try:
            made = self._result(job)

            def finished(present: Job) -> Job:
                return states.finish(present, job.attempt, made.warnings, made.samples)

            done = self._teller.insist(lambda: self._tell(job, finished))
        except StaleAttempt as error:
            self._teller.left(job, error)
        except Interrupted as error:
            self._teller.give_back(job, error, 0.0, kept=job.work is Work.RESULT)
        except (ModelError, MotionError, MappingError, RenderError) as error:
            if self._teller.fail(job, error):
                self.losses = 0
        except BlenderStartError as error:
            self._teller.give_back(job, error, _AVOID_WAIT)
            self._stand_aside(error)
            broke_down = True
        except (ServiceError, StorageError, OSError) as error:
            # Not the job's fault: it waits longer from time to time, and for as long as it takes.
            again = sum(1 for attempt in job.attempts if not attempt.counted)
            self._teller.give_back(job, error, min(states.MAX_WAIT_SECONDS, 2.0 ** (again + 1)))
            broke_down = True
        except Exception as error:
            if not isinstance(error, FarmError):
                log.exception("job %s broke down", job.id)
            self._teller.lose(job, error)
            broke_down = True
        finally:
            self.heart.end()
        if done is not None:
            self.losses = 0
            metrics.MODELS.inc("done")
            self._credit(done)
        elif broke_down:
            self._rest()

    def _tell(self, job: Job, step: Callable[[Job], Job]) -> Job:
        """Change our job. One that is gone (Redis was wiped, or its batch removed) is not ours any more."""
        try:
            self._present = self.jobs.change(job.id, step, self._present)
        except NotFoundError as error:
            raise StaleAttempt(str(error)) from error
        return self._present

    def _result(self, job: Job) -> Rendered:
        found = self.renderer.find(job)
        if found is not None:
            log.info("job %s was rendered before", job.id)
            return found
        reported = 0.0
        pacing = Pacing(self.workers, self.worker, resumed=job.attempt > 1)

        def images(count: int, samples: int) -> None:
            nonlocal reported
            self.heart.check()
            pacing.drawn(count)
            now = time.monotonic()
            if now - reported >= _REPORT_SECONDS or count == states.with_samples(job, samples).images_total:
                reported = now
                try:
                    self._tell(job, lambda j: states.progress(j, job.attempt, count, samples))
                except ServiceError as error:
                    log.warning("job %s: progress is not told: %s", job.id, error)  # the heart decides, not this

        made = self.renderer.render(job, self._spec(job.batch), images)
        pacing.end()
        return made

    def _spec(self, batch: str) -> RenderSpec:
        """What is asked for in the batch; it never changes, and one job after the other is of the same batch."""
        if self._last_spec is None or self._last_spec[0] != batch:
            try:
                self._last_spec = batch, self.jobs.batch(batch).record.spec
            except NotFoundError as error:
                raise StaleAttempt(str(error)) from error
        return self._last_spec[1]

    def _credit(self, done: Job) -> None:
        try:
            for culprit in self.workers.finished(self.worker, done):
                log.warning("worker %s is drained: others finish what breaks down there", culprit)
            if self.renderer.name:
                self.workers.draws_with(self.worker, self.renderer.name)
        except ServiceError as error:
            log.warning("the worker's record is not written: %s", error)

    def _stand_aside(self, error: BlenderStartError) -> None:
        """Where Blender does not start, time after time, no job can be done: the worker drains itself."""
        if self.losses + 1 >= MAX_BLAME:
            try:
                self.workers.drain(self.worker, f"{error} ({MAX_BLAME} times in a row)")
            except (NotFoundError, ServiceError) as silence:
                log.warning("the worker's record is not written: %s", silence)

    def _rest(self) -> None:
        """A worker on which one attempt after the other breaks down slows itself, so that others get the jobs."""
        self.losses += 1
        if self.losses > 1:
            time.sleep(min(_MAX_REST_SECONDS, 2.0 ** (self.losses - 1)))


class _LeftToOthers(Exception):
    """The job broke down here a moment ago."""
