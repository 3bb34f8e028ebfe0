"""The characters of a benchmark: real ones where they are at hand, and our own in every format, none like another."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from farm.mascots.cast import MASCOTS
from farm.mascots.kit import Mascot
from farm.models.description import Character, VertexMorph
from farm.models.files import find_models
from farm.models.mmd.pmd_writer import pmd_bytes
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.vrm.writer import vrm_bytes

FORMATS = (".pmx", ".pmd", ".vrm")


@dataclass(frozen=True, slots=True)
class Cast:
    """Model files of all formats."""

    models: list[Path]
    made: int
    """How many of them are our own."""


def cast(room: Path, count: int = 24) -> Cast:
    """`count` characters, a third of them VRM: those of FARM_TEST_MODELS, and own ones written into `room`."""
    folder = Path(os.environ.get("FARM_TEST_MODELS") or "../shared/models")
    real = list(find_models(folder))[:count] if folder.is_dir() else []
    missing = {suffix: count // 3 - sum(path.suffix == suffix for path in real) for suffix in FORMATS}
    order = [suffix for suffix in (".vrm", ".pmd", ".pmx") for _ in range(max(0, missing[suffix]))]
    order = order[: count - len(real)] + [".pmx"] * (count - len(real) - len(order))
    mascots = [make() for make in MASCOTS.values()]  # each takes more than a second to make
    made = [_write(mascots[number % len(mascots)], room, number, suffix) for number, suffix in enumerate(order)]
    return Cast([*real, *made], len(made))


def _write(mascot: Mascot, room: Path, number: int, suffix: str) -> Path:
    """The mascot, of another size and with other colours, in its own folder."""
    name = f"{mascot.character.name_en or 'mascot'}-{number:02d}"
    folder = room / name
    folder.mkdir(parents=True)
    pictures = dict(_tinted(mascot, number))
    character = _grown(mascot.character, 1 + number / 50)
    if suffix == ".vrm":
        embedded = {index: pictures[path] for index, path in enumerate(character.textures)}
        data = vrm_bytes(replace(character, embedded=embedded), "1.0" if number % 2 else "0.x")
    else:
        for path, picture in pictures.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(picture)
        data = pmd_bytes(character) if suffix == ".pmd" else pmx_bytes(character)
    file = folder / f"{name}{suffix}"
    file.write_bytes(data)
    return file


def _tinted(mascot: Mascot, number: int) -> Iterator[tuple[str, bytes]]:
    """The mascot's pictures as PNG files, their colours mixed by `number`."""
    for path, picture in mascot.pictures.items():
        pixels = np.asarray(picture.convert("RGBA")).copy()
        pixels[..., :3] = np.roll(pixels[..., :3], number % 3, axis=2) // 16 * 16 + number % 16
        with BytesIO() as out:
            Image.fromarray(pixels).save(out, format="PNG")
            yield path, out.getvalue()


def _grown(character: Character, factor: float) -> Character:
    """The character, larger."""
    bones = []
    for bone in character.bones:
        x, y, z = bone.position
        bones.append(replace(bone, position=(x * factor, y * factor, z * factor)))
    morphs = tuple(
        replace(morph, offsets=morph.offsets * np.float32(factor)) if isinstance(morph, VertexMorph) else morph
        for morph in character.morphs
    )
    positions = character.positions * np.float32(factor)
    return replace(character, positions=positions, bones=tuple(bones), morphs=morphs)
