"""How every attempt of a fake renderer ends: hashes decide, so that the outcome of a run is known before it begins."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from farm.errors import BlenderDiedError, ModelError
from farm.jobs.states import MAX_ATTEMPTS, State

_WHOLE_WORKERS = 0.1
"""Of the deaths, so many take the whole worker with them; the others are a pool process, as the OOM killer picks them."""


class Fate(StrEnum):
    """How an attempt ends."""

    DONE = "done"
    BAD_MODEL = "bad model"
    """The model cannot be drawn."""
    BROKEN = "broken"
    """The attempt breaks down, as when Blender crashes."""
    PROCESS_KILLED = "process killed"
    """SIGKILL of the process that works on the job."""
    WORKER_KILLED = "worker killed"
    """SIGKILL of that process and of the worker that it belongs to."""

    @property
    def code(self) -> str:
        """The error code that the farm must note; empty for a success."""
        return _CODES[self]


_CODES = {
    Fate.DONE: "",
    Fate.BAD_MODEL: ModelError.code,
    Fate.BROKEN: BlenderDiedError.code,
    Fate.PROCESS_KILLED: "worker-lost",
    Fate.WORKER_KILLED: "worker-lost",
}
_LOSSES = frozenset((Fate.BROKEN, Fate.PROCESS_KILLED, Fate.WORKER_KILLED))


@dataclass(frozen=True, slots=True)
class Odds:
    """What happens how often."""

    seed: int
    failures: float
    """Share of the models that cannot be drawn, and share of the attempts that break down."""
    deaths: float
    """Share of the attempts that kill their process."""

    def fate(self, model: str, attempt: int) -> Fate:
        """How this attempt on the model ends."""
        if self._draw(model, attempt, "death") < self.deaths:
            whole = self._draw(model, attempt, "whole worker") < _WHOLE_WORKERS
            return Fate.WORKER_KILLED if whole else Fate.PROCESS_KILLED
        if self._draw(model, attempt, "broken") < self.failures:
            return Fate.BROKEN
        # A property of the model, not of the attempt.
        return Fate.BAD_MODEL if self._draw(model, 0, "bad") < self.failures else Fate.DONE

    def course(self, model: str) -> tuple[Fate, ...]:
        """The fates of all attempts that there must be on the model."""
        fates: list[Fate] = []
        while len(fates) < MAX_ATTEMPTS and (not fates or fates[-1] in _LOSSES):
            fates.append(self.fate(model, len(fates) + 1))
        return tuple(fates)

    def _draw(self, model: str, attempt: int, purpose: str) -> float:
        """In [0, 1)."""
        digest = hashlib.sha256(f"{self.seed} {model} {attempt} {purpose}".encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64


def final_state(course: tuple[Fate, ...]) -> State:
    """The state in which a job of this course must end."""
    match course[-1]:
        case Fate.DONE:
            return State.DONE
        case Fate.BAD_MODEL:
            return State.FAILED
        case _:
            return State.QUARANTINED
