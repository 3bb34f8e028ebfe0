"""Files in millimetres and of giants: a character of any size is drawn as the same one."""

from dataclasses import replace

import numpy as np
import pytest

from blender_worker.camera import frame
from blender_worker.character.actor import Actor
from blender_worker.importers.build import build
from farm.cameras import CameraSpec
from farm.models.description import Character, VertexMorph
from tests.support.characters import mascot


def of_size(factor: float) -> Character:
    character = mascot("nagi")
    bones = []
    for bone in character.bones:
        x, y, z = bone.position
        bones.append(replace(bone, position=(x * factor, y * factor, z * factor)))
    morphs = [
        replace(morph, offsets=morph.offsets * np.float32(factor)) if isinstance(morph, VertexMorph) else morph
        for morph in character.morphs
    ]
    positions = character.positions * np.float32(factor)
    return replace(character, positions=positions, bones=tuple(bones), morphs=tuple(morphs))


def on_screen(actor: Actor, morph: int) -> np.ndarray:
    """(n, 2) where the vertices are in a picture of 256 pixels, the morph playing and the head turned."""
    camera = frame(CameraSpec(), actor.neck_position, actor.head_height, actor.rest.positions)
    return camera.project(actor.pose({morph: 1.0}, (10.0, 5.0, -20.0)).positions, 256)


@pytest.mark.parametrize("factor", [1e3, 1e-3])
def test_its_picture_does_not_depend_on_it(factor: float) -> None:
    blink = next(number for number, morph in enumerate(mascot("nagi").morphs) if morph.name == "まばたき")
    usual, other = (build(of_size(size), {}, [blink]) for size in (1.0, factor))

    assert other.head_height == pytest.approx(usual.head_height * factor, rel=1e-4)
    np.testing.assert_allclose(on_screen(other, blink), on_screen(usual, blink), atol=0.02)
    assert not other.warnings
    for name in ("normals", "hulls", "outlines", "turns"):
        np.testing.assert_allclose(getattr(other.vertices, name), getattr(usual.vertices, name), atol=2e-3)
    assert [run.veiled for run in other.runs] == [run.veiled for run in usual.runs]
    assert [look.outline for look in other.rest.looks] == [look.outline for look in usual.rest.looks]
