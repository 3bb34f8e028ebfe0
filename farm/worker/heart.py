"""Keeps the lease of the attempt that runs, and ends the attempt when it must end.

One thread for a worker process. It prolongs the lease every second and hears what the farm wants; it watches how long
the attempt takes, how much memory its Blender has, and whether the worker is told to stop. What must end is told first to
the attempt itself, which keeps what is drawn; if it does not listen (Blender loads, or hangs), Blender is killed.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from farm import metrics
from farm.drawing.render import Interrupted
from farm.errors import BlenderMemoryError, BlenderTimeoutError, FarmError, ServiceError
from farm.jobs.queue import PULSE_SECONDS, Instruction, Queue
from farm.jobs.states import StaleAttempt

log = logging.getLogger(__name__)
_SURE_SHARE = 2 / 3
"""The attempt ends when its lease was not prolonged for this share of it: before anybody else may have the job, its
Blender is dead."""
_LATE_SECONDS = 5.0
"""Nobody is woken so late but who did not run at all."""
_PATIENCE_SECONDS = 3.0
"""How long an attempt that is told to end may take to notice; it looks after every shot."""


class DrawingProcess(Protocol):
    """The process that draws, as the heart watches it."""

    def resident(self) -> int:
        """Bytes of memory that it takes."""

    def interrupt(self, error: FarmError) -> None:
        """Kill what runs; whoever waits for it gets `error`. Callable from any thread."""


@dataclass(slots=True)
class _Beat:
    job: str
    attempt: int
    started: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)
    """When Redis last prolonged the lease."""
    stood: float = 0.0
    """Seconds for which this process did not run, since the machine slept or somebody had stopped it."""
    verdict: FarmError | None = None
    since: float = 0.0
    unanswered: bool = False
    """Whether the lease was not prolonged last, which was said then."""


class Heart:
    """Start it once; `begin` and `end` stand around every attempt."""

    def __init__(
        self,
        queue: Queue,
        process: DrawingProcess,
        told_to_stop: Callable[[], bool],
        job_seconds: float,
        memory_bytes: int,
    ) -> None:
        self._queue, self._process, self.told_to_stop = queue, process, told_to_stop
        self._job_seconds, self._memory_bytes = job_seconds, memory_bytes
        self._lock = threading.Lock()
        self._beat: _Beat | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join()

    def begin(self, job: str, attempt: int) -> None:
        """An attempt begins, just claimed."""
        with self._lock:
            self._beat = _Beat(job, attempt)

    def end(self) -> None:
        """The attempt is over."""
        with self._lock:
            self._beat = None

    def check(self) -> None:
        """Called by the attempt as often as it can: raises what it is to end with."""
        beat = self._beat
        if beat is not None and beat.verdict is not None:
            raise beat.verdict

    def _run(self) -> None:
        slept = time.monotonic()
        while not self._over.wait(PULSE_SECONDS):
            beat, late = self._beat, time.monotonic() - slept - PULSE_SECONDS
            if beat is not None and late > _LATE_SECONDS:
                beat.stood += late
                log.warning("job %s: this worker stood still for %.0f s", beat.job, late)
            self._act(beat)
            slept = time.monotonic()

    def _act(self, beat: _Beat | None) -> None:
        """One beat of the heart."""
        if beat is None or time.monotonic() - beat.started < PULSE_SECONDS:
            return
        if beat.verdict is None:
            try:
                beat.verdict = self._verdict(beat)
            except Exception:
                # Without a heart every lease would run out, whatever the trouble is.
                log.exception("a beat of the heart failed")
            beat.since = time.monotonic()
        else:
            self._prolong(beat)
        if beat.verdict is not None and self._must_be_killed(beat):
            with self._lock:  # not the next attempt's Blender
                if self._beat is beat:
                    self._process.interrupt(beat.verdict)

    def _prolong(self, beat: _Beat) -> None:
        """Keep the lease while an attempt that was told to end ends: it may be storing a checkpoint or its result."""
        try:
            self._queue.pulse(beat.job, beat.attempt)
            beat.unanswered = False
        except ServiceError as error:
            if not beat.unanswered:  # once, not once a second: Redis may be away for hours, in changing words
                log.warning("job %s: the lease is not prolonged: %s", beat.job, error)
            beat.unanswered = True

    @staticmethod
    def _must_be_killed(beat: _Beat) -> bool:
        at_once = isinstance(beat.verdict, BlenderTimeoutError | BlenderMemoryError)
        return at_once or time.monotonic() - beat.since > _PATIENCE_SECONDS

    def _verdict(self, beat: _Beat) -> FarmError | None:
        """What the attempt has to end with, if it has to."""
        now = time.monotonic()
        try:
            order = self._queue.pulse(beat.job, beat.attempt)
            beat.heard = now
        except ServiceError as error:
            silent = time.monotonic() - beat.heard  # the question itself may have waited long
            if silent > self._queue.lease_seconds * _SURE_SHARE:
                return Interrupted(f"Redis did not answer for {silent:.0f} s: {error}", "lease-unsure")
            order = Instruction.GO_ON
        match order:
            case Instruction.STALE:
                return StaleAttempt(f"Attempt {beat.attempt} of job {beat.job} is over: cancelled, or somebody else's.")
            case Instruction.PAUSED:
                return Interrupted("The batch is paused.", "paused")
            case Instruction.YIELD:
                return Interrupted("A batch of higher priority needed the worker.", "yielded")
        if self.told_to_stop():
            return Interrupted("The worker was told to stop.", "worker-stopped")
        if now - beat.started - beat.stood > self._job_seconds:
            return BlenderTimeoutError(
                f"The attempt took longer than {self._job_seconds:.0f} s; FARM_JOB_SECONDS sets the limit."
            )
        resident = self._process.resident()
        metrics.BLENDER_RESIDENT.set(resident)
        if resident > self._memory_bytes:
            return BlenderMemoryError(
                f"Blender took {resident / 2**30:.1f} GiB of memory, over the limit of {self._memory_bytes / 2**30:.1f}; "
                "FARM_BLENDER_MEMORY_GIB sets it."
            )
        return None
