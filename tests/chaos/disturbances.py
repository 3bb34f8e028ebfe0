"""What is done to a farm at random. Each disturbance does something bad and makes it good again."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from farm.jobs.reconcile import reconcile
from tests.chaos.farm import SHORT_LEASE_SECONDS, Farm
from tests.chaos.ground import Ground
from tests.chaos.processes import blenders, pool, signal_all
from tests.support.clocks import Clock
from tests.support.faults import Fault, FaultyProxy
from tests.support.servers import asked, wait_until

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86_400, 366 * 86_400
_LONG = 2 * SHORT_LEASE_SECONDS
"""Twice as long as a lease: whoever is away for as long may be thought lost."""


@dataclass
class Chaos:
    """A farm and the dice."""

    farm: Farm
    ground: Ground
    dice: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    guilty: Counter[str] = field(default_factory=Counter)
    """How many attempts of this code may count against their jobs: those whose process was killed."""
    names: int = 0
    _deck: list[Callable[[], None]] = field(default_factory=list)

    def disturb(self) -> str:
        """Do something bad, and make it good again; its name. Each has its turn before any has its next."""
        if not self._deck:
            self._deck = self._all()
            self.dice.shuffle(self._deck)
        action = self._deck.pop()
        action()
        self.counts[action.__name__] += 1
        return action.__name__

    def _all(self) -> list[Callable[[], None]]:
        found: list[Callable[[], None]] = [
            self.kill_blender,
            self.hang_blender,
            self.kill_worker,
            self.kill_pool_process,
            self.stop_worker,
            self.freeze_worker,
            self.cut_worker_off,
            self.restart_redis,
            self.wipe_redis,
            self.freeze_redis,
            self.silence_redis,
            self.break_redis_connections,
            self.take_no_writes,
            self.restart_api,
            self.pause,
        ]
        if self.farm.proxy is not None:
            found += [self.break_store, self.silence_store]
        if self.ground.temporary is not None:
            found += [self.fill_temporary_folder, self.fill_redis_disk]
        if self.ground.redis_clock is not None:
            found += [self.set_redis_clock, self.set_workers_clock]
        return found

    # Processes

    def _worker(self) -> str:
        return self.dice.choice(sorted(self.farm.workers))

    def _hire(self, clock: Clock | None = None) -> str:
        self.names += 1
        return self.farm.start_worker(f"hired{self.names}", clock=clock).name

    def kill_blender(self) -> None:
        """By the signals with which the kernel, a driver and Blender itself end it."""
        how = self.dice.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
        self.guilty["blender-died"] += signal_all(blenders(self.farm.workers[self._worker()].process.pid), how)

    def hang_blender(self) -> None:
        """For less long than it may be silent."""
        stopped = blenders(self.farm.workers[self._worker()].process.pid)
        signal_all(stopped, signal.SIGSTOP)
        time.sleep(self.dice.uniform(1, 5))
        signal_all(stopped, signal.SIGCONT)

    def kill_worker(self) -> None:
        """And start another."""
        self.farm.kill_worker(self._worker())
        self.guilty["worker-lost"] += 1
        self._hire()

    def kill_pool_process(self) -> None:
        """Celery starts another in the worker."""
        self.guilty["worker-lost"] += signal_all(pool(self.farm.workers[self._worker()].process.pid), signal.SIGKILL)

    def stop_worker(self) -> None:
        """And start another."""
        self.farm.stop_worker(self._worker())
        self._hire()

    def freeze_worker(self) -> None:
        """As a machine that swaps or sleeps."""
        frozen = self.farm.workers[self._worker()].tree
        signal_all(frozen, signal.SIGSTOP)
        time.sleep(self.dice.uniform(1, _LONG))
        signal_all(frozen, signal.SIGCONT)

    def restart_api(self) -> None:
        """By force, or as Kubernetes does."""
        self.farm.stop_api(self.dice.choice([signal.SIGKILL, signal.SIGTERM]))
        self.farm.start_api()

    # Redis

    def restart_redis(self) -> None:
        """With its append-only file."""
        self.farm.kill_redis()
        time.sleep(self.dice.uniform(0, 4))
        self.farm.start_redis()

    def wipe_redis(self) -> None:
        """And rebuild it from the store."""
        self.farm.services.connection.redis.flushall()
        time.sleep(self.dice.uniform(0, 2))
        reconcile(self.farm.store, self.farm.services.jobs)

    def freeze_redis(self) -> None:
        """The server stands still, and goes on where it was."""
        self.farm.pause_redis(True)
        time.sleep(self.dice.uniform(1, _LONG))
        self.farm.pause_redis(False)

    def take_no_writes(self) -> None:
        """Redis becomes a replica for a while, or its own replicas are gone, or its memory is full."""
        server = self.farm.services.connection.redis
        how = self.dice.choice(["demoted", "min-replicas-to-write", "maxmemory"])
        if how == "demoted":
            server.replicaof("127.0.0.1", "1")
        else:
            server.config_set(how, 1)
        time.sleep(self.dice.uniform(1, _LONG))
        if how == "demoted":
            server.replicaof("NO", "ONE")
        else:
            server.config_set(how, 0)

    # Networks

    def _lines(self) -> list[FaultyProxy]:
        """Everybody's ways to Redis."""
        lines = [self.farm.api_line, *(worker.line for worker in self.farm.workers.values())]
        return [line for line in lines if line is not None]

    @staticmethod
    def _fault(lines: list[FaultyProxy], fault: Fault, seconds: float) -> None:
        for line in lines:
            line.fault = fault
        time.sleep(seconds)
        for line in lines:
            line.fault = Fault.OK

    def silence_redis(self) -> None:
        """For everybody: no FIN, no reset, and what was open is dead for good."""
        self._fault(self._lines(), Fault.SILENT, self.dice.uniform(1, _LONG))

    def break_redis_connections(self) -> None:
        """Of everybody, by resets: in the middle, or when a command was carried out and its answer is on the way."""
        fault = self.dice.choice([Fault.REFUSE, Fault.CUT, Fault.LOSE_ANSWER])
        self._fault(self._lines(), fault, self.dice.uniform(1, 8))

    def cut_worker_off(self) -> None:
        """From Redis: the others go on, and its job goes to one of them."""
        line = self.farm.workers[self._worker()].line
        assert line is not None
        self._fault([line], Fault.SILENT, self.dice.uniform(1, 1.5 * _LONG))

    def silence_store(self) -> None:
        """For everybody, too."""
        assert self.farm.proxy is not None
        self._fault([self.farm.proxy], Fault.SILENT, self.dice.uniform(1, 15))

    def break_store(self) -> None:
        """It says that it is away, or connections end in the middle."""
        assert self.farm.proxy is not None
        fault = self.dice.choice([Fault.UNAVAILABLE, Fault.REFUSE, Fault.CUT, Fault.LOSE_ANSWER])
        self._fault([self.farm.proxy], fault, self.dice.uniform(1, 15))

    # Disks

    def fill_temporary_folder(self) -> None:
        """That of all workers and the API; at times something dies there that is to be started again."""
        assert self.ground.temporary is not None
        self.ground.temporary.fill()
        time.sleep(self.dice.uniform(1, 5))
        self.dice.choice([lambda: None, self.kill_blender, self.kill_pool_process, self.kill_worker])()
        time.sleep(self.dice.uniform(1, 15))
        self.ground.temporary.free()

    def fill_redis_disk(self) -> None:
        """It cannot write its append-only file."""
        assert self.ground.redis_disk is not None
        self.ground.redis_disk.fill()
        time.sleep(self.dice.uniform(1, _LONG))
        self.ground.redis_disk.free()

    # Clocks

    def set_redis_clock(self) -> None:
        """And leave it so."""
        assert self.ground.redis_clock is not None
        self.ground.redis_clock.set(self.dice.choice([-YEAR, -HOUR, -MINUTE, 0, MINUTE, HOUR, DAY, YEAR]))
        time.sleep(self.dice.uniform(1, 4))

    def set_workers_clock(self) -> None:
        """Back and forth; in the end it is right, or the store would take nothing that it signs."""
        clocked = sorted(name for name, worker in self.farm.workers.items() if worker.clock is not None)
        if not clocked:
            self.farm.stop_worker(self._worker())
            clocked = [self._hire(Clock(self.farm.folder / f"clock{self.names}"))]
            metrics = self.farm.workers[clocked[0]].metrics
            wait_until(lambda: asked(metrics) is not None, "a worker with a clock of its own")
            time.sleep(self.dice.uniform(0, 4))
        clock = self.farm.workers[self.dice.choice(clocked)].clock
        assert clock is not None
        for _ in range(self.dice.randint(1, 3)):
            clock.set(self.dice.choice([-DAY, -2 * HOUR, -5 * MINUTE, 5 * MINUTE, 2 * HOUR, DAY]))
            time.sleep(self.dice.uniform(1, 4))
        clock.set(0)

    # People

    def pause(self) -> None:
        """A batch."""
        batch = self.dice.choice([batch.id for batch in self.farm.services.jobs.batches(3)])
        self.farm.services.batches.set_paused(batch, True)
        time.sleep(self.dice.uniform(0, 4))
        self.farm.services.batches.set_paused(batch, False)
