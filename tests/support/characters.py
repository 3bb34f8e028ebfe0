"""Characters as files: our own in every format, and all that are at hand."""

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image

from farm.mascots.cast import MASCOTS
from farm.mascots.kit import Mascot
from farm.models.description import Character
from farm.models.files import find_models
from farm.models.mmd.pmd_writer import pmd_bytes
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.vrm.writer import vrm_bytes

FORMATS = (".pmx", ".pmd", ".vrm")


@cache
def mascot_and_pictures(name: str) -> Mascot:
    """A mascot and its pictures, made once for all tests of a process, which takes a second: who changes it makes a copy by
    `replace`."""
    return MASCOTS[name]()


def mascot(name: str) -> Character:
    """The character of `mascot_and_pictures`."""
    return mascot_and_pictures(name).character


def write_character(mascot: Mascot, folder: Path, suffix: str) -> Path:
    """The mascot as `folder`/name.suffix with its pictures beside or, in VRM, inside it."""
    pictures = dict(pictures_of(mascot))
    character = mascot.character
    if suffix == ".vrm":
        embedded = {index: pictures[path] for index, path in enumerate(character.textures)}
        data = vrm_bytes(replace(character, embedded=embedded))
    else:
        for path, picture in pictures.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(picture)
        data = pmd_bytes(character) if suffix == ".pmd" else pmx_bytes(character)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{character.name_en.lower()}{suffix}"
    file.write_bytes(data)
    return file


def pictures_of(mascot: Mascot) -> Iterator[tuple[str, bytes]]:
    """The files of its pictures by the paths that the character has for them. Whatever became of the character, a picture is
    encoded once, which takes half as long as to paint it."""
    for path, picture in mascot.pictures.items():
        if id(picture) not in _encoded:
            with BytesIO() as out:
                picture.save(out, format="PNG")
                _encoded[id(picture)] = picture, out.getvalue()
        yield path, _encoded[id(picture)][1]


_encoded: dict[int, tuple[Image.Image, bytes]] = {}
"""By the picture's identity, which nobody else has as long as it is held here."""


def at_hand(room: Path) -> list[Path]:
    """The characters of FARM_TEST_MODELS, where there are any, and both mascots in every format, written into `room`."""
    folder = Path(os.environ.get("FARM_TEST_MODELS") or "../shared/models")
    real = list(find_models(folder)) if folder.is_dir() else []
    own = [
        write_character(mascot_and_pictures(name), room / f"{name}-{suffix[1:]}", suffix)
        for name in MASCOTS
        for suffix in FORMATS
    ]
    return [*real, *own]
