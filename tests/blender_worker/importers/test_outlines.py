"""Outlines: a file's own, and those of surfaces for which it asks for none."""

from dataclasses import replace

import numpy as np
import pytest

from blender_worker.character.actor import Actor
from blender_worker.character.surface import Look
from blender_worker.importers.build import build
from farm.models.description import Character, MaterialMorph
from farm.models.materials import MaterialFlag, MToon, OutlineMode, Shading, TextureUse
from farm.models.package import read_character
from farm.models.vrm.writer import vrm_bytes
from farm.morphs.panels import Panel
from tests.blender_worker.canvases.patches import Patch, solid, wall
from tests.blender_worker.canvases.test_canvases import dye
from tests.blender_worker.canvases.test_surfaces import gltf
from tests.support.characters import mascot

DETAILS = ("唇", "白目", "瞳", "目影", "瞼", "二重", "まつ毛", "眉", "歯", "舌")


@pytest.fixture(scope="module")
def nagi() -> Character:
    return replace(mascot("nagi"), morphs=())


def without_flags(character: Character, alpha: float = 1.0) -> Character:
    """No material has the edge flag; clothes have this alpha."""
    materials = tuple(
        replace(
            material,
            flags=material.flags & ~MaterialFlag.EDGE,
            diffuse=(*material.diffuse[:3], alpha if material.name == "服" else material.diffuse[3]),
        )
        for material in character.mmd_materials
    )
    return replace(character, materials=materials)


def looks(actor: Actor) -> dict[str, Look]:
    return {surface.name: look for surface, look in zip(actor.surfaces, actor.rest.looks, strict=True)}


def test_what_has_a_shape_of_its_own_is_outlined_without_the_flag(nagi: Character) -> None:
    found = looks(build(without_flags(nagi), {}, []))

    assert all(0.5 <= found[name].outline <= 1.5 for name in ("顔", "髪", "服", "首"))
    assert all(max(found[name].outline_colour[:3]) < 0.2 * max(found[name].colour[:3]) for name in ("顔", "髪", "服"))
    assert {name: found[name].outline for name in DETAILS} == dict.fromkeys(DETAILS, 0.0)


@pytest.mark.parametrize("sided", [MaterialFlag(0), MaterialFlag.DOUBLE_SIDED])
def test_what_shows_its_back_alone_is_not_outlined_unless_that_is_drawn(nagi: Character, sided: MaterialFlag) -> None:
    character = without_flags(nagi)
    materials = tuple(replace(material, flags=sided) for material in character.mmd_materials)

    found = looks(build(replace(character, materials=materials), {}, []))

    assert (found["後髪内"].outline > 0) == bool(sided)
    assert found["髪"].outline > 0


@pytest.mark.parametrize(("version", "colour"), [("1.0", (0, 128, 0)), ("0.x", (128, 0, 0))])
def test_a_texture_of_mtoon_thins_its_outline(version: str, colour: tuple[int, int, int]) -> None:
    # GIVEN a material whose outline is half as wide on the right half of a texture, in the channel of its version
    outlined = MToon(outline_mode=OutlineMode.WORLD, outline_width=0.01, outline_width_map=TextureUse(0))
    patches = [Patch(gltf(Shading.MTOON, base=TextureUse(0), mtoon=outlined), u=0.9), Patch(gltf(), u=0.9)]
    made = wall(patches, [solid(255, 255, 255, 255, *colour, 255)])

    actor = build(read_character(".vrm", vrm_bytes(made, version)), {}, [])

    # THEN the vertices that look it up there have half the width, and others all of it
    outlined_run, plain_run = (np.unique(run.triangles) for run in actor.runs[:2])
    right = actor.vertices.uvs[outlined_run, 0] > 0.5
    np.testing.assert_allclose(actor.vertices.outlines[outlined_run], np.where(right, 128 / 255, 1.0))
    assert right.sum() == 2
    assert set(actor.vertices.outlines[plain_run].tolist()) == {1.0}


def test_what_is_mostly_transparent_is_not_outlined(nagi: Character) -> None:
    found = looks(build(without_flags(nagi, alpha=0.4), {}, []))

    assert found["服"].outline == 0
    assert found["髪"].outline > 0


def test_a_flagged_material_keeps_its_own_outline_and_morphs_change_it(nagi: Character) -> None:
    thick = replace(dye(), edge_size=3.0)
    actor = build(replace(nagi, morphs=(MaterialMorph("縁", "edge", Panel.OTHER, (thick,)),)), {}, [0])
    rest, thickened = (actor.pose({0: weight}, (0.0, 0.0, 0.0)).looks for weight in (0.0, 1.0))

    flagged = [n for n, material in enumerate(nagi.mmd_materials) if material.flags & MaterialFlag.EDGE]
    assert flagged
    for number in flagged:
        assert rest[number].outline == pytest.approx(nagi.mmd_materials[number].edge_size)
        assert thickened[number].outline == pytest.approx(3 * rest[number].outline)
