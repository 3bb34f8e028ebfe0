"""A run of many models that is killed again and again, for the record.

usage: python -m tests.runs [--models 30] [--kills 5] [--seed 1]

Prints what `tests.runs.killed.Course` says; ends with code 1 when the folder is not that of an undisturbed run, a model was
drawn twice, or a run with nothing to do drew something. `make killed-run` calls it.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.runs.killed import course

parser = argparse.ArgumentParser()
parser.add_argument("--models", type=int, default=30)
parser.add_argument("--kills", type=int, default=5)
parser.add_argument("--seed", type=int, default=1)
chosen = parser.parse_args()
with TemporaryDirectory(prefix="farm-killed-run-") as room:
    found = course(Path(room), chosen.models, chosen.kills, chosen.seed)
print(found)
sys.exit(1 if found.differing or found.drawn_again or found.third_drew or found.left else 0)
