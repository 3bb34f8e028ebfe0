"""Which morphs a survey calls unseen: every kind of morph, once where it shows and once where it does not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm import pipe
from farm.drawing.blender import Blender
from farm.models.description import (
    BoneMorph,
    Character,
    ColourBind,
    Expression,
    GroupMorph,
    MaterialMorph,
    MaterialOffset,
    Morph,
    Tint,
    TransformBind,
    UVMorph,
    VertexMorph,
)
from farm.models.materials import AlphaMode, Shading, TextureUse
from farm.models.mmd.pmx_writer import Layout, pmx_bytes
from farm.models.package import read_character, read_model, to_bytes, unfold
from farm.models.vrm.writer import vrm_bytes
from farm.morphs.panels import Panel
from tests.blender_worker.canvases.patches import AWAY, Patch, wall
from tests.blender_worker.canvases.test_surface_cases import NOTHING, ONE
from tests.blender_worker.canvases.test_surfaces import CLEAR, PICTURES, PLAIN, RED_BLUE, gltf, mmd, toon

pytestmark = [pytest.mark.blender, pytest.mark.timeout(600)]
MIDDLE = 12
"""The place in the middle of the picture: what recedes behind it stays hidden."""
type Unseen = Callable[[Path, Sequence[str]], list[int]]


@pytest.fixture
def unseen(blender: Blender, tmp_path: Path) -> Unseen:
    """The morphs of a file that a survey calls unseen when these styles are asked for."""

    def look(path: Path, styles: Sequence[str]) -> list[int]:
        package = read_model(path)
        character, textures = unfold(to_bytes(package), tmp_path / "files")
        count = len(read_character(path.suffix, path.read_bytes()).morphs)
        request = pipe.Render(
            character=str(character),
            textures={index: str(texture) for index, texture in textures.items()},
            morphs=list(range(count)),
            styles=list(styles),
            size=64,
            supersample=1,
            shots=[],
        )
        said: list[pipe.Loaded] = []
        assert list(blender.draw(request, lambda loaded: said.append(loaded))) == []
        return said[0].unseen

    return look


MMD_PATCHES = {
    "lit": Patch(mmd(texture=RED_BLUE)),
    "behind": Patch(mmd(texture=RED_BLUE), ahead=-0.002, place=MIDDLE),
    "clear": Patch(mmd(diffuse=(1.0, 1.0, 1.0, 0.0)), place=1),
    "toon": Patch(mmd(shared_toon=0), normal=AWAY, place=2),
    **{f"plain {number}": Patch(mmd(), place=number) for number in range(3, 19)},
}
ROW = {name: number for number, name in enumerate(MMD_PATCHES)}


def corners(patch: str) -> np.ndarray:
    return np.arange(4, dtype=np.int32) + np.int32(4 * ROW[patch])


def moved(patch: str, *offset: float) -> VertexMorph:
    return VertexMorph("m", "", Panel.OTHER, corners(patch), np.tile(np.array(offset, np.float32), (4, 1)))


def slid(patch: str) -> UVMorph:
    return UVMorph("m", "", Panel.OTHER, 0, corners(patch), np.tile(np.array([0.5, 0, 0, 0], np.float32), (4, 1)))


def bones(bone: int, *turn: float) -> BoneMorph:
    return BoneMorph(
        "m", "", Panel.OTHER, np.array([bone], np.int32), np.zeros((1, 3), np.float32), np.array([turn], np.float32)
    )


def group(*members: int) -> GroupMorph:
    return GroupMorph("m", "", Panel.OTHER, np.array(members, np.int32), np.ones(len(members), np.float32))


def changed(patch: str, entry: MaterialOffset) -> MaterialMorph:
    return MaterialMorph("m", "", Panel.OTHER, (replace(entry, material=ROW[patch]),))


def dyed(patch: str, **change: tuple[float, ...]) -> MaterialMorph:
    return changed(patch, replace(ONE, **change))  # type: ignore[arg-type]


RED_ONLY = (1.0, 0.0, 0.0, 1.0)
MMD_MORPHS: list[tuple[str, Morph, bool]] = [
    ("0 vertices", moved("lit", 0, 0.3, 0), True),
    ("1 vertices back", moved("lit", 0, -0.3, 0), True),
    ("2 vertices behind others", moved("behind", 0, 0, 0.3), False),
    ("3 vertices of a clear material", moved("clear", 0, 0.3, 0), False),
    ("4 texture", slid("lit"), True),
    ("5 texture behind others", slid("behind"), False),
    ("6 texture of a plain material", slid("plain 5"), False),
    ("7 colour", dyed("lit", diffuse=RED_ONLY, ambient=(1.0, 0.0, 0.0)), True),
    ("8 colour behind others", dyed("behind", diffuse=RED_ONLY, ambient=(1.0, 0.0, 0.0)), False),
    ("9 colour of a clear material", dyed("clear", diffuse=RED_ONLY, ambient=(1.0, 0.0, 0.0)), False),
    ("10 as it is", dyed("lit"), False),
    ("11 bone", bones(2, 0, 0, 0.2, 0.98), True),
    ("12 bone of nothing", bones(3, 0, 0, 0.2, 0.98), False),
    ("13 bone that stands", bones(2, 0, 0, 0, 1), False),
    ("14 group", group(2, 0), True),
    ("15 group of what is hidden", group(2, 3, 5), False),
    ("16 group that cancels itself", group(0, 1), False),
    ("17 group of nothing", group(), False),
    ("18 shade", dyed("toon", toon_tint=(1.0, 0.0, 0.0, 1.0)), True),
    ("19 material comes", changed("clear", replace(NOTHING, diffuse=(0.0, 0.0, 0.0, 1.0))), True),
]


def test_a_morph_of_mikumikudance_is_seen_where_it_changes_a_pixel(unseen: Unseen, tmp_path: Path) -> None:
    for number, data in enumerate(PICTURES):
        (tmp_path / f"{number}.png").write_bytes(data)
    made = wall(list(MMD_PATCHES.values()), PICTURES, [morph for _, morph, _ in MMD_MORPHS])
    last = made.bones[-1]
    extra = [replace(last, name=f"骨{number}", name_en="", parent=2) for number in range(4 - len(made.bones))]
    made = replace(made, bones=(*made.bones, *extra))
    path = tmp_path / "wall.pmx"
    path.write_bytes(pmx_bytes(made, Layout(additional_uvs=1)))

    found = unseen(path, ["flat", "toon"])

    assert [name for number, (name, _, _) in enumerate(MMD_MORPHS) if number in found] == [
        name for name, _, shown in MMD_MORPHS if not shown
    ]
    # A shade is there in the styles that have shades.
    assert set(unseen(path, ["flat"])) == {*found, 18}


HIDDEN = gltf(alpha_mode=AlphaMode.BLEND, queue=3000, writes_depth=False, colour=(1.0, 1.0, 1.0, 0.0))
VRM_PATCHES = {
    "lit": Patch(gltf()),
    "behind": Patch(gltf(base=TextureUse(RED_BLUE)), ahead=-0.002, place=MIDDLE),
    "clear": Patch(replace(HIDDEN, base=TextureUse(RED_BLUE)), place=1),
    "cut out": Patch(gltf(Shading.PBR, base=TextureUse(CLEAR), alpha_mode=AlphaMode.MASK, queue=2450), place=2),
    "toon": Patch(toon(PLAIN), place=3),
    "striped": Patch(gltf(base=TextureUse(RED_BLUE)), place=4),
    **{f"plain {number}": Patch(gltf(), place=number) for number in range(5, 19)},
}
VRM_ROW = {name: number for number, name in enumerate(VRM_PATCHES)}


def tint(patch: str, kind: Tint, *colour: float) -> Expression:
    return Expression("m", (), (ColourBind(VRM_ROW[patch], kind, (colour[0], colour[1], colour[2], colour[3])),))


def slide(patch: str) -> Expression:
    return Expression("m", (), (), (TransformBind(VRM_ROW[patch], (1.0, 1.0), (0.5, 0.0)),))


EXPRESSIONS: list[tuple[str, Expression, bool]] = [
    ("colour", tint("lit", Tint.COLOUR, 1, 0, 0, 1), True),
    ("colour behind others", tint("behind", Tint.COLOUR, 1, 0, 0, 1), False),
    ("colour of what is clear", tint("clear", Tint.COLOUR, 1, 0, 0, 0), False),
    ("what is clear comes", tint("clear", Tint.COLOUR, 1, 1, 1, 1), True),
    ("colour of what is cut out", tint("cut out", Tint.COLOUR, 1, 0, 0, 1), False),
    ("emission without light", tint("lit", Tint.EMISSION, 1, 1, 1, 1), False),
    ("shade without a toon", tint("lit", Tint.SHADE, 1, 0, 0, 1), False),
    ("matcap without a picture", tint("toon", Tint.MATCAP, 0, 0, 0, 1), False),
    ("texture", slide("striped"), True),
    ("texture behind others", slide("behind"), False),
    ("texture of what is clear", slide("clear"), False),
]


def test_an_expression_is_seen_where_it_changes_a_pixel(unseen: Unseen, tmp_path: Path) -> None:
    expressions = [replace(expression, name=name) for name, expression, _ in EXPRESSIONS]
    made: Character = wall(list(VRM_PATCHES.values()), PICTURES, expressions)
    path = tmp_path / "wall.vrm"
    path.write_bytes(vrm_bytes(made))

    found = unseen(path, ["flat", "toon"])

    assert [name for number, (name, _, _) in enumerate(EXPRESSIONS) if number in found] == [
        name for name, _, shown in EXPRESSIONS if not shown
    ]
