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

VICTIMS = """
import sys
from pathlib import Path
from farm.exports import running
from farm.exports.layouts import layout_named
from farm.exports.source import FolderSource
from tests.farm.exports.victims import kill_at_every_change

source, before, room, layout = *map(Path, sys.argv[1:4]), layout_named(sys.argv[4])
sys.exit(kill_at_every_change(before, room, lambda out: running.export(FolderSource(source), str(out), layout, threads=1)))
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
