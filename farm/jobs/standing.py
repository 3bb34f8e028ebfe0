"""How the queue and its Redis stand, in a few numbers that cost the same however large the farm is."""

from dataclasses import dataclass

import redis

from farm.jobs.connection import Connection


@dataclass(frozen=True, slots=True)
class QueueStanding:
    """The queue at one moment."""

    batches_open: int
    """Batches with a job that has not ended."""
    delayed: int
    """Queued jobs that wait for their next attempt."""
    leases: int
    """Jobs that workers have."""
    overdue: int
    """Of these, jobs whose lease has run out."""
    untold: int
    """Ended batches of which is to be told (`farm.jobs.webhooks`)."""


@dataclass(frozen=True, slots=True)
class RedisMemory:
    """What Redis takes of its machine's memory, in bytes."""

    used: int
    limit: int
    """0: there is none."""


def standing(connection: Connection) -> QueueStanding:
    """How the queue stands now. Raises ServiceError."""
    time = connection.time()
    pipe = connection.redis.pipeline(transaction=False)
    for name in ("batches", "ended", "later", "leases", "webhooks"):
        pipe.zcard(f"farm:{name}")
    pipe.zcount("farm:leases", "-inf", time)
    batches, ended, later, leases, webhooks, overdue = connection.safely(pipe.execute)
    return QueueStanding(max(0, batches - ended), later, leases, overdue, webhooks)


def memory(connection: Connection) -> RedisMemory | None:
    """None where the farm's user may not ask. Raises ServiceError."""

    def ask() -> RedisMemory | None:
        try:
            info = connection.redis.info("memory")
        except redis.exceptions.NoPermissionError:
            return None
        return RedisMemory(int(info["used_memory"]), int(info.get("maxmemory", 0)))

    return connection.safely(ask)
