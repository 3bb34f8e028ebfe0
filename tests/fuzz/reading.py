"""Bad files through all that an upload does."""

import os
import resource
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random

from farm.errors import FarmError
from farm.models.inventory import Inventory
from farm.models.package import to_bytes
from tests.fuzz import motions
from tests.fuzz.mutation import VRM, File, bad_file, seeds
from tests.support.received import receive

SECONDS, PATIENCE = 2.0, 60.0
"""Of the processor, and by the clock: a busy machine does not count."""
MEMORY = 512 * 2**20
CHUNK = 500


class Kind(StrEnum):
    """Which files are sent."""

    VRM = "VRM files"
    MOTION = "motion files"
    OTHER = "other files"


@dataclass
class Outcome:
    """What came of some files."""

    counts: Counter[str] = field(default_factory=Counter)
    """By what they were and what became of them."""
    offences: list[tuple[str, File]] = field(default_factory=list)
    slowest: float = 0.0
    """Seconds of one file: of the processor where it is read, by the clock where it is drawn."""
    peak: int = 0
    """Bytes of resident memory of the process that took them in, or drew them."""


class _Hang(BaseException):
    """Not an Exception, so that nothing but this file catches it."""


def take_in(name: str, data: bytes) -> str:
    """Do what the API does with an upload; the outcome in a word."""
    try:
        packages, refusals = receive(name, data)
        for refusal in refusals:
            str(refusal.error).encode()
        for package in packages:
            held = package.inventory
            assert Inventory.model_validate_json(held.model_dump_json()) == held
            to_bytes(package)
    except FarmError as error:
        str(error).encode()
        return error.code
    return "taken" if packages else refusals[0].error.code


def _sent(kind: Kind) -> tuple[Sequence[File], Callable[[str, bytes], str]]:
    """The good files of a kind, and what is done with bad ones."""
    if kind is Kind.MOTION:
        return motions.seeds(), motions.take_in
    return [(name, data) for name, data in seeds() if name.endswith(VRM) == (kind is Kind.VRM)], take_in


def read(files: int, seed: int, kind: Kind) -> Iterator[Outcome]:
    """Take so many bad files of a kind in; the outcomes of a few hundred at a time."""
    chunks = -(-files // CHUNK)
    with ProcessPoolExecutor(os.cpu_count(), initializer=_limit_memory) as pool:
        yield from pool.map(_run_chunk, [seed] * chunks, [kind] * chunks, range(chunks))


def _run_chunk(seed: int, kind: Kind, number: int) -> Outcome:
    dice = Random(f"{seed}/{kind}/{number}")
    signal.signal(signal.SIGPROF, _alarm)
    signal.signal(signal.SIGALRM, _alarm)
    of_kind, use = _sent(kind)
    outcome = Outcome()
    for _ in range(CHUNK):
        name, data = bad_file(dice, of_kind)
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        try:
            outcome.counts[f"{Path(name).suffix[1:]} {use(name, data)}"] += 1
        except _Hang:
            outcome.offences.append((f"takes over {SECONDS} s of the processor, or {PATIENCE} s", (name, data)))
        except Exception:  # noqa: BLE001  (whatever it is, it is what we look for)
            outcome.offences.append((traceback.format_exc(limit=-3), (name, data)))
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
        outcome.slowest = max(outcome.slowest, time.process_time() - started)
    outcome.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return outcome


def _alarm(*_: object) -> None:
    raise _Hang


def _limit_memory() -> None:
    # Address space, which is more than memory: what numpy and its threads map is about 1 GiB before anything is read.
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY))
