"""Taking a model out of an export, killed at any change, is finished by the next."""

import shutil
import subprocess
import sys
from pathlib import Path

from farm.exports.forgetting import forget_in_export
from tests.farm.exports.forgetting.withdrawn import LABELS, SPEC, export, render_all, stone
from tests.support.rendered import tree

VICTIMS = """
import os, shutil, sys
from pathlib import Path
from tests.farm.exports.forgetting.withdrawn import stone
from farm.exports.forgetting import forget_in_export

before, room = map(Path, sys.argv[1:3])
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.link", "os.mkdir"}
KILLED = 9


def ends_at(change, out):
    left = change

    def hook(event, args):
        nonlocal left
        writes = event == "open" and str(args[0]).startswith(str(out)) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if not writes and event not in CHANGES:
            return
        left -= 1
        if left == 0:
            if writes and os.path.exists(args[0]) and not str(args[0]).endswith("withdrawn.jsonl"):
                os.truncate(args[0], 0)
            os._exit(KILLED)

    return hook


change, status = 0, KILLED
while status == KILLED:
    change += 1
    out = room / f"{change:04d}"
    shutil.copytree(before, out)
    if (victim := os.fork()) == 0:
        sys.addaudithook(ends_at(change, out))
        forget_in_export(out, stone())
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(victim, 0)[1])
sys.exit(status)
"""


def test_a_kill_at_any_change_leaves_what_the_next_finishes(layout: str, tmp_path: Path) -> None:
    spec = SPEC if layout == "animeceleb" else SPEC.model_copy(update={"size": 64})
    render_all(tmp_path / "rendered", LABELS[:4], spec, samples=1)
    export(tmp_path / "rendered", tmp_path / "before", layout, shard_bytes=2_000)
    undisturbed = Path(shutil.copytree(tmp_path / "before", tmp_path / "undisturbed"))
    forget_in_export(undisturbed, stone())
    whole = tree(undisturbed)
    (tmp_path / "victims").mkdir()

    done = subprocess.run(
        [sys.executable, "-c", VICTIMS, tmp_path / "before", tmp_path / "victims"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    outs = sorted((tmp_path / "victims").iterdir())
    assert len(outs) > 15
    for victim in outs:
        forget_in_export(victim, stone())
        assert tree(victim) == whole, victim.name
        shutil.rmtree(victim)
