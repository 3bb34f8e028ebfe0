"""How fast `farm export` writes, and with how much memory: `make export-bench`.

Makes rendered folders of small pictures (100 samples a model in four styles) and exports them in every layout: 100,000
pictures in the first, fewer in the others. The folders are kept below build/ for the next run. `animeceleb` takes pictures
of 256 pixels only, and gives each file three names by hard links.
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from farm.exports.animeceleb import SIZE
from farm.spec import RenderSpec
from tests.support.rendered import hash_of, render

SAMPLES = 100
SMALL = 64
LAYOUTS = {"webdataset": SMALL, "huggingface": SMALL, "folder": SMALL, "animeceleb": SIZE}
"""Layout to pixels a side."""
BOUND = 3000
"""Images a second that an export is to write on two cores."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000, help="of the first layout")
    parser.add_argument("--others", type=int, default=24_000, help="of each of the others")
    parser.add_argument("--room", type=Path, default=Path("build/export-bench"))
    parser.add_argument("--formats", nargs="+", choices=list(LAYOUTS), default=list(LAYOUTS))
    options = parser.parse_args()
    table = Table(
        "format", "pixels", "images", "seconds", "images/s", f"{BOUND:,}/s", "CPU s", "images/s of CPU", "MiB at most"
    )
    for place, layout in enumerate(options.formats):
        size = LAYOUTS[layout]
        spec = RenderSpec(size=size)
        models = max(1, (options.others if place else options.images) // spec.images_of(SAMPLES))
        source = options.room / f"rendered-{size}-{models}"
        _fill(source, spec, models)
        images = models * spec.images_of(SAMPLES)
        seconds, spent, peak = _measure(source, options.room / layout, layout)
        met = "reached" if images / seconds >= BOUND else "not reached"
        shown = (
            size,
            images,
            f"{seconds:.1f}",
            f"{images / seconds:,.0f}",
            met,
            f"{spent:.1f}",
            f"{images / spent:,.0f}",
        )
        table.add_row(layout, *map(str, shown), f"{peak:.0f}")
    Console(width=120).print(table)


def _fill(source: Path, spec: RenderSpec, models: int) -> None:
    """Make what is missing of a rendered folder."""
    for number in range(models):
        label = f"bench {number}"
        if not any(source.glob(f"*-{hash_of(label)[:8]}/manifest.json")):
            render(source, label, spec, SAMPLES)
        print(f"\r{source.name}: {number + 1} of {models} models made", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def _measure(source: Path, out: Path, layout: str) -> tuple[float, float, float]:
    """Seconds on the clock, start included, seconds of CPU, and the most MiB of memory that an export takes."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-c", _CHILD, str(source), str(out), layout]
    before = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - before
    if done.returncode:
        raise SystemExit(f"{layout}: {done.stderr.strip().splitlines()[-1]}")
    peak, spent = done.stdout.splitlines()[-1].split()
    shutil.rmtree(out)
    return seconds, float(spent), int(peak) / 1024


_CHILD = """
import resource, sys
from farm.cli import main
sys.argv = ["farm", "export", sys.argv[1], "--format", sys.argv[3], "--out", sys.argv[2]]
try:
    main()
except SystemExit as end:
    if end.code:
        raise
finally:
    sys.stdout.flush()
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_maxrss, used.ru_utime + used.ru_stime)
"""

if __name__ == "__main__":
    main()
