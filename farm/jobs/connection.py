"""The connection to Redis that the modules of `farm.jobs` share: scripts, clock, and one error for a server that is away."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from farm.errors import ServiceError

LEASE_SECONDS = 45.0
"""How long a worker may be silent before its job goes to another."""
CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 10.0
_ANSWER_SHARE = 1 / 4
"""Of a lease, if that is less: a worker must hear in time that Redis is silent (`farm.worker.heart`)."""
_HELD_SECONDS = 20.0
_NO_WRITES = ("MISCONF", "NOREPLICAS", "BUSY ")
"""What Redis says when its disk is full, its replicas are gone, or a script does not end."""


def connect(url: str, answer_seconds: float = _ANSWER_SECONDS) -> "redis.Redis":
    """A client for `url`; nothing is sent yet.

    A command is never sent a second time behind our back: the first may have been carried out.
    """
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=answer_seconds,
        health_check_interval=30,
        retry=Retry(NoBackoff(), 0),
    )


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
    """Redis at `url`. Every method raises ServiceError when it does not answer."""

    def __init__(self, url: str, lease_seconds: float = LEASE_SECONDS) -> None:
        self.lease_seconds = lease_seconds
        # redis-py types every answer as bytes | str, whatever decode_responses says.
        try:
            self.redis: Any = connect(url, min(_ANSWER_SECONDS, lease_seconds * _ANSWER_SHARE))
        except ValueError as error:
            raise ServiceError(
                f"FARM_REDIS_URL is no Redis address ({error}); it looks like redis://host:6379/0."
            ) from error
        self._url = url
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
        except (
            redis.ConnectionError,
            redis.TimeoutError,
            redis.exceptions.ReadOnlyError,
            redis.OutOfMemoryError,
            redis.ResponseError,
        ) as error:
            if type(error) is redis.ResponseError and not any(word in str(error) for word in _NO_WRITES):
                raise  # a mistake of ours
            raise ServiceError(
                f"Redis at {self._url.rsplit('@')[-1]} does not answer or takes no writes ({error}). Check FARM_REDIS_URL, "
                "that the server is up and that it has memory and disk; `farm doctor` tries it."
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
            self.redis.set("farm:check", "", ex=60)
            info: dict[str, Any] = self.redis.info("server")
            name = info.get("server_name", "redis")
            version = info.get("valkey_version") or info.get("redis_version", "?")
            return f"{name} {version}"

        return self.safely(ask)
