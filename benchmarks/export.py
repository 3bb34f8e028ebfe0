"""How fast `farm export` writes, and with how much memory: `make export-bench`.

Makes a rendered folder of small pictures (by default 100,000, in four styles, of 125 models) and exports it in
the layouts that copy it. The folder is kept below build/ for the next run.
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from farm.spec import RenderSpec
from tests.support.rendered import hash_of, render

SAMPLES = 100
SPEC = RenderSpec(size=64)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--room", type=Path, default=Path("build/export-bench"))
    parser.add_argument("--formats", nargs="+", default=["webdataset", "huggingface", "animeceleb", "folder"])
    options = parser.parse_args()
    models = options.images // SPEC.images_of(SAMPLES)
    source = options.room / f"rendered-{models}"
    for number in range(models):
        label = f"bench {number}"
        if not any(source.glob(f"*-{hash_of(label)[:8]}/manifest.json")):
            render(source, label, SPEC, SAMPLES)
        print(f"\rmodels made: {number + 1} of {models}", end="", flush=True)
    print()
    for layout in options.formats:
        _measure(source, options.room / layout, layout, models * SPEC.images_of(SAMPLES))


def _measure(source: Path, out: Path, layout: str, images: int) -> None:
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-c", _CHILD, str(source), str(out), layout]
    before = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - before
    if done.returncode:
        print(f"{layout:12} {done.stderr.strip().splitlines()[-1]}")
        return
    peak, spent = done.stdout.splitlines()[-1].split()
    print(
        f"{layout:12} {images} images in {seconds:.1f} s: {images / seconds:,.0f} a second, start included; "
        f"{float(spent):.1f} s of CPU; at most {int(peak) / 1024:.0f} MiB"
    )
    shutil.rmtree(out)


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
