"""Compares everything that Redis holds about the farm with the truth, which is the jobs themselves."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from farm.jobs.connection import Connection
from farm.jobs.states import Job, State, broken_invariants

_SORTED_SETS = ("batches", "ready", "later", "leases", "ended", "webhooks")


def audit(connection: Connection) -> list[str]:
    """What does not fit, a sentence each; empty when all is well.

    For a farm at rest: what changes while this reads looks like a mistake.
    """
    return _Audit(connection.redis).findings()


class _Audit:
    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self._found: list[str] = []
        self._sets: dict[str, dict[str, float]] = {
            name: dict(redis.zrange(f"farm:{name}", 0, -1, withscores=True)) for name in _SORTED_SETS
        }
        self._standing = {batch: redis.hgetall(f"farm:batch:{batch}") for batch in self._sets["batches"]}
        self._jobs = {
            batch: {int(index): Job.from_json(json.loads(text)) for index, text in self._hash(batch, "jobs").items()}
            for batch in self._standing
        }
        self._queues = {
            batch: [int(index) for index in redis.lrange(f"farm:batch:{batch}:queue", 0, -1)] for batch in self._jobs
        }

    def _hash(self, batch: str, part: str) -> dict[str, str]:
        found: dict[str, str] = self._redis.hgetall(f"farm:batch:{batch}:{part}")
        return found

    def findings(self) -> list[str]:
        self._each_job()
        self._each_place()
        for batch in self._jobs:
            self._counters(batch)
            self._readiness(batch)
        self._totals()
        self._models()
        self._owners()
        self._names()
        self._events()
        return self._found

    def _same(self, what: str, kept: object, true: object) -> None:
        if kept != true:
            self._found.append(f"{what}: Redis says {kept}, the jobs say {true}")

    def _each_job(self) -> None:
        for batch, jobs in self._jobs.items():
            self._same(f"indexes of {batch}", sorted(jobs), list(range(len(jobs))))
            for index, job in jobs.items():
                self._same(f"place of {job.id}", (batch, index), (job.batch, job.index))
                self._found.extend(f"{job.id}: not so: {name}" for name in broken_invariants(job))

    def _each_place(self) -> None:
        """A queued job stands in one place, an active one has its lease, an ended one stands nowhere."""
        places: Counter[tuple[str, str]] = Counter()
        for batch, queue in self._queues.items():
            places.update(("queue", f"{batch}-{index}") for index in queue)
        for name in ("later", "leases"):
            places.update((name, job) for job in self._sets[name])
        for jobs in self._jobs.values():
            for job in jobs.values():
                stands = [name for name in ("queue", "later", "leases") for _ in range(places.pop((name, job.id), 0))]
                if job.state is State.QUEUED:
                    if len(stands) != 1:
                        self._found.append(f"{job.id} is queued and stands in {stands or 'no place'}")
                else:
                    self._same(f"places of {job.id} ({job.state})", stands, ["leases"] if job.state.active else [])
        self._found.extend(f"{name} holds {job}, which is no job" for name, job in places)
        for batch, jobs in self._jobs.items():
            waits = {index for index, job in jobs.items() if job.state is State.QUEUED}
            notes = {int(index) for index in self._hash(batch, "since")}
            self._same(f"notes of waits of {batch}, beside queued jobs", notes - waits, set())

    def _counters(self, batch: str) -> None:
        jobs, standing = self._jobs[batch].values(), self._standing[batch]
        states = Counter(job.state for job in jobs)
        for state in State:
            self._same(f"{state} of {batch}", int(standing.get(state, 0)), states[state])
        for name in ("images_total", "images_done"):
            self._same(f"{name} of {batch}", int(standing.get(name, 0)), sum(getattr(job, name) for job in jobs))
        codes = Counter(
            job.error_code
            for job in jobs
            if job.state in (State.FAILED, State.QUARANTINED)
            or (job.state in (State.DONE, State.CANCELLED) and job.error_code == "model-withdrawn")
        )
        kept = {k.removeprefix("error:"): int(v) for k, v in standing.items() if k.startswith("error:")}
        self._same(f"errors of {batch}", kept, dict(codes))
        self._same(f"backlog of {batch}", int(standing["backlog_images"]), _owed(jobs))
        still_open = sum(not job.state.ended for job in jobs)
        self._same(f"open of {batch}", int(standing["open"]), still_open)
        self._same(f"the end of {batch}", "ended" in standing, still_open == 0)
        self._same(f"{batch} among the ended", batch in self._sets["ended"], still_open == 0)
        self._same(f"sequence of {batch}", self._sets["batches"][batch], float(standing["sequence"]))

    def _readiness(self, batch: str) -> None:
        standing = self._standing[batch]
        score = -int(standing["priority"]) * 1e11 + int(standing["sequence"])
        takeable = standing["paused"] != "1" and bool(self._queues[batch])
        self._same(f"{batch} among the ready", self._sets["ready"].get(batch), score if takeable else None)

    def _totals(self) -> None:
        totals = self._redis.hgetall("farm:totals")
        jobs = [job for jobs in self._jobs.values() for job in jobs.values()]
        states = Counter(job.state for job in jobs)
        for state in State:
            self._same(f"{state} of all", int(totals.get(state, 0)), states[state])
        for name in ("images_total", "images_done"):
            self._same(f"{name} of all", int(totals.get(name, 0)), sum(getattr(job, name) for job in jobs))
        self._same("backlog_images", int(totals.get("backlog_images", 0)), _owed(jobs))
        paused = [batch for batch, standing in self._standing.items() if standing["paused"] == "1"]
        waiting = sum(_owed(self._jobs[batch].values()) for batch in paused)
        self._same("paused_images", int(totals.get("paused_images", 0)), waiting)

    def _models(self) -> None:
        uses = Counter(job.model for jobs in self._jobs.values() for job in jobs.values() if not job.state.ended)
        kept = {model: int(count) for model, count in self._redis.hgetall("farm:models").items()}
        self._same("uses of models", kept, dict(uses))

    def _owners(self) -> None:
        """What each user is charged with is what the user's batches take."""
        true: dict[str, Counter[str]] = {}
        for batch in self._standing.values():
            charged = true.setdefault(batch.get("owner", ""), Counter())
            charged["bytes"] += int(batch.get("bytes", 0))
            charged["preview_pixels"] += 0 if "ended" in batch else int(batch.get("preview_pixels", 0))
        true.pop("", None)
        kept = {
            key.removeprefix("farm:owner:"): {name: int(amount) for name, amount in self._redis.hgetall(key).items()}
            for key in self._redis.scan_iter("farm:owner:*", count=1000)
        }
        self._same("what owners take", kept, {owner: +charged for owner, charged in true.items() if +charged})

    def _names(self) -> None:
        """Nothing is kept about batches and workers that are not there."""
        for key in self._redis.scan_iter("farm:batch:*", count=1000):
            if key.split(":")[2] not in self._jobs:
                self._found.append(f"{key} belongs to no batch")
        for name in ("ready", "ended", "webhooks"):
            self._found.extend(f"farm:{name} holds {b}, no batch" for b in self._sets[name] if b not in self._jobs)
        seen = set(self._redis.zrange("farm:workers", 0, -1))
        for key in self._redis.scan_iter("farm:worker:*", count=1000):
            if key.removeprefix("farm:worker:") not in seen:
                self._found.append(f"{key} belongs to no worker that was seen")

    def _events(self) -> None:
        """Who followed the stream to its end knows how every job and batch stands."""
        told: dict[str, dict[str, Any]] = {}
        lives: dict[str, str] = {}
        for _, event in self._redis.xrange("farm:events"):
            data = json.loads(event["data"])
            if event["batch"] not in self._jobs:
                continue
            if event["kind"] == "job":
                told[data["job"]] = data
            elif data["change"] in ("ended", "reopened"):
                lives[event["batch"]] = data["change"]
            elif data["change"] in ("paused", "priority"):
                told[f"{event['batch']} {data['change']}"] = data
        for batch, jobs in self._jobs.items():
            for job in jobs.values():
                if last := told.get(job.id):
                    said = (last["state"], last["attempt"], last["images_done"], last["error_code"])
                    self._same(
                        f"the last event of {job.id}", said, (job.state, job.attempt, job.images_done, job.error_code)
                    )
            for field in ("paused", "priority"):
                if last := told.get(f"{batch} {field}"):
                    self._same(f"the last event on {field} of {batch}", last["value"], self._standing[batch][field])
            if batch in lives:
                self._same(f"the last event of {batch}", lives[batch] == "ended", "ended" in self._standing[batch])


def _owed(jobs: Iterable[Job]) -> int:
    return sum(job.images_total - job.images_done for job in jobs if not job.state.ended)
