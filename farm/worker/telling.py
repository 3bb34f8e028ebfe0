"""Tells the farm how an attempt ended, for as long as it takes.

Without Redis a worker has nothing else to do, and an end that nobody hears of would leave the job under its lease, until
that runs out and counts against the job. Of an attempt that is over meanwhile (its worker was thought lost) the farm hears
that the worker is there.
"""

import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

from farm import metrics
from farm.errors import FarmError, NotFoundError, ServiceError
from farm.jobs import states
from farm.jobs.states import Job, StaleAttempt, State
from farm.jobs.store import JobStore
from farm.jobs.workers import Workers

log = logging.getLogger(__name__)
_AGAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Teller:
    """For a worker whose record it keeps, too."""

    worker: str
    jobs: JobStore
    workers: Workers
    told_to_stop: Callable[[], bool]
    lease_seconds: float

    def insist[T](self, action: Callable[[], T]) -> T:
        """`action`, tried until Redis answers.

        Raises ServiceError when the worker is told to stop meanwhile, and the time of a lease is over.
        """
        deadline = time.monotonic() + self.lease_seconds
        while True:
            try:
                return action()
            except ServiceError:
                if time.monotonic() > deadline and self.told_to_stop():
                    raise
                time.sleep(_AGAIN_SECONDS)

    def give_back(self, job: Job, error: Exception, wait: float, kept: bool = False) -> None:
        """It is not the job's fault: it is queued again in `wait` seconds. `kept`: with what is drawn."""
        code, sentence = said(error)
        log.warning("job %s is handed back: %s: %s", job.id, code, sentence)

        def step(present: Job, at: float) -> Job:
            return states.hand_back(present, job.attempt, code, sentence, at, wait, kept)

        self._settle(job, step, forgiving=True)
        metrics.HANDED_BACK.inc(code)

    def lose(self, job: Job, error: Exception) -> None:
        """The attempt broke down, which counts."""
        code, sentence = said(error)
        log.warning("job %s: attempt %d broke down: %s: %s", job.id, job.attempt, code, sentence)
        after = self._settle(job, lambda j, at: states.lose(j, job.attempt, code, sentence, at), _log_of(error))
        metrics.LOST.inc(code)
        if after is not None and after.state is State.QUARANTINED:
            metrics.MODELS.inc("quarantined")
        try:
            self.workers.lost(self.worker)
        except ServiceError as silence:
            log.warning("the worker's record is not written: %s", silence)

    def fail(self, job: Job, error: FarmError) -> bool:
        """The model cannot be drawn; whether that was for us to say."""
        code, sentence = said(error)
        log.warning("job %s failed: %s: %s", job.id, code, sentence)
        after = self._settle(job, lambda j, _: states.fail(j, job.attempt, code, sentence), _log_of(error))
        if after is not None:
            metrics.MODELS.inc("failed")
        return after is not None

    def left(self, job: Job, error: StaleAttempt) -> None:
        """The job was cancelled, or is another's."""
        log.info("job %s is left: %s", job.id, error)
        now = self._forgiven(job)
        if now is not None and now.state is State.CANCELLED:
            metrics.MODELS.inc("cancelled")
        else:
            metrics.LOST.inc(StaleAttempt.code)

    def _settle(
        self, job: Job, step: Callable[[Job, float], Job], blender_log: str = "", forgiving: bool = False
    ) -> Job | None:
        """Write how the attempt ended; None when it has no say any more, or the worker has to stop.

        `forgiving`: without a say, it may still say that the worker was not lost.
        """

        def write() -> Job:
            at = self.jobs.now()
            if blender_log:
                self._keep(job, blender_log)
            return self.jobs.change(job.id, lambda j: step(j, at))

        try:
            return self.insist(write)
        except StaleAttempt as error:
            log.info("job %s: %s", job.id, error)
            if forgiving:
                self._forgiven(job)
        except (NotFoundError, ServiceError) as error:
            log.info("job %s: %s", job.id, error)
        return None

    def _keep(self, job: Job, blender_log: str) -> None:
        try:
            self.jobs.keep_log(job.id, blender_log)
        except ServiceError as error:  # a memory that is full takes an end, but no logs
            log.warning("job %s: what Blender said is not kept: %s", job.id, error)

    def _forgiven(self, job: Job) -> Job | None:
        """What became of a job that was taken from us: if we were thought lost, we are not, and it counts for nothing.

        None when that cannot be told.
        """
        try:
            before = self.insist(lambda: self.jobs.job(job.id))
            after = self.insist(lambda: self.jobs.change(job.id, lambda j: states.forgive(j, job.attempt), before))
            if after.losses < before.losses:
                log.warning("job %s: this worker was silent for too long, and is back; it does not count", job.id)
                self.insist(lambda: self.workers.forgive(self.worker))
        except (NotFoundError, ServiceError):
            return None
        return after


def said(error: Exception) -> tuple[str, str]:
    """Code and sentence of an error, for the job's record."""
    if isinstance(error, FarmError):
        return error.code, str(error)
    if isinstance(error, OSError):
        place = tempfile.gettempdir()
        return "worker-disk", f"The worker's own disk ({place}) failed: {error}. Make room there, or mend the disk."
    return "internal-error", f"{type(error).__name__}: {error}"


def _log_of(error: Exception) -> str:
    return error.log if isinstance(error, FarmError) else ""
