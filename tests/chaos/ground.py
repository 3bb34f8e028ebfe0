"""What a farm stands on where that is to be disturbed: disks of its own, a clock of Redis' own, networks that fall silent."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.clocks import ABSENT, Clock, can_set_clocks
from tests.support.disks import Disk, NoDiskError, disk

_TEMPORARY_BYTES = 2 * 2**30
_REDIS_BYTES = 2**30


@dataclass
class Ground:
    """Each is None where this machine cannot have it."""

    temporary: Disk | None = None
    """The temporary folder of all processes of the farm, as on one machine."""
    redis_disk: Disk | None = None
    """Where Redis keeps its append-only file."""
    redis_clock: Clock | None = None
    lacks: list[str] = field(default_factory=list)
    """What cannot be disturbed here, and why."""


@contextmanager
def disturbable(folder: Path) -> Iterator[Ground]:
    """All that this machine can have."""
    found = Ground()
    with ExitStack() as stack:
        try:
            found.temporary = stack.enter_context(disk(folder / "tmp", _TEMPORARY_BYTES))
            found.redis_disk = stack.enter_context(disk(folder / "redis-disk", _REDIS_BYTES))
        except NoDiskError as error:
            found.lacks.append(f"full disks ({error})")
        if can_set_clocks():
            found.redis_clock = Clock(folder / "redis-clock")
        else:
            found.lacks.append(f"clocks ({ABSENT})")
        yield found
