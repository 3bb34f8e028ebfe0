"""The workers: who is there, what they have done, and who is not to be given work any more.

    farm:workers         sorted set of names by when they were last heard of (the farm's time)
    farm:worker:<name>   hash: started, concurrency, renderer, done, lost, blamed, well (its last success), drained (the
                         reason)

A worker is to blame when an attempt of its on a job broke down and another worker then finished that job. After
`MAX_BLAME` of these in a row, without a success of its own in between, it is drained: it gets no more jobs, and an
operator sees why.
"""

from dataclasses import dataclass

from farm.errors import NotFoundError
from farm.jobs.connection import Connection
from farm.jobs.scaling import SLOT_SECONDS, SLOTS_KEPT
from farm.jobs.states import Job

MAX_BLAME = 3
ALIVE_SECONDS = 30.0
BEAT_SECONDS = 5.0
_FORGOTTEN_SECONDS = 24 * 3600
_SEEN = "farm:workers"


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker pod or process, with all its Blenders."""

    name: str
    alive: bool
    """Heard of within the last 30 s."""
    seen_seconds: float
    """How long ago it was heard of."""
    started: float
    """Seconds since the epoch."""
    concurrency: int
    renderer: str
    """The OpenGL renderer that it draws with; empty before its first model."""
    done: int
    """Jobs that it finished."""
    lost: int
    """Attempts of its that broke down."""
    blamed: int
    """Those since its last success that another worker then finished."""
    drained: str
    """Why it gets no jobs; empty: it gets some."""


class Workers:
    """The registry. Every method raises ServiceError when Redis does not answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._redis = connection.redis
        self._safely = connection.safely

    def register(self, name: str, concurrency: int) -> None:
        """A worker begins: whatever was said about an earlier one of this name is forgotten."""
        now, time = self._connection.now(), self._connection.time()
        pipe = self._redis.pipeline(transaction=True)
        pipe.delete(_key(name))
        pipe.hset(_key(name), mapping={"started": f"{now:.3f}", "concurrency": concurrency})
        pipe.zadd(_SEEN, {name: time})
        self._safely(pipe.execute)

    def beat(self, name: str, concurrency: int) -> None:
        """The worker is alive. One that Redis has forgotten (it was wiped) is registered again."""
        if not self._known(name):
            self.register(name, concurrency)
            return
        time = self._connection.time()
        self._safely(lambda: self._redis.zadd(_SEEN, {name: time}))

    def leave(self, name: str) -> None:
        """The worker ends."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.delete(_key(name))
        pipe.zrem(_SEEN, name)
        self._safely(pipe.execute)

    def all(self) -> list[Worker]:
        """Every worker that was heard of within the last day, by name."""
        time = self._connection.time()
        seen: list[tuple[str, float]] = self._safely(lambda: self._redis.zrange(_SEEN, 0, -1, withscores=True))
        pipe = self._redis.pipeline(transaction=False)
        for name, _ in seen:
            pipe.hgetall(_key(name))
        values: list[dict[str, str]] = self._safely(pipe.execute) if seen else []
        found = [_worker(name, time - at, held) for (name, at), held in zip(seen, values, strict=True) if held]
        return sorted(found, key=lambda worker: worker.name)

    def others_can_work(self, name: str) -> bool:
        """Whether a worker other than `name` is there and takes jobs."""
        return any(worker.alive and not worker.drained for worker in self.all() if worker.name != name)

    def drain(self, name: str, reason: str) -> None:
        """Give the worker no more jobs. Raises NotFoundError."""
        self._require(name)
        self._safely(lambda: self._redis.hset(_key(name), "drained", reason))

    def resume(self, name: str) -> None:
        """Give the worker jobs again, and forget its blame. Raises NotFoundError."""
        self._require(name)
        self._safely(lambda: self._redis.hdel(_key(name), "drained", "blamed"))

    def forgive(self, name: str) -> None:
        """The worker was thought lost and is there: what broke down on it meanwhile was nobody's fault."""
        self._safely(lambda: self._redis.hdel(_key(name), "blamed"))

    def drained(self, name: str) -> str:
        """Why the worker gets no jobs; empty: it gets some."""
        return str(self._safely(lambda: self._redis.hget(_key(name), "drained")) or "")

    def draws_with(self, name: str, renderer: str) -> None:
        """Note the OpenGL renderer of a worker."""
        if self._known(name):
            self._safely(lambda: self._redis.hset(_key(name), "renderer", renderer))

    def drew(self, name: str, images: int, seconds: float) -> None:
        """One of the worker's Blenders drew so many images within so many seconds, everything around it included.

        `farm.jobs.scaling` works out from this how many workers are wanted.
        """
        self._connection.run("pace", name, images, f"{seconds:.6f}", SLOT_SECONDS, SLOTS_KEPT)

    def lost(self, name: str) -> None:
        """An attempt of the worker broke down."""
        if self._known(name):
            self._safely(lambda: self._redis.hincrby(_key(name), "lost", 1))

    def finished(self, name: str, job: Job) -> list[str]:
        """The worker finished `job`: it is well, and others who broke down on it are to blame. Those drained for it."""
        if self._known(name):
            now = self._connection.now()
            pipe = self._redis.pipeline(transaction=True)
            pipe.hincrby(_key(name), "done", 1)
            pipe.hset(_key(name), "well", f"{now:.3f}")
            pipe.hdel(_key(name), "blamed")
            self._safely(pipe.execute)
        broke = {attempt.worker: attempt.at for attempt in job.attempts if attempt.counted and attempt.worker != name}
        return [worker for worker, at in sorted(broke.items()) if self._blame(worker, at)]

    def _blame(self, name: str, at: float) -> bool:
        """Count a break-down of time `at`, unless the worker has done well since; whether it is drained for it."""
        started, well = self._safely(lambda: self._redis.hmget(_key(name), "started", "well"))
        if started is None or at < float(well or 0):
            return False
        count = int(self._safely(lambda: self._redis.hincrby(_key(name), "blamed", 1)))
        if count >= MAX_BLAME and not self.drained(name):
            self.drain(name, f"Its last {count} attempts broke down on jobs that other workers then finished.")
            return True
        return False

    def forget_old(self) -> None:
        """Forget workers that were not heard of for a day."""
        horizon = self._connection.time() - _FORGOTTEN_SECONDS
        old: list[str] = self._safely(lambda: self._redis.zrangebyscore(_SEEN, "-inf", horizon))
        for name in old:
            self.leave(name)

    def _known(self, name: str) -> bool:
        """Whether it is there: what is said about a worker that has left must not bring it back."""
        return bool(self._safely(lambda: self._redis.hexists(_key(name), "started")))

    def _require(self, name: str) -> None:
        if self._safely(lambda: self._redis.zscore(_SEEN, name)) is None:
            raise NotFoundError(f"There is no worker '{name}'; `farm workers` lists them.")


def _key(name: str) -> str:
    return f"farm:worker:{name}"


def _worker(name: str, seconds: float, values: dict[str, str]) -> Worker:
    return Worker(
        name=name,
        alive=seconds < ALIVE_SECONDS,
        seen_seconds=max(0.0, seconds),
        started=float(values.get("started", 0)),
        concurrency=int(values.get("concurrency", 0)),
        renderer=values.get("renderer", ""),
        done=int(values.get("done", 0)),
        lost=int(values.get("lost", 0)),
        blamed=int(values.get("blamed", 0)),
        drained=values.get("drained", ""),
    )
