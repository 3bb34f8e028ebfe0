"""Keeps batches and jobs in Redis.

    farm:batch:<id>        hash: record (JSON), priority, paused, sequence, opened (the farm's time), ended, and counters:
                           a number for each job state, open (jobs that have not ended), images_total, images_done,
                           backlog_images, error:<code>; owner, and what it takes of the owner's allowance
                           (`farm.jobs.allowances`)
    farm:batch:<id>:jobs   hash: index to the JSON of the Job
    farm:batch:<id>:queue  list of the indexes that wait for a worker (see `farm.jobs.queue`)
    farm:batch:<id>:since  hash: index to when a job that waits might be taken (the farm's time), for those that were queued
                           again; for all others that is the field opened of farm:batch:<id>
    farm:batch:<id>:rate   hash: ten-second slot to images drawn in it, for the last ten minutes
    farm:batch:<id>:logs   hash: index to the tail of Blender's log, for jobs whose last attempt ended badly
    farm:batches           sorted set of batch ids by sequence, the order of submission
    farm:ended             sorted set of the ids of batches that have ended, by when (the farm's time)
    farm:removed           set of the ids of batches that were forgotten here and whose orders are not yet
    farm:totals            hash: the counters over all batches, backlog_images, and paused_images: those of paused batches
    farm:models            hash: model to the number of jobs that have not ended and need it
    farm:events            stream of changes (`farm.jobs.events`)

A job changes by a pure function of `farm.jobs.states`. The new job, the counters, the lease, its place in the queue and
the event are written in one step (`lua/commit.lua`), and only if the job is still what the function saw, so that none of
them can disagree.
"""

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import batched
from typing import Any

from farm.errors import ConflictError, NotFoundError
from farm.jobs import counters
from farm.jobs.allowances import Allowance, taken_by
from farm.jobs.batches import Batch, BatchRecord, Told, Totals
from farm.jobs.connection import Connection
from farm.jobs.effects import IMAGES_DONE, IMAGES_TOTAL, effects
from farm.jobs.states import Job, State

_TOTALS = "farm:totals"
_BATCHES = "farm:batches"
_ENDED = "farm:ended"
_REMOVED = "farm:removed"
_MODELS = "farm:models"
_CHUNK = 500
"""Jobs that one round trip reads or writes."""
LOG_CHARACTERS = 4000


def new_id() -> str:
    """A fresh identifier for a batch (16 hex digits)."""
    return secrets.token_hex(8)


