"""Confines the process that calls it: one that reads strangers' files, and that a flaw in a reader could turn on us.

What the kernel refuses is left out and told; the rest holds all the same. Nothing here can be taken back.
"""

import os
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from farm.confinement import landlock, namespaces, seccomp
from farm.confinement.kernel import control
from farm.confinement.landlock import Access

_NO_NEW_PRIVILEGES = 38
PRIVILEGES, LIMITS, NETWORK, CALLS, FILES = "no new privileges", "limits", "no network", "system calls", "files"
MEASURES = (PRIVILEGES, LIMITS, NETWORK, CALLS, FILES)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process may take. Source: getrlimit(2)."""

    memory: int
    """Bytes of private memory that can be written."""
    cpu_seconds: int
    """Of all its threads together."""
    file_bytes: int
    """Of one file that it writes."""
    open_files: int

    def take_effect(self) -> None:
        """Raises OSError or ValueError for what cannot be had."""
        for what, most in (
            (resource.RLIMIT_DATA, self.memory),
            (resource.RLIMIT_CPU, self.cpu_seconds),
            (resource.RLIMIT_FSIZE, self.file_bytes),
            (resource.RLIMIT_NOFILE, self.open_files),
            (resource.RLIMIT_CORE, 0),  # a core dump holds the model
        ):
            _, hard = resource.getrlimit(what)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(what, (most, most))


def confine(paths: Mapping[Path, Access], limits: Limits, pinned: frozenset[Path] = frozenset()) -> dict[str, str]:
    """Give up all but `paths` and `limits`. For each of MEASURES why it does not hold; empty: it does.

    Call it before there are threads: they would stay as they were.
    """
    if sys.platform != "linux":
        return dict.fromkeys(MEASURES, "only Linux has it")
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        (LIMITS, limits.take_effect),
        (NETWORK, namespaces.leave_network),
        (PRIVILEGES, _give_up_privileges),
        (FILES, lambda: landlock.restrict(paths, pinned)),
        (CALLS, seccomp.restrict),  # the last: it refuses what those before it do
    )
    lacking = {}
    for name, step in steps:
        try:
            step()
            lacking[name] = ""
        except (OSError, ValueError) as error:
            lacking[name] = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return {name: lacking[name] for name in MEASURES}


def _give_up_privileges() -> None:
    control(_NO_NEW_PRIVILEGES, 1)
    namespaces.drop_capabilities()
