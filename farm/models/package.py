"""A model as the farm keeps it: the character file, its textures by number, and its content hash.

Paths end here. Textures are looked up once, when the model comes in; from then on texture 3 of a model is the member
``texture-3`` of its package, so no later step can be led to another file.
"""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from farm import free_space
from farm.errors import FarmError, ModelFormatError
from farm.models import inventory
from farm.models.archive import unpack
from farm.models.description import Character
from farm.models.files import SUFFIXES
from farm.models.inventory import Inventory
from farm.models.limits import check_listed, check_names
from farm.models.mmd.pmd import read_pmd
from farm.models.mmd.pmx import read_pmx
from farm.models.necks import with_neck
from farm.models.notices import Notice, find_notices, read_notices
from farm.models.textures import TextureFolder
from farm.models.vrm.reader import read_vrm
from farm.morphs.evidence import PictureChange

_READERS = {".pmx": read_pmx, ".pmd": read_pmd, ".vrm": read_vrm}
MAX_MODEL_BYTES = 512 * 2**20
MAX_TEXTURES = 1024
"""Entries of a model's texture list; fewer than an archive's members, so that every package can be unpacked again."""
MAX_PACKAGE_BYTES = 1 * 2**30
"""The stated limit for one model with its textures."""
_CHARACTER = "character"
_TEXTURE = "texture-"
_AGAIN = "again.json"
"""Texture index to the index of the one that it equals; absent where all differ."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Package:
    """One model, read and checked."""

    name: str
    """The file's name without its suffix; a label, not part of the identity."""
    suffix: str
    data: bytes
    textures: dict[int, bytes]
    """Texture index to the file's bytes; absent ones are left out."""
    inventory: Inventory

    @property
    def size(self) -> int:
        """Bytes of the package: of the textures, those that are alike count once."""
        return len(self.data) + sum(len(texture) for texture in set(self.textures.values()))

    @property
    def id(self) -> str:
        """The content hash (64 hex digits): the same character with the same textures, whatever the names."""
        return _content_hash(self.suffix, self.data, self.textures)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model's file and what stands beside it, read; what its morphs play, the slow part, is not worked out yet."""

    name: str
    suffix: str
    data: bytes
    textures: dict[int, bytes]
    character: Character
    found: dict[int, str]
    """Texture index to the path where it stands."""
    absent: list[str]
    remarks: list[str]
    notices: list[Notice]

    @property
    def id(self) -> str:
        """The content hash that the package has."""
        return _content_hash(self.suffix, self.data, self.textures)

    def package(self) -> Package:
        """The model, checked. Raises ModelError."""
        held = inventory.of_character(self.character, self.found, self.absent, self.remarks, self.notices)
        return Package(self.name, self.suffix, self.data, self.textures, held)


def _content_hash(suffix: str, data: bytes, textures: Mapping[int, bytes]) -> str:
    total = hashlib.sha256(suffix.encode() + b"\0" + hashlib.sha256(data).digest())
    digests = {texture: hashlib.sha256(texture).digest() for texture in set(textures.values())}
    for index, texture in sorted(textures.items()):
        total.update(index.to_bytes(4, "big") + digests[texture])
    return total.hexdigest()


def read_character(suffix: str, data: bytes) -> Character:
    """Read PMX, PMD or VRM bytes. Raises ModelError, for one over the limits of what a model may list, too."""
    character = _READERS[suffix](data)
    check_listed(character)
    check_names(character)
    return with_neck(character)


def read_model(path: Path, within: Path | None = None) -> Package:
    """Read the model file `path` with its textures, as `open_model` does, and check it. Raises ModelError."""
    return open_model(path, within).package()


