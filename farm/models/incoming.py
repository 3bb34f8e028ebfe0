"""The files that people name or send: a model by itself, a folder with some, or a zip of such a folder."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from farm import free_space
from farm.errors import ArchiveError, FarmError, NoModelError
from farm.models.archive import lists, unpack
from farm.models.files import SUFFIXES, ZIP, find_models
from farm.models.fit import Fit
from farm.models.package import (
    MAX_PACKAGE_BYTES,
    MAX_TEXTURES,
    ModelFiles,
    Package,
    open_model,
    read_character,
)
from farm.wording import few

_INNER = 64
"""Zips in a zip that are looked into, to tell that models are in there."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A model file that cannot be used, and why."""

    name: str
    error: FarmError


@dataclass(frozen=True, slots=True)
class Opened:
    """One of the models of a file that somebody sent or named."""

    name: str
    """Its path in a zip; otherwise the file's name."""
    models: int
    """How many there are in the file."""
    files: ModelFiles | FarmError
    """The model, or why it cannot be used."""


def open_models(path: Path, within: Path | None = None) -> Iterator[Opened]:
    """Read the file `path`, a model or a zip with some, each when it is asked for.

    Raises ModelError when a model, ArchiveError when a zip cannot be used as a whole, NoModelError when there is none in it,
    DiskFullError when the temporary folder has no room for it.
    """
    if path.suffix.lower() != ZIP:
        yield Opened(path.name, 1, open_model(path, within))
        return
    if path.stat().st_size > MAX_PACKAGE_BYTES:
        raise ArchiveError(f"'{path.name}' is larger than the limit of {MAX_PACKAGE_BYTES // 2**20} MiB.")
    yield from _opened(path.name, path)


def received(file_name: str, file: Path) -> Iterator[Package | Refusal]:
    """Read an uploaded file: a model by itself, or a zip with one or more models and their textures; one after the other.

    Raises ArchiveError when the upload as a whole is refused, NoModelError when there is no model in it, DiskFullError when
    the temporary folder has no room for it; single bad models come as refusals.
    """
    for opened in _opened(file_name, file):
        try:
            if isinstance(opened.files, FarmError):
                raise opened.files
            yield opened.files.package()
        except FarmError as error:
            yield Refusal(opened.name, error)


def _opened(file_name: str, file: Path) -> Iterator[Opened]:
    with ExitStack() as stack:
        with free_space.noticed_temporary():
            root = Path(stack.enter_context(TemporaryDirectory(prefix="farm-receive-")))
            if Path(file_name).suffix.lower() == ZIP:
                with file.open("rb") as source:
                    unpack(source, root, Fit(_references))
            else:
                shutil.copyfile(file, root / _safe_name(file_name))
        paths = list(find_models(root))
        zips = [zipped for zipped in islice(find_models(root, (ZIP,)), _INNER) if lists(zipped, (*SUFFIXES, ZIP))]
        inner = [zipped.relative_to(root).as_posix() for zipped in zips]
        if inner and not paths:
            raise _nested(file_name, inner)
        if not paths:
            raise NoModelError(
                f"'{file_name}' holds no model: upload a .vrm, .pmx or .pmd file, or a .zip of a folder with one."
            )
        for path in paths:
            name = path.relative_to(root).as_posix()
            try:
                yield Opened(name, len(paths), open_model(path, root))
            except FarmError as error:
                yield Opened(name, len(paths), error)
        if inner:
            yield Opened(inner[0], len(paths), _nested(file_name, inner))


def _nested(file_name: str, inner: Sequence[str]) -> ArchiveError:
    return ArchiveError(
        f"'{file_name}' holds zips in which there are models, or zips again: {few(inner)}. A zip in a zip is not opened: "
        "unpack the outer one, and give what comes out of it."
    )


def _references(suffix: str, data: bytes) -> tuple[str, ...]:
    """The textures that a model names; none for one that cannot be read."""
    try:
        return read_character(suffix, data).textures[:MAX_TEXTURES]
    except FarmError:
        return ()


def _safe_name(file_name: str) -> str:
    """The last part of a name that somebody sent, as one that a file can have."""
    name = file_name.replace("\\", "/").replace("\0", "").rsplit("/", 1)[-1]
    name = name.encode("utf-8", "replace").decode()
    if name in ("", ".", "..") or len(name.encode()) > 255:
        return f"unnamed{Path(name).suffix[:8]}"
    return name
