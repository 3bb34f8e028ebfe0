"""What the autoscaler is told by: the work that is there, who is at it, and how fast workers have been.

farm:pace:images, farm:pace:seconds   hashes: slot of the farm's time to what workers reported in it, images drawn and
                                      seconds of a worker; `farm.jobs.scaling` makes a speed of them
farm:pace:blenders                    how many Blenders the last worker that reported has
"""

from farm.jobs.connection import Connection
from farm.jobs.scaling import Demand, Pace, Slot, pace
from farm.jobs.workers import Workers


class Demands:
    """Every method raises ServiceError when Redis does not answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._workers = Workers(connection)

    def present(self) -> Demand:
        """What there is to do now, and who is there for it."""
        images, jobs, busy = self._connection.run("demand")
        there = [worker for worker in self._workers.all() if worker.alive and not worker.drained]
        return Demand(int(images), int(jobs), len(busy), len(there))

    def busy(self) -> frozenset[str]:
        """The names of the workers that have a job."""
        return frozenset(self._connection.run("demand")[2])

    def pace(self, assumed: float) -> Pace:
        """How fast one worker is; `assumed` images a second until workers have reported it."""
        pipe = self._connection.redis.pipeline(transaction=True)
        pipe.hgetall("farm:pace:images")
        pipe.hgetall("farm:pace:seconds")
        pipe.get("farm:pace:blenders")
        images, seconds, blenders = self._connection.safely(pipe.execute)
        slots = {int(slot): Slot(float(count), float(seconds.get(slot, 0))) for slot, count in images.items()}
        return pace(slots, int(blenders or 1), assumed)
