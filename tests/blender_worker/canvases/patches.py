"""A character that is a wall of square patches, each with a material of its own, and where they are in its pictures."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from farm import pipe
from farm.drawing.blender import Blender
from farm.labels import LabelName
from farm.models.description import MMD, VRM_1, Character, Morph
from farm.models.materials import Material, MaterialFlag, MmdMaterial
from farm.models.package import read_model, to_bytes, unfold
from farm.poses import Partition
from farm.spec import CanvasName
from tests.farm.models.made_files import small_character

SIZE = 192
SIDE, PITCH, COLUMNS = 0.05, 0.065, 5
"""Metres: a patch, and from one to the next; patches in a row."""
HEIGHT = 0.25
"""Metres: of the wall, which is a head."""
TOWARDS, AWAY = 1.0, -1.0
"""Where a patch's normals point: to the light, or from it."""


@dataclass
class Patch:
    """A square of one material, `u` across wide in its texture."""

    material: Material
    normal: float = TOWARDS
    u: float = 1.0
    ahead: float = 0.0
    """Metres nearer to the camera."""
    place: int | None = None
    """That of another patch, behind which or before which it stands."""
    colour: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    second: tuple[float, float] = (0.0, 0.0)
    """Where all of it looks its second texture up."""


@dataclass
class Drawn:
    """What came of it."""

    pictures: dict[str, np.ndarray]
    labels: dict[LabelName, np.ndarray]
    places: list[int] = field(default_factory=list)

    def linear(self, style: str, patch: int, across: float = 0.5, up: float = 0.5) -> np.ndarray:
        """(4,) linear light and alpha in the middle of a patch, or `across` and `up` of the way through it."""
        row, column = pixel(self.places[patch], across, up)
        shown = self.pictures[style][row, column] / 255
        light = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
        return np.append(light[:3], shown[3])


def pixel(place: int, across: float = 0.5, up: float = 0.5) -> tuple[int, int]:
    """Row and column of the picture; the frame is the head's height by 0.48, its centre 0.3 of that above the neck."""
    x, y = corner(place)
    frame = HEIGHT / 0.48
    return int(SIZE * (0.8 - (y + SIDE * up) / frame)), int(SIZE * (0.5 + (x + SIDE * across) / frame))


def corner(place: int) -> tuple[float, float]:
    """The lower left one of a patch, in metres from the neck."""
    return (place % COLUMNS - COLUMNS / 2) * PITCH, place // COLUMNS * PITCH


def solid(*rgba: int) -> bytes:
    """A picture of one colour, or of several beside each other, four numbers each."""
    return picture([rgba[i : i + 4] for i in range(0, len(rgba), 4)])


def picture(columns: Sequence[Sequence[int]]) -> bytes:
    """A picture of equally wide columns."""
    pixels = np.repeat(np.array([columns], np.uint8), 64 // len(columns), axis=1).repeat(8, axis=0)
    with io.BytesIO() as out:
        Image.fromarray(pixels).save(out, "PNG")
        return out.getvalue()


def wall(patches: Sequence[Patch], pictures: Sequence[bytes], morphs: Sequence[Morph] = ()) -> Character:
    """The character; its materials are numbered as the patches are."""
    base = small_character()
    mmd = isinstance(patches[0].material, MmdMaterial)
    positions, normals, uvs, colours, seconds, triangles = [], [], [], [], [], []
    materials: list[Material] = []
    for number, patch in enumerate(patches):
        x, y = corner(number if patch.place is None else patch.place)
        z = patch.ahead * (-1 if mmd else 1)
        positions += [(x, y, z), (x + SIDE, y, z), (x + SIDE, y + SIDE, z), (x, y + SIDE, z)]
        normals += [(0, 0, patch.normal * (-1 if mmd else 1))] * 4
        uvs += [(0, 1), (patch.u, 1), (patch.u, 0), (0, 0)]
        colours += [patch.colour] * 4
        seconds += [patch.colour if _coloured(patch.material) else (*patch.second, 0, 0)] * 4
        turned = [(0, 2, 1), (0, 3, 2)] if mmd else [(0, 1, 2), (0, 2, 3)]
        triangles += [[4 * number + i for i in triangle] for triangle in turned]
        materials.append(replace(patch.material, first_triangle=2 * number, triangle_count=2))
    # What makes the wall a head of known height.
    positions += [(0, HEIGHT, 0)] * 40
    normals += [(0, 0, 1)] * 40
    uvs += [(0, 0)] * 40
    colours += [(1, 1, 1, 1)] * 40
    seconds += [(0, 0, 0, 0)] * 40
    triangles.append([len(positions) - 1] * 3)
    materials.append(replace(patches[0].material, first_triangle=2 * len(patches), triangle_count=1))
    axes = MMD if mmd else VRM_1
    count = len(positions)
    places = np.array(positions, np.float32) / np.float32(axes.metres) + np.array([0, 10.0, 0.25], np.float32)
    return Character(
        **{name: getattr(base, name) for name in ("format", "name", "name_en", "comment", "comment_en", "bones")},
        positions=places,
        normals=np.array(normals, np.float32),
        uvs=np.array(uvs, np.float32),
        bone_indices=np.tile(np.array([2, -1, -1, -1], np.int32), (count, 1)),
        bone_weights=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        edge_scales=np.ones(count, np.float32),
        triangles=np.array(triangles, np.int32),
        textures=tuple(f"{number}.png" for number in range(len(pictures))),
        materials=tuple(materials),
        morphs=tuple(morphs),
        axes=axes,
        more_uvs=np.array([seconds], np.float32),
        colours=None if mmd else np.array(colours, np.float32),
        embedded={} if mmd else dict(enumerate(pictures)),
    )


def _coloured(material: Material) -> bool:
    """Whether PMX has the vertices' colours for the material, which stand where other materials look a texture up."""
    return isinstance(material, MmdMaterial) and bool(material.flags & MaterialFlag.VERTEX_COLOUR)


def draw(
    blender: Blender,
    model: Path,
    folder: Path,
    canvas: CanvasName,
    places: Sequence[int],
    morph: int | None = None,
    styles: Sequence[str] = ("flat", "toon"),
) -> Drawn:
    """The pictures of a wall, and its uv labels and depths; one morph may play."""
    package = read_model(model)
    character, textures = unfold(to_bytes(package), folder)
    weights = {} if morph is None else {morph: 1.0}
    wanted = [LabelName.DEPTH, LabelName.UV] if canvas is CanvasName.FORWARD else []
    request = pipe.Render(
        character=str(character),
        textures={index: str(path) for index, path in textures.items()},
        morphs=[] if morph is None else [morph],
        canvas=canvas,
        styles=list(styles),
        labels=wanted,
        size=SIZE,
        supersample=2,
        shots=[pipe.Shot(sample=0, partition=Partition.FRONTAL, weights=weights, rotation=(0, 0, 0), light=0.6)],
    )
    (shot,) = blender.draw(request, lambda _: None)
    return Drawn(dict(zip(styles, shot.pictures, strict=True)), dict(shot.labels or {}), list(places))
