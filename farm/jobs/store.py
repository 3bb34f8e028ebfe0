"""Keeps batches and jobs in Redis.

    farm:batch:<id>        hash: record (JSON), a counter for each job state, images_total, images_done
    farm:batch:<id>:jobs   list of job ids, in order of submission
    farm:job:<id>          JSON of the Job
    farm:batches           list of batch ids, newest first
    farm:totals            hash: the same counters over all batches

A job changes by a pure function of `farm.jobs.states` in an optimistic transaction, together with the counters that
follow from the difference, so that counters and jobs cannot disagree.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis
from redis.client import Pipeline

from farm.errors import NotFoundError, ServiceError
from farm.jobs.states import Job, State
from farm.spec import RenderSpec

_IMAGES_TOTAL, _IMAGES_DONE = "images_total", "images_done"
_TOTALS = "farm:totals"
_BATCHES = "farm:batches"
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Batch:
    """One submission."""

    id: str
    name: str
    spec: RenderSpec
    created: str
    """ISO 8601, UTC; for people and pages, never in a result."""
    counts: dict[State, int]
    images_total: int
    images_done: int

    @property
    def ended(self) -> bool:
        """Whether every job has ended."""
        return self.counts[State.QUEUED] + self.counts[State.RENDERING] == 0


@dataclass(frozen=True, slots=True)
class Totals:
    """The whole farm in numbers."""

    counts: dict[State, int]
    backlog_images: int
    """Images of queued and running jobs that are not drawn yet."""


def new_id() -> str:
    """A fresh identifier for a batch or job (16 hex digits)."""
    return secrets.token_hex(8)


def connect(url: str) -> "redis.Redis":
    """A client for `url`; nothing is sent yet."""
    return redis.Redis.from_url(
        url, decode_responses=True, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=30, health_check_interval=30
    )


def _difference(before: Job | None, after: Job) -> dict[str, int]:
    """How the counters change when a job goes from `before` to `after`."""
    changes: dict[str, int] = {}
    if before is None or before.state is not after.state:
        changes[after.state] = 1
        if before is not None:
            changes[before.state] = -1
    drawn = after.images_done - (before.images_done if before else 0)
    if drawn:
        changes[_IMAGES_DONE] = drawn
    if before is None:
        changes[_IMAGES_TOTAL] = after.images_total
    # Ended jobs leave the backlog with all their images.
    owed_after = 0 if after.state.ended else after.images_total - after.images_done
    owed_before = 0 if before is None or before.state.ended else before.images_total - before.images_done
    if owed_after != owed_before:
        changes["backlog_images"] = owed_after - owed_before
    return changes


class JobStore:
    """Batches and jobs. Every method raises ServiceError when Redis does not answer."""

    def __init__(self, url: str) -> None:
        # redis-py types every answer as bytes | str, whatever decode_responses says.
        try:
            self._redis: Any = connect(url)
        except ValueError as error:
            raise ServiceError(
                f"FARM_REDIS_URL is no Redis address ({error}); it looks like redis://host:6379/0."
            ) from error
        self._url = url

    def _safely[T](self, action: Callable[[], T]) -> T:
        try:
            return action()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise ServiceError(
                f"Redis at {self._url.rsplit('@')[-1]} does not answer ({error}). Check FARM_REDIS_URL and that the server "
                "is up; `farm doctor` tries it."
            ) from error

    def check(self) -> str:
        """Prove that Redis answers; a phrase that names it."""

        def ask() -> str:
            info: dict[str, Any] = self._redis.info("server")
            name = info.get("server_name", "redis")
            version = info.get("valkey_version") or info.get("redis_version", "?")
            return f"{name} {version}"

        return self._safely(ask)

    def add_batch(self, batch_id: str, name: str, spec: RenderSpec, jobs: Sequence[Job]) -> None:
        """Store a batch and its queued jobs in one step."""

        def write() -> None:
            pipe = self._redis.pipeline(transaction=True)
            key = f"farm:batch:{batch_id}"
            record = {
                "name": name,
                "spec": spec.model_dump(mode="json"),
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            pipe.hset(key, "record", json.dumps(record))
            for job in jobs:
                pipe.set(f"farm:job:{job.id}", json.dumps(job.to_json()))
                pipe.rpush(f"{key}:jobs", job.id)
                self._count(pipe, job.batch, None, job)
            pipe.lpush(_BATCHES, batch_id)
            pipe.execute()

        self._safely(write)

    def _count(self, pipe: Pipeline, batch: str, before: Job | None, after: Job) -> None:
        for name, change in _difference(before, after).items():
            pipe.hincrby(_TOTALS, name, change)
            if name != "backlog_images":
                pipe.hincrby(f"farm:batch:{batch}", name, change)

    def job(self, job_id: str) -> Job:
        """Raises NotFoundError."""
        text = self._safely(lambda: self._redis.get(f"farm:job:{job_id}"))
        if text is None:
            raise NotFoundError(f"There is no job '{job_id}'.")
        return Job.from_json(json.loads(str(text)))

    def change(self, job_id: str, step: Callable[[Job], Job]) -> Job:
        """Apply `step` to the job, atomically with the counters, and return the new job.

        `step` may be called again when another client changed the job meanwhile; what it raises comes through.
        """
        key = f"farm:job:{job_id}"

        def attempt(pipe: Any) -> Job:
            text = pipe.get(key)
            if text is None:
                raise NotFoundError(f"There is no job '{job_id}'.")
            before = Job.from_json(json.loads(str(text)))
            after = step(before)
            pipe.multi()
            if after != before:
                pipe.set(key, json.dumps(after.to_json()))
                self._count(pipe, before.batch, before, after)
            return after

        changed = self._safely(lambda: self._redis.transaction(attempt, key, value_from_callable=True))
        assert isinstance(changed, Job)
        return changed

    def batch(self, batch_id: str) -> Batch:
        """Raises NotFoundError."""
        values: dict[str, str] = self._safely(lambda: self._redis.hgetall(f"farm:batch:{batch_id}"))
        if not values:
            raise NotFoundError(f"There is no batch '{batch_id}'.")
        record = json.loads(values["record"])
        return Batch(
            id=batch_id,
            name=record["name"],
            spec=RenderSpec.model_validate(record["spec"]),
            created=record["created"],
            counts=_counts(values),
            images_total=int(values.get(_IMAGES_TOTAL, 0)),
            images_done=int(values.get(_IMAGES_DONE, 0)),
        )

    def batches(self, limit: int) -> list[Batch]:
        """The newest batches, newest first."""
        ids: Iterable[str] = self._safely(lambda: self._redis.lrange(_BATCHES, 0, limit - 1))
        return [self.batch(batch_id) for batch_id in ids]

    def jobs(self, batch_id: str, first: int = 0, limit: int = 10_000) -> list[Job]:
        """Jobs of a batch in order of submission, `limit` of them from number `first` on."""
        ids: list[str] = self._safely(
            lambda: self._redis.lrange(f"farm:batch:{batch_id}:jobs", first, first + limit - 1)
        )
        if not ids:
            return []
        texts: list[str | None] = self._safely(lambda: self._redis.mget([f"farm:job:{job_id}" for job_id in ids]))
        return [Job.from_json(json.loads(text)) for text in texts if text is not None]

    def running(self) -> list[str]:
        """The ids of all jobs that a worker has."""
        found: list[str] = []
        batches: list[str] = self._safely(lambda: self._redis.lrange(_BATCHES, 0, -1))
        for batch_id in batches:
            if self.batch(batch_id).counts[State.RENDERING]:
                found += [job.id for job in self.jobs(batch_id) if job.state is State.RENDERING]
        return found

    def totals(self) -> Totals:
        """The numbers that metrics and the autoscaler ask for."""
        values: dict[str, str] = self._safely(lambda: self._redis.hgetall(_TOTALS))
        return Totals(_counts(values), int(values.get("backlog_images", 0)))


def _counts(values: dict[str, str]) -> dict[State, int]:
    return {state: int(values.get(state, 0)) for state in State}
