"""The big fuzz: mutated PMX, PMD, VRM and zip files through all that an upload does, motions onto characters, models through
a Blender.

usage: python -m tests.fuzz [--files 200000] [--vrm 200000] [--motions 50000] [--drawings 2000] [--seed 1]

Ends with code 0 and a line of counts for each when every file was either taken or refused with one of our own errors, within
2 s of the processor and 512 MiB, and every drawing ended in pictures or a sentence about the model, within 60 s and 3 GiB;
otherwise it names the first offenders, writes them to build/fuzz/, and ends with code 1. `make fuzz` calls it.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz import drawing, reading
from tests.fuzz.reading import Kind, Outcome

KEPT = Path("build/fuzz")
_SHOWN = 10


def _run(what: str, wanted: int, outcomes: Iterator[Outcome], memory: int) -> bool:
    """Show how it goes, and what came of it; whether all is well."""
    total, bad, started = Outcome(), 0, time.monotonic()
    for outcome in outcomes:
        total.counts += outcome.counts
        total.slowest, total.peak = max(total.slowest, outcome.slowest), max(total.peak, outcome.peak)
        for why, (name, data) in outcome.offences:
            bad += 1
            KEPT.mkdir(parents=True, exist_ok=True)
            kept = KEPT / f"{what.replace(' ', '-')}-{bad:04d}-{name}"
            kept.write_bytes(data)
            if bad <= _SHOWN:
                print(f"\n{kept}: {why}", file=sys.stderr)
        done = total.counts.total() + bad
        rate = done / (time.monotonic() - started)
        eta = max(0, wanted - done) / rate
        print(f"\r{done} of {wanted} {what}, {rate:.0f}/s, ETA {eta:.0f} s, {bad} bad ", end="", file=sys.stderr)
    print(file=sys.stderr)
    for kind, count in sorted(total.counts.items()):
        print(f"{count:8d}  {kind}")
    good = not bad and total.counts.total() >= wanted and total.peak < memory
    print(
        f"{total.counts.total() + bad} {what}, {bad} bad, slowest {total.slowest:.2f} s, peak {total.peak / 2**20:.0f} MiB "
        f"of a process, {time.monotonic() - started:.0f} s: {'ok' if good else 'FAILED'}",
        flush=True,
    )
    return good


def main() -> int:
    """Run, report, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=200_000, help="PMX, PMD and zip files")
    parser.add_argument("--vrm", type=int, default=200_000, help="VRM files")
    parser.add_argument("--motions", type=int, default=50_000, help="VMD and VRMA files")
    parser.add_argument("--drawings", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    most = reading.MEMORY + 256 * 2**20
    good = [
        _run("drawings", asked.drawings, drawing.draw(asked.drawings, asked.seed), drawing.MEMORY),
        *(
            _run(kind, files, reading.read(files, asked.seed, kind), most)
            for kind, files in ((Kind.MOTION, asked.motions), (Kind.VRM, asked.vrm), (Kind.OTHER, asked.files))
        ),
    ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
