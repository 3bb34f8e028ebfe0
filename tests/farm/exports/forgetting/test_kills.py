"""Taking a model out of an export, killed at any change, is finished by the next."""

import shutil
import subprocess
import sys
from pathlib import Path

from farm.exports.forgetting import forget_in_export
from tests.farm.exports.forgetting.withdrawn import LABELS, SPEC, export, render_all, stone
from tests.support.rendered import tree

VICTIMS = """
import sys
from pathlib import Path
from farm.exports.forgetting import forget_in_export
from tests.farm.exports.forgetting.withdrawn import stone
from tests.farm.exports.victims import kill_at_every_change

before, room = map(Path, sys.argv[1:3])
sys.exit(kill_at_every_change(before, room, lambda out: forget_in_export(out, stone()), appended="withdrawn.jsonl"))
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
