"""An export that is killed at any of its changes to the file system is finished by the next one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from farm.exports import running
from farm.exports.folder import FolderLayout
from farm.exports.layout import Layout
from farm.exports.source import FolderSource
from farm.exports.webdataset import WebDatasetLayout
from farm.spec import RenderSpec
from tests.support.rendered import render, tree

SPEC = RenderSpec(styles=("flat",), size=64)

# A process of its own, for an audit hook stays for good: it forks a victim for each change, until one ends by itself. A
# file that is about to be written over is emptied before the victim ends, the moment that hurts most.
VICTIMS = """
import os, shutil, sys
from pathlib import Path
from farm.exports import running
from farm.exports.folder import FolderLayout
from farm.exports.source import FolderSource
from farm.exports.webdataset import WebDatasetLayout

source, before, room, layout = *map(Path, sys.argv[1:4]), sys.argv[4]
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
            if writes and os.path.exists(args[0]):
                os.truncate(args[0], 0)
            os._exit(KILLED)

    return hook


change, status = 0, KILLED
while status == KILLED:
    change += 1
    out = room / f"{change:04d}"
    if before.is_dir():
        shutil.copytree(before, out)
    if (victim := os.fork()) == 0:
        sys.addaudithook(ends_at(change, out))
        layouts = {"webdataset": WebDatasetLayout, "folder": FolderLayout}
        running.export(FolderSource(source), str(out), layouts[layout](), threads=1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(victim, 0)[1])
sys.exit(status)
"""


@pytest.mark.parametrize(("layout", "earlier"), [(WebDatasetLayout(), FolderLayout()), (FolderLayout(), None)])
def test_a_kill_at_any_change_leaves_what_the_next_finishes(
    tmp_path: Path, layout: Layout, earlier: Layout | None
) -> None:
    for label in ("fox 1", "fox 2"):
        render(tmp_path / "rendered", label, SPEC, samples=1)
    source = FolderSource(tmp_path / "rendered")
    running.export(source, str(tmp_path / "undisturbed"), layout)
    if earlier:
        running.export(source, str(tmp_path / "before"), earlier)
    (tmp_path / "victims").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", VICTIMS, *(tmp_path / name for name in ("rendered", "before", "victims")), layout.name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    outs = sorted((tmp_path / "victims").iterdir())
    assert len(outs) > 20
    whole = tree(tmp_path / "undisturbed")
    for out in outs:
        running.export(source, str(out), layout)
        assert tree(out) == whole, out.name
        shutil.rmtree(out)
