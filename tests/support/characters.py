"""Characters as files: our own in every format, and all that are at hand."""

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

from farm.mascots.cast import MASCOTS
from farm.mascots.kit import Mascot
from farm.models.description import Character
from farm.models.files import find_models
from farm.models.mmd.pmd_writer import pmd_bytes
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.vrm.writer import vrm_bytes

FORMATS = (".pmx", ".pmd", ".vrm")


@cache
def mascot(name: str) -> Character:
    """A mascot, made once for all tests of a process, which takes a second: who changes it makes a copy by `replace`."""
    return MASCOTS[name]().character


def write_character(mascot: Mascot, folder: Path, suffix: str) -> Path:
    """The mascot as `folder`/name.suffix with its pictures beside or, in VRM, inside it."""
    pictures = dict(_pictures(mascot))
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


def _pictures(mascot: Mascot) -> Iterator[tuple[str, bytes]]:
    for path, picture in mascot.pictures.items():
        with BytesIO() as out:
            picture.save(out, format="PNG")
            yield path, out.getvalue()


def at_hand(room: Path) -> list[Path]:
    """The characters of FARM_TEST_MODELS, where there are any, and both mascots in every format, written into `room`."""
    folder = Path(os.environ.get("FARM_TEST_MODELS") or "../shared/models")
    real = list(find_models(folder)) if folder.is_dir() else []
    made = [
        write_character(make(), room / f"{name}-{suffix[1:]}", suffix)
        for name, make in MASCOTS.items()
        for suffix in FORMATS
    ]
    return [*real, *made]
