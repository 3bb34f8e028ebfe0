"""The connection to Redis that the modules of `farm.jobs` share: scripts, clock, and one error for a server that is away."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from typing import Any

import redis

from farm.errors import ServiceError
from farm.jobs.address import ANSWER_SECONDS, read_address
from farm.jobs.client import Client
from farm.jobs.refusals import explain

LEASE_SECONDS = 45.0
"""How long a worker may be silent before its job goes to another."""
_ANSWER_SHARE = 1 / 4
"""Of a lease, if that is less: a worker must hear in time that Redis is silent (`farm.worker.heart`)."""
_HELD_SECONDS = 20.0

_HEAD = "#!lua flags=allow-oom\n"
"""Work that goes on, and an operator who stops it, must get through a Redis whose memory is full: what these scripts write
is small, and what ends makes room. What fills the memory comes by other commands, and is refused (Redis 7, Valkey)."""
_READING_HEAD = "#!lua flags=no-writes\n"
_READING = frozenset({"time"})
"""Scripts that write nothing get through to a Redis that takes no writes."""


@cache
def _source(name: str) -> str:
    folder = files("farm.jobs") / "lua"
    head = _READING_HEAD if name in _READING else _HEAD
    return head + (folder / "prelude.lua").read_text("utf-8") + (folder / f"{name}.lua").read_text("utf-8")


class Connection:
    """Redis at `url`. Every method raises ServiceError when it does not answer, or cannot do what it is asked."""

    def __init__(self, url: str, lease_seconds: float = LEASE_SECONDS) -> None:
        self.lease_seconds = lease_seconds
        self.address = read_address(url)
        answer_seconds = min(ANSWER_SECONDS, lease_seconds * _ANSWER_SHARE)
        # redis-py types every answer as bytes | str, whatever decode_responses says.
        self.redis: Any = Client.from_pool(self.address.pool(answer_seconds, decode=True))
        self._scripts: dict[str, Any] = {}

    def script(self, name: str) -> Any:
        """The script of this name in `lua/`; call it with ``args=`` and, in a pipeline, ``client=``."""
        if name not in self._scripts:
            self._scripts[name] = self.redis.register_script(_source(name))
        return self._scripts[name]

    def run(self, name: str, *arguments: str | float) -> Any:
        """Run a script."""
        return self.safely(lambda: self.script(name)(args=arguments))

    def safely[T](self, action: Callable[[], T]) -> T:
        """What `action` returns; its failure to reach Redis becomes a ServiceError."""
        try:
            return action()
        except redis.RedisError as error:
            sentence = explain(error)
            if sentence is None:
                raise  # a mistake of ours
            # Connections of before lead to a server that is gone, or was the primary: each would cost somebody a wait.
            self.redis.connection_pool.disconnect(inuse_connections=False)
            raise ServiceError(f"Redis at {self.address} {sentence}") from error

    def transaction[T](self, write: Callable[[Any], T], *watched: str) -> T:
        """What `write` returns, to which a pipeline is given; what it queues is done if nobody changed `watched` meanwhile.

        Else `write` is called again. Raises ServiceError also when others change it for too long.
        """
        deadline = time.monotonic() + _HELD_SECONDS

        def once() -> T:
            with self.redis.pipeline(transaction=True) as pipe:
                pipe.watch(*watched)
                answer = write(pipe)
                pipe.execute()
                return answer

        while True:
            try:
                return self.safely(once)
            except redis.WatchError as error:  # also when the connection broke, and then the server is asked anew
                if time.monotonic() > deadline:
                    raise ServiceError(
                        f"Redis at {self.address} is changed by others all the time ({error})."
                    ) from error

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the lock `name`, which one process of the farm holds at a time; for no longer than `_HELD_SECONDS`.

        Whoever stops for longer loses it, so what it guards must not depend on it alone. Raises ServiceError also when
        others hold it for too long.
        """
        held = self.redis.lock(f"farm:lock:{name}", timeout=_HELD_SECONDS, sleep=0.02)
        if not self.safely(lambda: held.acquire(blocking_timeout=_HELD_SECONDS)):
            raise ServiceError(f"Others have been changing '{name}' for {_HELD_SECONDS:.0f} s. Try again in a moment.")
        try:
            yield
        finally:
            with suppress(redis.exceptions.LockNotOwnedError):
                self.safely(held.release)

    def now(self) -> float:
        """Seconds since the epoch by Redis' clock, the one that all processes of a farm share."""
        seconds, micros = self.safely(self.redis.time)
        return float(seconds) + float(micros) / 1e6

    def time(self) -> float:
        """The farm's time in seconds: where clocks jump and machines sleep, it does neither (`lua/prelude.lua`).

        Differences are what it is for; people read `now`.
        """
        return float(self.run("time"))

    def check(self) -> str:
        """Prove that Redis answers and takes writes; a phrase that names it."""

        def ask() -> str:
            prove(self.redis)
            try:
                info: dict[str, Any] = self.redis.info("server")
            except redis.exceptions.NoPermissionError:
                return "a Redis that does not say its version"
            name = info.get("server_name", "redis")
            version = info.get("valkey_version") or info.get("redis_version", "?")
            return f"{name} {version}"

        return self.safely(ask)


_PROOF = """#!lua
redis.call('SET', 'farm:check', redis.call('TIME')[1], 'EX', 60)
redis.call('SET', 'farm:check:2', '', 'EX', 60)
return 1
"""
"""Writes as the scripts of the farm do; two keys, of which a cluster has no two in one place."""


def prove(client: Any) -> None:
    """Have the server that `client` talks to run a script that writes. Raises what redis-py raises when it does not."""
    client.eval(_PROOF, 0)
