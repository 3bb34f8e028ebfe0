"""Shows Prometheus what a worker does: the sum over all its processes, and what its machine says when it is asked."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, multiprocess, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from farm.exposition import Disks, kept
from farm.metrics import ShownBy
from farm.worker.gpu import Gpus

_KINDS = ("counter", "histogram", "gauge_livesum", "gauge_livemax")
"""Of which the library makes a file a process, named so."""
_KIND_BYTES = 2**17
"""Twice what the library begins a file with, and a multiple of what all series take."""
_LIVE = re.compile(r"gauge_live\w+_(\d+)\.db")


def keep() -> None:
    """Keep what this process counts, and those that it forks from now on, in PROMETHEUS_MULTIPROC_DIR."""
    reserve()
    kept(ShownBy.WORKER)


def reserve() -> None:
    """Take the room that this process needs for that on the disk. Raises OSError where there is none.

    The library writes to memory that stands for sparse files: where no disk is left behind it, the kernel ends the process,
    in the middle of whatever it draws.
    """
    for kind in _KINDS:
        file = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"], f"{kind}_{os.getpid()}.db")
        # Of a process of the same number before, or one that is whole in the moment in which it is there: half of one would
        # end every look at the numbers.
        begun = file if file.exists() else file.with_suffix(".begun")
        with begun.open("ab") as opened:
            os.posix_fallocate(opened.fileno(), 0, _KIND_BYTES)
        begun.replace(file)


def serve(host: str, port: int) -> None:
    """Answer GET /metrics on `host` and `port` for all processes that share PROMETHEUS_MULTIPROC_DIR."""
    registry = CollectorRegistry()
    registry.register(Processes(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])))
    registry.register(Disks({"temporary": Path(tempfile.gettempdir())}))
    registry.register(Gpus())
    start_http_server(port, addr=host, registry=registry)


def _has_ended(process: str) -> bool:
    """Whether it is gone, or a zombie, which has no program any more."""
    try:
        Path("/proc", process, "exe").readlink()
    except FileNotFoundError:
        return True
    except OSError:  # it is not for us to know
        pass
    return False


class Processes(Collector):
    """The numbers that the processes keep in `folder`, as one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Read them. What a process said last counts as long as it is there: one that was killed takes nothing back."""
        for file in self._folder.iterdir():
            found = _LIVE.fullmatch(file.name)
            if found and _has_ended(found[1]):
                file.unlink(missing_ok=True)
        yield from multiprocess.MultiProcessCollector(None, str(self._folder)).collect()  # type: ignore[no-untyped-call]
