"""Characters for benchmarks that differ as people's do: the mascots with other faces, colours and names of sides.

A third of them call the morph of the left side what the others call that of the right one, as a third of real characters do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm.mascots.cast import MASCOTS
from farm.mascots.kit import SKULL, Mascot
from farm.models.description import Character, Morph, VertexMorph
from farm.models.mmd.pmx_writer import pmx_bytes

type Array = NDArray[np.float64]

_HALVES = {"まばたき": ("ウィンク", "ウィンク右")}
"""Of a morph of both sides, what its left and its right half are called where a mascot has no winks."""
_OTHER_NAMES = (
    ("ウィンク２", "ｳｨﾝｸ２右"),
    ("ウィンク", "ウィンク右"),
    ("びっくり左", "びっくり右"),
    ("じと目左", "じと目右"),
)
_EYE = (0.64, 15.0)
"""Where both mascots' left eye is: x and y of the file, in its units."""


@dataclass(frozen=True, slots=True)
class Face:
    """How a face differs from its mascot's: factors, and places in units of the file."""

    eye_size: float = 1.0
    eyes_apart: float = 0.0
    eyes_up: float = 0.0
    mouth_size: float = 1.0
    hue: float = 0.0
    """Degrees by which all colours but the skin's turn."""
    exchanged: bool = False
    """Whether the names of the sides are exchanged."""


FACES = (
    Face(),
    Face(eye_size=0.85, eyes_apart=0.04, mouth_size=1.15, hue=60, exchanged=True),
    Face(eye_size=1.1, eyes_up=-0.06, hue=200),
    Face(eye_size=0.93, eyes_apart=-0.03, eyes_up=0.05, mouth_size=0.9, hue=120),
    Face(eye_size=1.05, eyes_apart=0.05, eyes_up=-0.03, hue=280, exchanged=True),
    Face(eye_size=0.8, eyes_up=-0.05, mouth_size=1.1, hue=330),
)


def write_lookalikes(room: Path, faces: Sequence[Face] = FACES) -> list[Path]:
    """Write every mascot with every one of `faces` into `room`; the paths of the .pmx files."""
    found = []
    for name, make in MASCOTS.items():
        mascot = make()
        for number, face in enumerate(faces):
            home = room / f"{name}-{number}"
            (home / "tex").mkdir(parents=True)
            _write_pictures(mascot, home, face.hue)
            path = home / f"{name}-{number}.pmx"
            path.write_bytes(pmx_bytes(_named(_faced(_winking(mascot.character), face), face.exchanged)))
            found.append(path)
    return found


def _write_pictures(mascot: Mascot, home: Path, degrees: float) -> None:
    for path, picture in mascot.pictures.items():
        red, green, blue, alpha = picture.convert("RGBA").split()
        turned = Image.merge("RGB", (red, green, blue)).convert("HSV")
        if "face" not in path:
            turned = Image.fromarray(
                np.asarray(turned) + np.array((round(degrees / 360 * 256) % 256, 0, 0), np.uint8), "HSV"
            )
        picture = turned.convert("RGB")
        picture.putalpha(alpha)
        picture.save(home / path, format="PNG")


def _winking(character: Character) -> Character:
    """The character, with the halves of what moves both sides where it lacks them."""
    names = {morph.name for morph in character.morphs}
    morphs: list[Morph] = list(character.morphs)
    for morph in character.morphs:
        if isinstance(morph, VertexMorph) and morph.name in _HALVES:
            left = character.positions[morph.vertices, 0] > 0
            for name, half in zip(_HALVES[morph.name], (left, ~left), strict=True):
                if name not in names:
                    morphs.append(replace(morph, name=name, vertices=morph.vertices[half], offsets=morph.offsets[half]))
    return replace(character, morphs=tuple(morphs))


def _faced(character: Character, face: Face) -> Character:
    """The character with another face; what morphs do goes along."""
    rest = character.positions.astype(np.float64)
    moved = _bent(rest, face)
    morphs = []
    for morph in character.morphs:
        if isinstance(morph, VertexMorph):
            there = _bent(rest[morph.vertices] + morph.offsets, face) - moved[morph.vertices]
            morph = replace(morph, offsets=there.astype(np.float32))
        morphs.append(morph)
    return replace(character, positions=moved.astype(np.float32), morphs=tuple(morphs))


def _bent(places: Array, face: Face) -> Array:
    """(n, 3) places, those about eyes and mouth moved as the face says, those far from them hardly."""
    x, y = np.abs(places[:, 0]), places[:, 1]
    across = np.sign(places[:, 0])
    near = np.exp(-((x - _EYE[0]) ** 2 + (y - _EYE[1]) ** 2) / 0.5)
    bent = places.copy()
    bent[:, 0] += across * near * ((x - _EYE[0]) * (face.eye_size - 1) + face.eyes_apart)
    bent[:, 1] += near * ((y - _EYE[1]) * (face.eye_size - 1) + face.eyes_up)
    mouth = SKULL.mouth
    near = np.exp(-(x**2 + (y - mouth) ** 2) / 0.2)
    bent[:, 0] += near * places[:, 0] * (face.mouth_size - 1)
    bent[:, 1] += near * (y - mouth) * (face.mouth_size - 1)
    return bent


def _named(character: Character, exchanged: bool) -> Character:
    if not exchanged:
        return character
    other = {name: pair[1 - place] for pair in _OTHER_NAMES for place, name in enumerate(pair)}
    names = {morph.name for morph in character.morphs}
    return replace(
        character,
        morphs=tuple(
            replace(morph, name=other[morph.name]) if other.get(morph.name) in names else morph
            for morph in character.morphs
        ),
    )
