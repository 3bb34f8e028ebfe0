"""The head's height: what hangs on other bones, or is put on, does not change it."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from blender_worker.camera import HEAD_SHARE
from blender_worker.importers.build import build
from farm import pipe
from farm.drawing.blender import Blender
from farm.mascots.cast import MASCOTS
from farm.models.description import Character
from farm.models.files import find_models
from farm.models.mmd.pmd_writer import pmd_bytes
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character, read_model, to_bytes, unfold
from farm.models.vrm.writer import vrm_bytes
from farm.poses import Partition
from tests.blender_worker.character.heads import CHANGES
from tests.support.characters import mascot

SIZE = 200
NECK_ROW = 0.8
"""The neck bone is 0.3 frame heights under the centre."""
WRITERS = {".pmx": pmx_bytes, ".pmd": pmd_bytes, ".vrm": vrm_bytes}


@cache
def bare(name: str) -> Character:
    """A mascot without morphs."""
    return replace(mascot(name), morphs=())


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("name", MASCOTS)
@pytest.mark.parametrize("change", CHANGES)
def test_the_head_is_as_high_as_without_it(name: str, change: str, suffix: str) -> None:
    changed = read_character(suffix, WRITERS[suffix](CHANGES[change](bare(name))))
    plain = build(bare(name), {}, [])
    high = plain.head_height * plain.metres_per_unit

    actor = build(changed, {}, [])
    assert HEAD_SHARE * high / (actor.head_height * actor.metres_per_unit) == pytest.approx(0.48, abs=0.04)


@pytest.mark.blender
@pytest.mark.parametrize("name", MASCOTS)
@pytest.mark.parametrize("change", ["hair on a bone of the neck", "hair on a bone of the head", "tails"])
def test_the_picture_shows_it(blender: Blender, tmp_path: Path, name: str, change: str) -> None:
    path = tmp_path / "changed.pmx"
    path.write_bytes(pmx_bytes(CHANGES[change](bare(name))))
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

    # Tails stand beside the head, the ahoge is thin: the head begins where its middle third is covered by a tenth.
    middle = shot.pictures[0][:, SIZE // 3 : -SIZE // 3, 3] > 127
    top = int(np.flatnonzero(middle.sum(axis=1) > SIZE / 10)[0])
    assert NECK_ROW - top / SIZE == pytest.approx(0.48, abs=0.04)


HEIGHTS = {
    "gene/Gene.pmd": 3.8398,
    "gene/Gene.pmx": 3.8397,
    "gene/Gene_light.pmx": 3.8397,
    "uka/MS_Uka.pmd": 4.1712,
    "uka/MS_Uka.pmx": 4.1712,
    "vrm_256_ryuunoko_v0/npc.vrm": 0.22609,
    "vrm_cool_loops_v0/cool_loops.vrm": 0.30888,
    "vrm_godette/Godette_vrm_v4.vrm": 0.44787,
    "vrm_mtoon_conformance_v1/mtoon_default.vrm": 0.40000,
    "yw_test_model/yw_test_model.pmx": 3.2501,
}
"""By the head bone alone, as their framing was measured and found right."""


def test_real_heads_are_as_high_as_they_were(real_models: Path) -> None:
    found = {
        str(path.relative_to(real_models)): build(read_character(path.suffix, path.read_bytes()), {}, []).head_height
        for path in find_models(real_models)
    }

    assert found == pytest.approx(HEIGHTS, rel=0.01)
