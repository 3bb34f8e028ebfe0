"""Reads rendered folders that may come from elsewhere: nothing outside them is opened, and no size is trusted."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from farm.dataset.manifest import CONTACT_SHEET, MANIFEST, read_manifest
from farm.dataset.output import LABELS, RenderedModel
from farm.errors import StorageError

MAX_MANIFEST_BYTES = 256 * 2**20
"""One of 100 samples has about half a MiB."""
MAX_FILE_BYTES = 64 * 2**20
"""Of a picture or a label file: of 1,024 pixels a side none has nearly as many."""
MAX_FILES = 4_000_000
"""In one model's folder."""
_DEPTH = 4
"""Folders in each other: a picture stands in the third."""


def read_file(path: Path, most: int) -> bytes:
    """The contents of a plain file of at most `most` bytes. Raises StorageError for a link, a device and more bytes.

    FileNotFoundError passes through: what is not there is for the caller to judge.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({error.strerror}); a link is not followed.") from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise StorageError(f"{path} is no plain file.")
        if found.st_size > most:
            raise StorageError(f"{path} has {found.st_size} bytes, over the limit of {most}.")
        return file.read(found.st_size)  # as much as it takes is allocated at once, so not `most`


def stands(directory: Path, name: str) -> bool:
    """Whether `name` is a plain file below `directory`, without a link on the way."""
    at = directory
    try:
        for part in name.split("/"):
            at /= part
            if at.is_symlink():
                return False
        return at.is_file()
    except (OSError, ValueError):
        return False


def model_folders(directory: Path) -> list[Path]:
    """The folders right under `directory` in which a model may stand, by name: no links, nothing hidden."""
    try:
        with os.scandir(directory) as entries:
            names = [
                entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and entry.name[:1] not in "._"
            ]
    except OSError as error:
        raise StorageError(f"{directory} cannot be read ({error.strerror}).") from error
    return [directory / name for name in sorted(names)]


def read_model_folder(folder: Path) -> RenderedModel:
    """The model in a folder of `model_folders`. Raises StorageError for a manifest that is absent or cannot be read."""
    path = folder / MANIFEST
    try:
        data = read_file(path, MAX_MANIFEST_BYTES)
    except FileNotFoundError as error:
        raise StorageError(f"{folder} has no {MANIFEST}: the model was not finished; render it again.") from error
    return RenderedModel(folder, read_manifest(data, str(path)))


def models_in(directory: Path) -> Iterator[RenderedModel]:
    """The models under `directory`, one after another; folders without a manifest are passed over.

    Raises StorageError for a damaged manifest, and when there is no model at all.
    """
    found = False
    for folder in model_folders(directory):
        if (folder / MANIFEST).is_file():
            yield read_model_folder(folder)
            found = True
    if not found:
        raise StorageError(
            f"{directory} holds no rendered models; make some with `farm render PATH --out {directory}`."
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """What is in a folder, at any depth."""

    sizes: dict[str, int]
    """Bytes of each plain file, by its path below the folder, with forward slashes."""
    strange: list[str]
    """Links, devices, folders too deep: what a rendered folder has none of."""


def listing(folder: Path) -> Listing:
    """The files below `folder`; links are named and not followed. Raises StorageError for more than MAX_FILES."""
    sizes: dict[str, int] = {}
    strange: list[str] = []
    waiting = [""]
    while waiting:
        place = waiting.pop()
        with os.scandir(folder / place) as entries:
            for entry in entries:
                name = f"{place}{entry.name}"
                if entry.is_file(follow_symlinks=False):
                    sizes[name] = entry.stat(follow_symlinks=False).st_size
                elif entry.is_dir(follow_symlinks=False) and name.count("/") < _DEPTH:
                    waiting.append(f"{name}/")
                else:
                    strange.append(name)
                if len(sizes) + len(strange) > MAX_FILES:
                    raise StorageError(f"{folder} holds more than {MAX_FILES} files; it is no rendered folder.")
    return Listing(sizes, sorted(strange))


def intact(model: RenderedModel) -> bool:
    """Whether every file whose hash the manifest states has these very bytes; reads all of them.

    Of earlier versions contact sheets and labels have none.
    """
    folder, manifest = model.folder, model.manifest
    stated = [(folder / "basis" / f"{basis.style}.png", basis.sha256) for basis in manifest.basis]
    stated += [(model.image_path(image), image.sha256) for image in manifest.images]
    stated += [
        (folder / LABELS / label.partition / f"{folder.name}_{label.file.partition('_')[2]}", label.sha256)
        for label in manifest.label_files
    ]
    if manifest.contact_sheet is not None:
        stated.append((folder / CONTACT_SHEET, manifest.contact_sheet))
    return all(_hash_of(path) == sha256 for path, sha256 in stated)


def _hash_of(path: Path) -> str:
    """Of a plain file of up to MAX_FILE_BYTES; empty where there is none."""
    try:
        return hashlib.sha256(read_file(path, MAX_FILE_BYTES)).hexdigest()
    except (FileNotFoundError, StorageError):
        return ""