def utc_now() -> str:
    """The time as people read it: ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def text_of(job: Job) -> str:
    """A job as Redis keeps it."""
    return json.dumps(job.to_json(), ensure_ascii=False, separators=(",", ":"))


def _job(text: str) -> Job:
    return Job.from_json(json.loads(text))


def _event(job: Job) -> str:
    fields = {
        "job": job.id,
        "name": job.name,
        "work": job.work,
        "state": job.state,
        "attempt": job.attempt,
        "worker": job.worker,
        "counted": job.present_counts,
        "error_code": job.error_code,
        "images_done": job.images_done,
        "images_total": job.images_total,
    }
    return json.dumps(fields, ensure_ascii=False)


def _is_id(batch: str) -> bool:
    # What users type must not become the name of another key.
    return ":" not in batch


def no_job(job: str) -> NotFoundError:
    """The error for a job that is not there."""
    return NotFoundError(f"There is no job '{job}'; `farm status BATCH` lists those of a batch.")


def no_batch(batch: str) -> NotFoundError:
    """The error for a batch that is not there."""
    return NotFoundError(f"There is no batch '{batch}'; `farm status` lists them.")


class JobStore:
    """Batches and jobs. Every method raises ServiceError when Redis does not answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._redis = connection.redis
        self._safely = connection.safely
        self.now = connection.now
        self.check = connection.check

    def add_batch(
        self,
        batch: str,
        record: BatchRecord,
        jobs: Sequence[Job],
        priority: int = 0,
        paused: bool = False,
        allowance: Allowance = Allowance(),  # noqa: B008 - it never changes
        told: Told | None = None,
    ) -> bool:
        """Store a batch and its jobs in one step; False, changing nothing, when there is a batch of this id.

        One whose jobs have all ended has ended, and that is told unless `told` says that just this was. Raises
        AllowanceError when its owner would have more than `allowance`.
        """
        key, owner = f"farm:batch:{batch}", f"farm:owner:{record.owner}"
        texts = {job.index: text_of(job) for job in jobs}
        waiting = [job.index for job in jobs if job.state is State.QUEUED]
        counts, models, backlog, open_jobs = counters.sums(jobs)
        taken = taken_by(record, jobs, list(texts.values()))
        open_script = self._connection.script("open")
        was_told = told is not None and told.counts == counters.by_state(counts)

        def write(pipe: Any) -> bool:
            if pipe.exists(key):
                return False
            allowance.check(pipe.hgetall(owner), taken)
            pipe.multi()
            fields: dict[str, str | int] = {
                "record": json.dumps(record.to_json(), ensure_ascii=False),
                "priority": priority,
                "paused": int(paused),
                "open": open_jobs,
                "backlog_images": backlog,
                "owner": record.owner,
                **taken,
                **counts,
            }
            if record.webhook:
                fields["webhook"] = record.webhook.host
                if was_told and told:
                    fields |= {"webhook_tries": told.tries, "webhook_state": told.state, "webhook_last": told.last}
            pipe.hset(key, mapping=fields)
            for some in batched(texts.items(), _CHUNK, strict=False):
                pipe.hset(f"{key}:jobs", mapping=dict[int, str](some))
            for indexes in batched(waiting, _CHUNK, strict=False):
                pipe.rpush(f"{key}:queue", *indexes)
            for name, count in counts.items():
                if not name.startswith(counters.ERROR):
                    pipe.hincrby(_TOTALS, name, count)
            pipe.hincrby(_TOTALS, "backlog_images", backlog)
            if paused:
                pipe.hincrby(_TOTALS, "paused_images", backlog)
            for model, count in models.items():
                pipe.hincrby(_MODELS, model, count)
            open_script(args=[batch, int(was_told)], client=pipe)
            return True

        return self._connection.transaction(write, key, owner)

    def job(self, job: str) -> Job:
        """Raises NotFoundError."""
        return _job(self._read(job))

    def _read(self, job: str) -> str:
        batch, _, index = job.rpartition("-")
        text = self._safely(lambda: self._redis.hget(f"farm:batch:{batch}:jobs", index))
        if text is None:
            raise no_job(job)
        return str(text)

    def change(self, job: str, step: Callable[[Job], Job], seen: Job | None = None) -> Job:
        """Apply `step` to the job with all that follows from it, and return the new job.

        `step` may be called again when another client changed the job meanwhile; what it raises comes through. `seen` is
        the job as the caller knows it: it is asked for only where that proves wrong.
        """
        commit = self._connection.script("commit")
        text = text_of(seen) if seen else self._read(job)
        while True:
            before = _job(text)
            after = step(before)
            if after == before:
                return after
            arguments = self._commit_arguments(text, before, after)
            if self._safely(lambda arguments=arguments: commit(args=arguments)):  # type: ignore[misc]
                return after
            text = self._read(job)

    def _commit_arguments(self, text: str, before: Job, after: Job) -> list[Any]:
        follows = json.dumps(asdict(effects(before, after)))
        # What nobody would see is not told: of a job that is done, and whose lost worker is back, that it is done once more.
        event = "" if (said := _event(after)) == _event(before) else said
        return [after.id, text, text_of(after), follows, self._connection.lease_seconds, event]

    def change_all(self, batch: str, step: Callable[[Job], Job]) -> int:
        """Apply `step` to every job of the batch; how many it changed. Raises NotFoundError."""
        commit = self._connection.script("commit")
        changed = 0
        for chunk in batched(range(self.size(batch)), _CHUNK, strict=False):
            todo = list(chunk)
            while todo:
                found = self._texts(batch, todo)
                pipe = self._redis.pipeline(transaction=False)
                sent: list[int] = []
                for index, text in found.items():
                    before = _job(text)
                    after = step(before)
                    if after != before:
                        commit(args=self._commit_arguments(text, before, after), client=pipe)
                        sent.append(index)
                answers = self._safely(pipe.execute)
                # A job that changed meanwhile is looked at again.
                todo = [index for index, answer in zip(sent, answers, strict=True) if not answer]
                changed += len(sent) - len(todo)
        return changed

    def _texts(self, batch: str, indexes: Sequence[int]) -> dict[int, str]:
        values: list[str | None] = self._safely(lambda: self._redis.hmget(f"farm:batch:{batch}:jobs", indexes))
        return {index: text for index, text in zip(indexes, values, strict=True) if text is not None}

    def size(self, batch: str) -> int:
        """How many jobs the batch has. Raises NotFoundError."""
        count = int(self._safely(lambda: self._redis.hlen(f"farm:batch:{batch}:jobs")))
        if not count:
            raise no_batch(batch)
        return count

    def jobs(
        self, batch: str, first: int = 0, limit: int = 10_000, states: frozenset[State] = frozenset()
    ) -> list[Job]:
        """Jobs of a batch in order of submission, from place `first` on: `limit` of those in `states` (empty: all).

        Raises NotFoundError.
        """
        found: list[Job] = []
        for chunk in batched(range(first, self.size(batch)), _CHUNK, strict=False):
            for text in self._texts(batch, chunk).values():
                job = _job(text)
                if not states or job.state in states:
                    found.append(job)
                    if len(found) == limit:
                        return found
        return found

    def batch(self, batch: str) -> Batch:
        """Raises NotFoundError."""
        found = self._batches([batch])[0] if _is_id(batch) else None
        if found is None:
            raise no_batch(batch)
        return found

    def has_batch(self, batch: str) -> bool:
        """Whether there is a batch of this id."""
        return _is_id(batch) and bool(self._safely(lambda: self._redis.exists(f"farm:batch:{batch}")))

    def _batches(self, ids: Sequence[str]) -> list[Batch | None]:
        pipe = self._redis.pipeline(transaction=False)
        pipe.time()
        for batch in ids:
            pipe.hgetall(f"farm:batch:{batch}")
            pipe.hgetall(f"farm:batch:{batch}:rate")
        (time, _), *answers = self._safely(pipe.execute)
        return [
            counters.batch_of(batch, values, counters.rate(slots, float(time))) if "sequence" in values else None
            for batch, values, slots in zip(ids, answers[::2], answers[1::2], strict=True)
        ]

    def batches(self, limit: int, before: int | None = None) -> list[Batch]:
        """The newest batches, newest first: `limit` of those with a sequence below `before`."""
        below = "+inf" if before is None else f"({before}"
        ids: list[str] = self._safely(lambda: self._redis.zrevrangebyscore(_BATCHES, below, "-inf", start=0, num=limit))
        return [batch for batch in self._batches(ids) if batch is not None]

    def ended_before(self, time: float, limit: int) -> list[str]:
        """The ids of batches that ended before `time` (the farm's), the first to end first."""
        return list(self._safely(lambda: self._redis.zrangebyscore(_ENDED, "-inf", f"({time}", start=0, num=limit)))

    def remove_batch(self, batch: str) -> None:
        """Forget a batch and its jobs; their results stay in the object store.

        Raises NotFoundError, and ConflictError unless it has ended.
        """
        if not _is_id(batch) or not self._connection.run("remove", batch, *State, IMAGES_TOTAL, IMAGES_DONE):
            self.batch(batch)
            raise ConflictError(f"Batch {batch} has not ended; cancel it first.")

    def removed(self) -> list[str]:
        """The ids of batches that were removed and not yet passed to `forget_removed`."""
        return list(self._safely(lambda: self._redis.smembers(_REMOVED)))

    def forget_removed(self, batch: str) -> None:
        """Nothing is left of a removed batch."""
        self._safely(lambda: self._redis.srem(_REMOVED, batch))

    def keep_log(self, job: str, text: str) -> None:
        """Keep the end of what Blender said in the job's last attempt."""
        batch, _, index = job.rpartition("-")
        self._safely(lambda: self._redis.hset(f"farm:batch:{batch}:logs", index, text[-LOG_CHARACTERS:]))

    def log(self, job: str) -> str:
        """The end of Blender's log of the last attempt that ended badly; empty when none did. Raises NotFoundError."""
        self._read(job)
        batch, _, index = job.rpartition("-")
        return str(self._safely(lambda: self._redis.hget(f"farm:batch:{batch}:logs", index)) or "")

    def uses_of(self, model: str) -> int:
        """How many jobs that have not ended need the model."""
        return int(self._safely(lambda: self._redis.hget(_MODELS, model)) or 0)

    def totals(self) -> Totals:
        """The numbers that metrics and the autoscaler ask for."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.time()
        pipe.hgetall(_TOTALS)
        pipe.hgetall("farm:rate")
        (time, _), values, slots = self._safely(pipe.execute)
        backlog = int(values.get("backlog_images", 0)) - int(values.get("paused_images", 0))
        return Totals(counters.by_state(values), backlog, counters.rate(slots, float(time)))
