"""Our reader of VRM against an importer by other people: base and every expression stand where it says."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from blender_worker.character.actor import FRONT
from blender_worker.importers.build import build
from farm.models.description import Expression
from farm.models.package import read_character

pytestmark = pytest.mark.blender
VRMS = (
    "vrm_godette/Godette_vrm_v4.vrm",
    "vrm_256_ryuunoko_v0/npc.vrm",
    "vrm_cool_loops_v0/cool_loops.vrm",
    "vrm_mtoon_conformance_v1/mtoon_default.vrm",
)
CLOSE = 1e-4
"""Of the head's height."""


def farthest(some: np.ndarray, others: np.ndarray, bound: float) -> float:
    """The largest distance of a row of `some` (n, k) to its nearest row of `others` (m, k); inf where none is within `bound`.

    Only those are looked at whose first coordinate is as near.
    """
    others = others[np.argsort(others[:, 0])]
    place = np.searchsorted(others[:, 0], some[:, 0] - bound)
    end = np.searchsorted(others[:, 0], some[:, 0] + bound, side="right")
    nearest = np.full(len(some), np.inf)
    left = np.flatnonzero(place < end)
    while len(left):
        apart = np.linalg.norm(some[left] - others[place[left]], axis=1)
        nearest[left] = np.minimum(nearest[left], np.where(apart <= bound, apart, np.inf))
        place[left] += 1
        left = left[place[left] < end[left]]
    return float(nearest.max(initial=0.0))


@pytest.mark.parametrize("file", VRMS)
def test_base_and_every_expression_stand_where_the_add_on_has_them(
    real_models: Path, tmp_path: Path, file: str
) -> None:
    # GIVEN a character as the add-on imports it
    path, out = real_models / file, tmp_path / "oracle.npz"
    command = [sys.executable, "-m", "tests.blender_worker.importers.vrm_oracle", str(path), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(out) as archive:
        expected = dict(archive)
    # WHEN we read it
    character = read_character(".vrm", path.read_bytes())
    played = {
        index: morph.name
        for index, morph in enumerate(character.morphs)
        if isinstance(morph, Expression) and morph.targets and morph.kind == "expression"
    }
    actor = build(character, {}, sorted(played))
    drawn = np.unique(np.concatenate([run.triangles.ravel() for run in actor.runs]))
    close = CLOSE * actor.head_height
    rest = actor.rest.positions[drawn].astype(np.float64)
    # THEN every vertex of ours stands at one of its, and the other way round
    assert farthest(rest, expected["rest"], close) < close
    assert farthest(expected["rest"], rest, close) < close
    # AND so does every vertex that an expression moves, from the same place to the same place
    moving = {name.removeprefix("expression/") for name in expected} - {"rest"}
    for name in moving:
        theirs = expected[f"expression/{name}"]
        if np.abs(theirs - expected["rest"]).max() < close:
            continue
        index = next(index for index, other in played.items() if other == name)
        ours = actor.pose({index: 1.0}, FRONT).positions[drawn].astype(np.float64)
        for (first, second), (other_first, other_second) in (
            ((rest, ours), (expected["rest"], theirs)),
            ((expected["rest"], theirs), (rest, ours)),
        ):
            moved = np.abs(second - first).max(axis=1) > close / 10
            if moved.any():
                some = np.concatenate([first, second], axis=1)[moved]
                others = np.concatenate([other_first, other_second], axis=1)
                assert farthest(some, others, 2 * close) < 2 * close, name
    assert moving or not played
