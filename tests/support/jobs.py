"""Jobs and batches for tests of the control plane, and its parts around one Redis server."""

import weakref
from dataclasses import dataclass, replace
from multiprocessing import SimpleQueue
from pathlib import Path

from farm.jobs.batches import BatchRecord
from farm.jobs.connection import Connection
from farm.jobs.keeper import Keeper
from farm.jobs.orders import OrderBook
from farm.jobs.queue import Queue, Taken
from farm.jobs.states import Job, claim, finish, job_id
from farm.jobs.store import JobStore, new_id
from farm.jobs.workers import Workers
from farm.morphs.refs import MorphRef
from farm.spec import RenderSpec
from farm.storage import LocalStore

RECORD = BatchRecord("name", RenderSpec(seed=7), "2026-01-01T00:00:00+00:00")


def new_jobs(count: int, images: int = 8, batch: str = "", model: str = "0" * 64) -> list[Job]:
    """Jobs of a batch, of which nothing is stored yet."""
    batch = batch or new_id()
    return [
        Job(
            id=job_id(batch, index),
            model=model,
            name=f"狐 {index}",
            annotation={"mouth/a": MorphRef(index=0, name="あ")},
            samples=1,
            images_total=images,
            render_key=f"{index:064x}",
        )
        for index in range(count)
    ]


class CountedTickets:
    """`farm.jobs.keeper.Tickets` that only counts."""

    def __init__(self) -> None:
        self.issued = self.waiting = 0

    def issue(self, count: int) -> None:
        """Wake workers for `count` jobs."""
        self.issued += count
        self.waiting += count

    def pending(self) -> int:
        """Tickets that no worker has taken."""
        return self.waiting


@dataclass(frozen=True)
class Core:
    """The control plane without API and workers."""

    connection: Connection
    jobs: JobStore
    queue: Queue
    workers: Workers
    book: OrderBook
    tickets: CountedTickets
    keeper: Keeper

    def add(self, count: int, images: int = 8, priority: int = 0, paused: bool = False) -> list[Job]:
        """A new batch; its jobs."""
        jobs = new_jobs(count, images)
        assert self.jobs.add_batch(jobs[0].batch, RECORD, jobs, priority, paused)
        return jobs

    def add_for(self, owner: str, size: int) -> None:
        """A batch of `owner`'s that takes so many bytes of the owner's allowance, about."""
        jobs = new_jobs(1)
        padded = [replace(jobs[0], name="x" * size)]
        assert self.jobs.add_batch(jobs[0].batch, replace(RECORD, owner=owner), padded)

    def take(self, worker: str = "worker@a") -> Taken:
        """The next job, which there must be."""
        taken = self.queue.take(worker)
        assert taken is not None
        return taken

    def begin(self, worker: str = "worker@a") -> Job:
        """The next job, claimed."""
        return self.jobs.change(self.take(worker).job, lambda job: claim(job, worker))

    def silence(self, job: str) -> None:
        """Let the lease of a job run out now."""
        assert self.connection.redis.zadd("farm:leases", {job: 1.0}, xx=True, ch=True) == 1

    def wait_is_over(self) -> None:
        """Let the time to wait be over for all jobs."""
        for job in self.connection.redis.zrange("farm:later", 0, -1):
            self.connection.redis.zadd("farm:later", {job: 1.0}, xx=True)


def connected(url: str) -> Connection:
    """A connection to the Redis server at `url` that closes its sockets when it is let go: the search for garbage warns of a
    socket where it comes to it before what holds it."""
    connection = Connection(url)
    weakref.finalize(connection, connection.redis.connection_pool.disconnect)
    return connection


def make_core(url: str, folder: Path, history_days: float = 30.0) -> Core:
    """The control plane on the Redis server at `url`, its orders in `folder`."""
    connection, book, tickets = connected(url), OrderBook(LocalStore(folder)), CountedTickets()
    keeper = Keeper(connection, book, tickets, history_days, "keeper")
    return Core(
        connection, JobStore(connection), Queue(connection), Workers(connection), book, tickets, keeper
    )  # fmt: skip


def finish_all(core: Core, worker: str) -> list[str]:
    """Take and finish jobs until there is none; those that were finished."""
    mine: list[str] = []
    while (taken := core.queue.take(worker)) is not None:
        job = core.jobs.change(taken.job, lambda j: claim(j, worker))
        core.jobs.change(job.id, lambda j, a=job.attempt: finish(j, a))  # type: ignore[misc]
        mine.append(job.id)
    return mine


def finish_all_there(url: str, folder: Path, worker: str, done: "SimpleQueue[list[str]]") -> None:
    """`finish_all`, in a process of its own."""
    done.put(finish_all(make_core(url, folder), worker))
