"""The big fuzz: mutated PMX, PMD, VRM and zip files through all that an upload does, in processes of their own.

usage: python -m tests.fuzz [--files 200000] [--seed 1]

Ends with code 0 and one line of counts when every file was either taken or refused with one of our own errors, within 2 s
and 512 MiB; otherwise it names the first offenders, writes them to build/fuzz/, and ends with code 1. `make fuzz` calls it.
"""

import argparse
import io
import os
import random
import resource
import signal
import sys
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from farm.errors import FarmError
from farm.models.inventory import Inventory
from farm.models.mmd.pmd_writer import pmd_bytes
from farm.models.mmd.pmx_writer import Layout, pmx_bytes
from farm.models.package import to_bytes
from farm.models.vrm.writer import vrm_bytes
from tests.farm.models import made_files as made
from tests.support.received import receive

SECONDS = 2.0
MEMORY = 512 * 2**20
CHUNK = 500
KEPT = Path("build/fuzz")
_EXTREMES = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\0\0\0\0", b"\x01\0\0\0", b"\0\0\xc0\x7f")


class _Hang(BaseException):
    """Not an Exception, so that nothing but this file catches it."""


def seeds() -> list[tuple[str, bytes]]:
    """The files that are mutated: (name, bytes)."""
    full, small = made.full_character(), made.small_character()
    found = [
        ("a.pmx", pmx_bytes(full, Layout(version=2.1))),
        ("a.pmx", pmx_bytes(full, Layout(2.1, "utf-8", 1, 1, 1, 1, 1, 2, 3))),
        ("a.pmx", pmx_bytes(small, Layout(deform=0, bone_index=2))),
        ("a.pmd", made.pack_pmd()),
        ("a.pmd", pmd_bytes(small)),
        ("a.vrm", made.vrm("0.x").to_bytes()),
        ("a.vrm", made.vrm("1.0").to_bytes()),
        ("a.vrm", vrm_bytes(full)),
    ]
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with io.BytesIO() as out:
            with zipfile.ZipFile(out, "w", method) as archive:
                archive.writestr("狐/model.pmx", pmx_bytes(made.small_character(textures=("tex/a.png",))))
                archive.writestr("狐/tex/a.png", b"\x89PNG" * 20)
                archive.writestr("b/c.pmd", pmd_bytes(small))
            found.append(("a.zip", out.getvalue()))
    return found


def mutated(data: bytes, dice: random.Random) -> bytes:
    """`data` with a few bytes, numbers or pieces changed, or its end cut off."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8, 20))):
        at = dice.randrange(len(changed)) if changed else 0
        match dice.randrange(8):
            case 0 | 1:
                changed[at : at + 1] = bytes([dice.randrange(256)])
            case 2:
                changed[at : at + 1] = bytes([changed[at] ^ 1 << dice.randrange(8)]) if changed else b""
            case 3 | 4:
                changed[at : at + 4] = dice.choice(_EXTREMES)
            case 5:
                del changed[at : at + dice.randrange(1, 64)]
            case 6:
                changed[at:at] = changed[at : at + dice.randrange(1, 64)]
            case _ if dice.random() < 0.2:
                del changed[at:]
            case _:
                other = dice.randrange(len(changed)) if changed else 0
                changed[at : at + 8] = changed[other : other + 8]
    return bytes(changed)


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


def _alarm(*_: object) -> None:
    raise _Hang


def run_chunk(seed: int, number: int) -> tuple[Counter[str], list[tuple[str, str, bytes]], float, int]:
    """Fuzz CHUNK files; (outcomes, offences as (why, name, bytes), slowest seconds, peak memory in bytes)."""
    dice = random.Random(f"{seed}/{number}")
    signal.signal(signal.SIGALRM, _alarm)
    files, outcomes, offences, slowest = seeds(), Counter[str](), [], 0.0
    for _ in range(CHUNK):
        name, data = dice.choice(files)
        data = mutated(data, dice)
        started = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            outcomes[f"{Path(name).suffix[1:]} {take_in(name, data)}"] += 1
        except _Hang:
            offences.append((f"takes over {SECONDS} s", name, data))
        except Exception:  # noqa: BLE001  (whatever it is, it is what we look for)
            offences.append((traceback.format_exc(limit=-3), name, data))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        slowest = max(slowest, time.perf_counter() - started)
    return outcomes, offences, slowest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _limit_memory() -> None:
    # Address space, which is more than memory: what numpy and its threads map is about 1 GiB before anything is read.
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY))


def chunks(files: int, seed: int) -> Iterator[tuple[Counter[str], list[tuple[str, str, bytes]], float, int]]:
    """The results of all chunks, as they come."""
    with ProcessPoolExecutor(os.cpu_count(), initializer=_limit_memory) as pool:
        yield from pool.map(run_chunk, [seed] * (files // CHUNK), range(files // CHUNK))


def main() -> int:
    """Run, report, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    total, bad, slowest, peak, started = Counter[str](), 0, 0.0, 0, time.monotonic()
    for outcomes, offences, slow, memory in chunks(asked.files, asked.seed):
        total += outcomes
        slowest, peak = max(slowest, slow), max(peak, memory)
        for why, name, data in offences:
            bad += 1
            KEPT.mkdir(parents=True, exist_ok=True)
            (KEPT / f"{bad:04d}-{name}").write_bytes(data)
            if bad <= 10:
                print(f"\n{KEPT / f'{bad:04d}-{name}'}: {why}", file=sys.stderr)
        done = total.total() + bad
        rate = done / (time.monotonic() - started)
        eta = (asked.files - done) / rate
        print(f"\r{done} of {asked.files} files, {rate:.0f}/s, ETA {eta:.0f} s, {bad} bad ", end="", file=sys.stderr)
    print(file=sys.stderr)
    for outcome, count in sorted(total.items()):
        print(f"{count:8d}  {outcome}")
    good = not bad and total.total() >= asked.files // CHUNK * CHUNK and peak < MEMORY + 256 * 2**20
    print(
        f"{total.total() + bad} files, {bad} bad, slowest {slowest:.2f} s, peak {peak / 2**20:.0f} MiB of a process, "
        f"{time.monotonic() - started:.0f} s: {'ok' if good else 'FAILED'}"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
