"""MToon's outlines in `ink`: as wide as the file says within what can be seen, and of the colour that it mixes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm import pipe
from farm.drawing.blender import Blender
from farm.models.description import Character
from farm.models.gltf.glb_writer import GlbWriter
from farm.models.materials import GltfMaterial, OutlineMode
from farm.models.package import read_model, to_bytes, unfold
from farm.models.vrm.material_writer import as_gltf
from farm.models.vrm.reader import read_vrm
from farm.models.vrm.writer import vrm_draft
from farm.poses import Partition
from farm.spec import CanvasName
from tests.support.characters import mascot

pytestmark = [pytest.mark.blender, pytest.mark.timeout(600)]
SIZE = 256
GREEN = (0.0, 1.0, 0.0)


def outlined(mode: OutlineMode, width: float, mix: float) -> Character:
    """Momo without pictures, in plain colours, with green outlines."""
    character = mascot("momo")
    materials = []
    for each in character.materials:
        plain = replace(as_gltf(each), colour=(1.0, 0.5, 0.25, 1.0), base=None)
        assert plain.mtoon is not None
        toon = replace(
            plain.mtoon,
            shade=None,
            shade_colour=(0.5, 0.25, 0.125),
            outline_mode=mode,
            outline_width=width,
            outline_colour=GREEN,
            outline_mix=mix,
        )
        materials.append(replace(plain, mtoon=toon))
    return replace(character, materials=tuple(materials), morphs=())


def drawn(blender: Blender, room: Path, draft: GlbWriter, canvas: CanvasName) -> dict[str, np.ndarray]:
    """Its toon and its ink picture."""
    room.mkdir()
    (room / "momo.vrm").write_bytes(draft.to_bytes())
    character, _ = unfold(to_bytes(read_model(room / "momo.vrm")), room / "files")
    shot = pipe.Shot(sample=0, partition=Partition.FRONTAL, weights={}, rotation=(0, 0, 0), light=0.6)
    styles = ["toon", "ink"]
    request = pipe.Render(
        character=str(character),
        textures={},
        morphs=[],
        canvas=canvas,
        styles=styles,
        size=SIZE,
        supersample=2,
        shots=[shot],
    )
    (found,) = blender.draw(request, lambda _: None)
    return dict(zip(styles, found.pictures, strict=True))


def gained(pictures: dict[str, np.ndarray]) -> float:
    """How many pixels the lines add to the silhouette."""
    toon, ink = (pictures[style][..., 3].astype(float).sum() / 255 for style in ("toon", "ink"))
    return float(ink - toon)


@pytest.mark.parametrize("canvas", [CanvasName.FORWARD, CanvasName.EEVEE])
@pytest.mark.parametrize("version", ["1.0", "0.x"])
def test_a_line_is_as_wide_as_its_share_of_the_picture(
    blender: Blender, tmp_path: Path, version: str, canvas: CanvasName
) -> None:
    def lines(name: str, mode: OutlineMode, width: float) -> float:
        draft = vrm_draft(outlined(mode, width, 0.0), version)
        return gained(drawn(blender, tmp_path / name, draft, canvas))

    thin, thick = (lines(f"screen {width}", OutlineMode.SCREEN, width) for width in (0.004, 0.008))

    assert thick == pytest.approx(2 * thin, rel=0.12)
    if canvas is CanvasName.FORWARD:
        assert lines("thinner", OutlineMode.SCREEN, 0.0001) > 0.4 * thin  # what could not be seen
        assert lines("blot", OutlineMode.SCREEN, 0.1) < 1.2 * thick


def test_a_line_in_metres_goes_by_the_size_of_the_head(blender: Blender, tmp_path: Path) -> None:
    head = 0.3567  # of Momo, in metres
    screen = vrm_draft(outlined(OutlineMode.SCREEN, 0.006, 0.0))
    world = vrm_draft(outlined(OutlineMode.WORLD, 0.006 * head / 0.48, 0.0))

    wanted, found = (
        gained(drawn(blender, tmp_path / name, draft, CanvasName.FORWARD))
        for name, draft in (("screen", screen), ("world", world))
    )

    assert found == pytest.approx(wanted, rel=0.03)


@pytest.mark.parametrize("canvas", [CanvasName.FORWARD, CanvasName.EEVEE])
@pytest.mark.parametrize("version", ["1.0", "0.x"])
@pytest.mark.parametrize("mix", [0.0, 1.0])
def test_a_line_takes_as_much_of_the_surface_in_as_it_says(
    blender: Blender, tmp_path: Path, version: str, canvas: CanvasName, mix: float
) -> None:
    draft = vrm_draft(outlined(OutlineMode.SCREEN, 0.008, mix), version)

    pictures = drawn(blender, tmp_path / "room", draft, canvas)

    lines = (pictures["ink"][..., 3] == 255) & (pictures["toon"][..., 3] == 0)
    assert lines.sum() > 100
    red, green, blue = np.median(pictures["ink"][lines][:, :3], axis=0)
    assert (red, blue) == (0, 0)
    # The surface's own green in toon is 120 in the light and less in its shade.
    assert green == 255 if mix == 0 else 40 < green < 150


def test_a_file_that_says_nothing_of_it_mixes_as_its_version_does() -> None:
    made = outlined(OutlineMode.SCREEN, 0.008, 0.5)
    new, old = vrm_draft(made), vrm_draft(made, "0.x")
    for material in new.content["materials"]:
        del material["extensions"]["VRMC_materials_mtoon"]["outlineLightingMixFactor"]
    for properties in old.content["extensions"]["VRM"]["materialProperties"]:
        del properties["floatProperties"]["_OutlineColorMode"]

    for draft, mix in ((new, 1.0), (old, 0.0)):
        for material in read_vrm(draft.to_bytes()).materials:
            assert isinstance(material, GltfMaterial)
            assert material.mtoon is not None
            assert material.mtoon.outline_mix == mix
