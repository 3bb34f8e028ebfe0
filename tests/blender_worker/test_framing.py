"""Framing from geometry: heads of any build fill 48 % (+-4 %) of the frame, measured in the picture."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm import pipe
from farm.drawing.blender import Blender
from farm.models.description import Character
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character, read_model, to_bytes, unfold
from farm.poses import Partition
from tests.support.fixtures import alpha_box

pytestmark = pytest.mark.blender
SIZE = 200
NECK_ROW = 0.8
"""The neck bone is 0.3 frame heights under the centre."""


def scaled(character: Character, head: float, body: float) -> Character:
    """The character with another size of head (about the neck) and of everything."""
    names = [bone.name for bone in character.bones]
    neck = np.array(character.bones[names.index("首")].position, np.float32)
    on_head = np.isin(character.bone_indices, [names.index("首"), names.index("頭")]) & (character.bone_weights > 0)
    share = (on_head * character.bone_weights).sum(axis=1, keepdims=True)
    points = character.positions + (character.positions - neck) * (head - 1) * share
    bones = tuple(replace(b, position=tuple((np.array(b.position) * body).tolist())) for b in character.bones)
    return replace(character, positions=(points * body).astype(np.float32), bones=bones, morphs=())


def with_antenna(character: Character) -> Character:
    """The character with three vertices of the head far above it."""
    points = character.positions.copy()
    names = [bone.name for bone in character.bones]
    head = np.flatnonzero((character.bone_indices[:, 0] == names.index("頭")) & (character.bone_weights[:, 0] > 0.9))
    points[head[:3], 1] += 30
    return replace(character, positions=points, morphs=())


@pytest.mark.parametrize("name", ["nagi", "momo"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: c, id="as she is"),
        pytest.param(lambda c: scaled(c, 2.0, 0.6), id="chibi"),
        pytest.param(lambda c: scaled(c, 0.6, 1.5), id="tall"),
        pytest.param(lambda c: scaled(c, 1.0, 0.01), id="in metres"),
        pytest.param(with_antenna, id="antenna"),
    ],
)
def test_the_head_fills_48_percent_of_the_frame(
    mascots: dict[str, Path], tmp_path: Path, blender: Blender, name: str, change: Callable[[Character], Character]
) -> None:
    path = tmp_path / "changed.pmx"
    path.write_bytes(pmx_bytes(change(read_character(".pmx", mascots[name].read_bytes()))))
    character, _ = unfold(to_bytes(read_model(path)), tmp_path / "package")
    request = pipe.Render(
        character=str(character),
        textures={},
        morphs=[],
        styles=["flat"],
        size=SIZE,
        supersample=2,
        shots=[pipe.Shot(sample=0, partition=Partition.FRONTAL, weights={}, rotation=(0, 0, 0), light=0.6)],
    )
    (shot,) = list(blender.draw(request, lambda _: None))

    picture = shot.pictures[0]
    # The antenna, the ahoge and the tips of ears are thin: the head begins where a tenth of the frame is covered.
    picture = picture * ((picture[..., 3] > 127).sum(axis=1) > SIZE / 10)[:, None, None]
    top, _, left, right = alpha_box(picture)
    assert NECK_ROW - top / SIZE == pytest.approx(0.48, abs=0.04)
    assert (left + right) / 2 == pytest.approx(SIZE / 2, abs=0.06 * SIZE)
