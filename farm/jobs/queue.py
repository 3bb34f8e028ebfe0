"""Which job a worker does next, and how long it counts as its own.

    farm:ready             sorted set of the batches whose jobs may be taken: higher priority first, then older ones
    farm:batch:<id>:queue  list of the indexes of its jobs that wait
    farm:later             sorted set of jobs given back, by the time when they may be tried again
    farm:leases            sorted set of jobs that workers have, by the time when their lease runs out

Pausing a batch or changing its priority moves one entry of `farm:ready`, however many jobs it has. A lease is prolonged
by its worker's pulse; a job whose lease has run out goes back to the queue (`farm.jobs.keeper`). All times are the farm's
(`lua/prelude.lua`).
"""

from dataclasses import dataclass
from enum import StrEnum

from farm.errors import NotFoundError
from farm.jobs.connection import Connection

PULSE_SECONDS = 1.0
"""Between the pulses of a worker; each prolongs the lease and hears what to do."""


class Instruction(StrEnum):
    """What a worker is told when it says that it is still at a job."""

    GO_ON = "go on"
    STALE = "stale"
    """The job was cancelled or is somebody else's: stop, and keep nothing."""
    PAUSED = "paused"
    """Its batch is paused: stop, keep what is drawn, hand the job back."""
    YIELD = "yield"
    """A batch of higher priority waits for a worker: the same."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A job that was handed out, not yet claimed."""

    job: str
    at: float
    """When, by Redis' clock."""
    waited: float | None
    """Seconds since it might be taken; None: an earlier version queued it, and nobody knows."""


class Queue:
    """The order of the work. Every method raises ServiceError when Redis does not answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.lease_seconds = connection.lease_seconds

    def take(self, worker: str) -> Taken | None:
        """The next job, under a lease; None when there is none for this worker now."""
        answer = self._connection.run("take", worker, self.lease_seconds)
        return Taken(answer[0], float(answer[1]), float(answer[2]) if answer[2] else None) if answer else None

    def put_back(self, job: str, wait: float = 0.0) -> bool:
        """Return a job that was taken and not claimed, not to be handed out for `wait` seconds; False when it was not out."""
        return bool(self._connection.run("put_back", job, wait))

    def pulse(self, job: str, attempt: int) -> Instruction:
        """Prolong the lease of a running attempt, and hear what to do."""
        return Instruction(self._connection.run("pulse", job, attempt, self.lease_seconds))

    def overdue(self, limit: int) -> list[str]:
        """Jobs whose lease has run out."""
        return list(self._connection.run("overdue", limit))

    def leased(self) -> list[str]:
        """The jobs that workers have."""
        return list(self._connection.safely(lambda: self._connection.redis.zrange("farm:leases", 0, -1)))

    def waiting(self, limit: int) -> int:
        """How many jobs could be taken now, counted up to `limit`."""
        return int(self._connection.run("waiting", limit))

    def set_paused(self, batch: str, paused: bool) -> None:
        """Hand out none of the batch's jobs any more, or again. Raises NotFoundError."""
        self._steer(batch, "paused", str(int(paused)))

    def set_priority(self, batch: str, priority: int) -> None:
        """Let the batch's jobs go before those of lower priority. Raises NotFoundError."""
        self._steer(batch, "priority", str(priority))

    def _steer(self, batch: str, field: str, value: str) -> None:
        if not self._connection.run("steer", batch, field, value):
            raise NotFoundError(f"There is no batch '{batch}'; `farm status` lists them.")
