"""Finding and hurting processes: the tree below a worker, and the Blender in it."""

import os
import signal
from pathlib import Path

from tests.support.servers import wait_until


def _parents() -> dict[int, int]:
    """Process to its parent, for all processes."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                # The name, in brackets, may hold anything; what follows the last bracket is numbers.
                found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue  # it ended meanwhile
    return found


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, children before grandchildren."""
    parents = _parents()
    found, level = [], [pid]
    while level:
        level = [child for child, parent in parents.items() if parent in level]
        found += level
    return found


def _is_blender(pid: int) -> bool:
    try:
        return b"blender_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def blenders(pid: int) -> list[int]:
    """The Blender processes below a worker."""
    return [child for child in descendants(pid) if _is_blender(child)]


def pool(pid: int) -> list[int]:
    """The pool processes of a worker: its children that are no Blender."""
    parents = _parents()
    return [child for child, parent in parents.items() if parent == pid and not _is_blender(child)]


def signal_all(pids: list[int], how: signal.Signals) -> int:
    """Send a signal to each; how many were there."""
    reached = 0
    for pid in pids:
        try:
            os.kill(pid, how)
            reached += 1
        except ProcessLookupError:
            continue
    return reached


def gone(pids: list[int]) -> None:
    """Wait until none of them runs."""
    wait_until(
        lambda: not any(Path(f"/proc/{pid}").exists() and not _is_zombie(pid) for pid in pids), "processes ending"
    )


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