def open_model(path: Path, within: Path | None = None) -> ModelFiles:
    """Read the model file `path` with its textures. Raises ModelError.

    Textures are looked for in `within`, the folder that the user gave; None: in the model's own.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ModelFormatError(f"'{path.name}' is no model file: {', '.join(SUFFIXES)} can be read.")
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise ModelFormatError(f"'{path.name}' is larger than the limit of {MAX_MODEL_BYTES // 2**20} MiB.")
    data = path.read_bytes()
    character = read_character(suffix, data)
    folder = path.resolve().parent  # a link to a model finds the textures beside the model
    place = TextureFolder(folder, within.resolve() if within is not None else None)
    notices = list(read_notices(find_notices(folder, place.root)))
    if suffix == ".vrm":  # all that it shows is inside
        return ModelFiles(path.stem, suffix, data, {}, character, {}, [], [], notices)
    if len(character.textures) > MAX_TEXTURES:
        raise ModelFormatError(
            f"'{path.name}' lists {len(character.textures)} textures, over the limit of {MAX_TEXTURES}. Remove the "
            "unused ones in an editor such as PMX Editor."
        )
    textures: dict[int, bytes] = {}
    found: dict[int, str] = {}
    absent: list[str] = []
    strays: list[str] = []
    read: dict[Path, bytes] = {}  # a thousand entries may name one file
    size = len(data)
    for index, reference in enumerate(character.textures):
        match = place.find(reference)
        if match is None:
            if reference.strip():
                absent.append(reference)
            continue
        file, stray = match
        if file not in read:
            size += file.stat().st_size
            if size > MAX_PACKAGE_BYTES:
                raise ModelFormatError(
                    f"'{path.name}' and its textures exceed {MAX_PACKAGE_BYTES // 2**20} MiB together."
                )
            read[file] = file.read_bytes()
        textures[index] = read[file]
        found[index] = file.relative_to(folder, walk_up=True).as_posix()
        if stray:
            strays.append(f"Texture '{reference}' is not where the model says; '{found[index]}' is drawn.")
    return ModelFiles(path.stem, suffix, data, textures, character, found, absent, strays, notices)


def decided_again(held: Inventory, package: bytes, pictures: Mapping[int, PictureChange] | None = None) -> Inventory:
    """The inventory of a kept package (`to_bytes`) as this version decides on its morphs, by `pictures` as well."""
    with free_space.noticed_temporary(), TemporaryDirectory(prefix="farm-decide-") as folder:
        path, _ = unfold(package, Path(folder))
        return inventory.decided_again(held, read_character(path.suffix, path.read_bytes()), pictures)


def upload_form(path: Path, within: Path | None = None) -> tuple[str, bytes]:
    """The model at `path` as a file to upload: (file name, bytes), a zip when textures or notices go with it.

    Textures are looked for as `read_model` does.
    A file that cannot be read is sent as it is: the farm says what is wrong with it.
    """
    try:
        package = read_model(path, within)
    except FarmError:
        return path.name, path.read_bytes()
    if not package.textures and not package.inventory.notices:
        return path.name, package.data
    folder = path.resolve().parent
    given = TextureFolder(folder, within.resolve() if within is not None else None).root
    notices = [file.relative_to(folder, walk_up=True).as_posix() for file in find_notices(folder, given)]
    textures = package.inventory.textures_found if package.textures else []  # a VRM's are inside it
    files = list(dict.fromkeys([*textures, *notices]))  # two entries may name one file
    beside = not any(name.startswith("../") for name in files)
    root = folder if beside else given
    place = folder.relative_to(root)
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w") as archive:
            name = path.name.encode("utf-8", "replace").decode()  # old archives leave bytes that no zip can name
            archive.writestr((place / name).as_posix(), package.data)
            for name in files:
                file = Path(os.path.normpath(folder / name))
                archive.writestr(file.relative_to(root).as_posix(), file.read_bytes())
        return f"{path.stem}.zip", out.getvalue()


def to_bytes(package: Package) -> bytes:
    """The package as a zip whose bytes depend on its content alone."""
    with io.BytesIO() as out:
        _write(package, out)
        return out.getvalue()


def write_package(package: Package, path: Path) -> None:
    """The same as a file."""
    with path.open("wb") as out:
        _write(package, out)


def _write(package: Package, out: BinaryIO) -> None:
    """A member for the character, one for each texture, and which textures equal others."""
    first: dict[bytes, int] = {}
    again = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_CHARACTER + package.suffix, _EPOCH), package.data)
        for index, data in sorted(package.textures.items()):
            if (equal := first.setdefault(data, index)) != index:
                again[str(index)] = equal
            else:
                archive.writestr(zipfile.ZipInfo(f"{_TEXTURE}{index}", _EPOCH), data)
        if again:
            archive.writestr(zipfile.ZipInfo(_AGAIN, _EPOCH), json.dumps(again))


def unfold(data: bytes, into: Path) -> tuple[Path, dict[int, Path]]:
    """Lay the zip of `to_bytes` out in the folder `into`; the character's path and the textures' paths by index.

    Textures that are equal have one path.
    """
    unpack(io.BytesIO(data), into)
    character = next(path for path in into.iterdir() if path.stem == _CHARACTER)
    textures = {int(path.name.removeprefix(_TEXTURE)): path for path in into.glob(f"{_TEXTURE}*")}
    if (into / _AGAIN).exists():
        again = json.loads((into / _AGAIN).read_text())
        textures |= {int(index): textures[equal] for index, equal in again.items()}
    return character, textures
