"""Momo with her eyes, brows and mouth painted on the texture of her face: no triangles of their own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from farm.mascots.skull import PICTURE_SIDE, PICTURE_TOP
from farm.models.description import Character, UVMorph, VertexMorph
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.morphs.panels import Panel
from tests.support.characters import mascot_and_pictures, pictures_of

EYE, MOUTH = (0.64, 15.0), (0.0, 14.28)
"""Places of the left eye and of the mouth in the mascots' X and Y, in model units."""
_EYE_SIZE, _MOUTH_SIZE = (0.36, 0.30), (0.30, 0.05)
_SKIN, _DARK, _RED, _WHITE = (254, 226, 208), (30, 40, 90), (150, 30, 40), (255, 255, 255)
_SIZE = 1024
_ON_SKULL = {"顔", "首", "服", "髪", "飾り", "後髪内"}


def _place(x: float, y: float, down: float = 0.0) -> tuple[float, float]:
    """A pixel of the face's picture, twice as high as the mascots' own: below it is a second face."""
    return (x / PICTURE_SIDE + 0.5) * _SIZE, (PICTURE_TOP - y) / PICTURE_SIDE * _SIZE + down * _SIZE


def _ellipse(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], half: tuple[float, float], fill: tuple[int, ...], down: float
) -> None:
    left, top = _place(at[0] - half[0], at[1] + half[1], down)
    right, bottom = _place(at[0] + half[0], at[1] - half[1], down)
    pen.ellipse((left, top, right, bottom), fill=fill)


def _face() -> Image.Image:
    """Above the face with open eyes and a shut mouth, below it the one with shut eyes and an open mouth."""
    picture = Image.new("RGB", (_SIZE, 2 * _SIZE), _SKIN)
    pen = ImageDraw.Draw(picture)
    for sign in (1, -1):
        at = (EYE[0] * sign, EYE[1])
        _ellipse(pen, at, _EYE_SIZE, _WHITE, 0)
        _ellipse(pen, at, (0.22, 0.28), _DARK, 0)
        _ellipse(pen, at, (0.36, 0.03), _DARK, 1)
    _ellipse(pen, MOUTH, (_MOUTH_SIZE[0], 0.02), _RED, 0)
    _ellipse(pen, MOUTH, (0.26, 0.16), _RED, 1)
    return picture


def _near(character: Character, at: tuple[float, float], reach: float) -> np.ndarray:
    """The vertices of the face about a place, on its front."""
    face = next(material for material in character.materials if material.name == "顔")
    rows = slice(face.first_triangle, face.first_triangle + face.triangle_count)
    own = np.unique(character.triangles[rows])
    x, y, z = character.positions[own].T
    return np.asarray(own[(np.hypot(x - at[0], y - at[1]) < reach) & (z < 0)], np.int32)


def _slides(character: Character, name: str, *places: tuple[float, float]) -> UVMorph:
    vertices = np.concatenate([_near(character, at, 0.5) for at in places])
    offsets = np.zeros((len(vertices), 4), np.float32)
    offsets[:, 1] = 0.5
    return UVMorph(name, "", Panel.MOUTH if name == "あ" else Panel.EYE, 0, vertices, offsets)


def _squashes(character: Character, name: str, *places: tuple[float, float]) -> VertexMorph:
    found = [(_near(character, at, 0.5), at) for at in places]
    vertices = np.concatenate([own for own, _ in found])
    offsets = np.zeros((len(vertices), 3), np.float32)
    offsets[:, 1] = np.concatenate([(at[1] - character.positions[own, 1]) * 0.9 for own, at in found])
    return VertexMorph(name, "", Panel.EYE, vertices, offsets)


def painted_face(folder: Path, *, squashed: bool) -> Path:
    """The character as a PMX file with its pictures. Its eyes close by other texels, or by `squashed` vertices."""
    mascot = mascot_and_pictures("momo")
    character = mascot.character
    bare = []
    for material in character.materials:
        hidden = material.name not in _ON_SKULL
        bare.append(replace(material, triangle_count=0) if hidden else material)
    face = next(index for index, name in enumerate(character.textures) if name.endswith("face.png"))
    kept = np.concatenate([character.triangles[m.first_triangle : m.first_triangle + m.triangle_count] for m in bare])
    starts = np.cumsum([0, *(m.triangle_count for m in bare)])
    materials = tuple(replace(m, first_triangle=int(start)) for m, start in zip(bare, starts, strict=False))
    uvs = character.uvs.copy()
    own = np.concatenate(
        [
            np.unique(kept[m.first_triangle : m.first_triangle + m.triangle_count])
            for m in materials
            if m.texture == face
        ]
    )
    uvs[own, 1] /= 2
    eyes = (EYE, (-EYE[0], EYE[1]))
    plain = replace(character, triangles=kept, materials=materials, uvs=uvs, morphs=())
    close = _squashes(plain, "まばたき", *eyes) if squashed else _slides(plain, "まばたき", *eyes)
    plain = replace(plain, morphs=(close, _slides(plain, "あ", MOUTH)))
    (folder / "tex").mkdir(parents=True)
    for name, picture in pictures_of(mascot):
        (folder / name).write_bytes(picture)
    _face().save(folder / character.textures[face])
    path = folder / "painted.pmx"
    path.write_bytes(pmx_bytes(plain))
    return path
