"""Few threads that other routes do not use: what watches the farm does not wait for its work."""

from collections.abc import Callable
from functools import cache

from anyio import CapacityLimiter, to_thread

_APART = 4


@cache
def _threads() -> CapacityLimiter:
    return CapacityLimiter(_APART)


async def apart[T](ask: Callable[[], T]) -> T:
    """What `ask` returns, run in one of these threads."""
    return await to_thread.run_sync(ask, limiter=_threads())
