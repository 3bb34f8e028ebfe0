"""Reads the models of a collection one after the other: files, zips, and folders that grow while they are watched."""

import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from farm.cli.console import note
from farm.cli.options import MODEL_FILES
from farm.errors import DiskFullError, FarmError, NoModelError
from farm.models.files import find_models
from farm.models.incoming import Opened, open_models
from farm.models.package import ModelFiles, Package

_LOOK_SECONDS = 2.0
"""Between two looks at a watched folder; what is the same in both is taken as whole."""
_LOOK_SHARE = 0.05
"""Of the time may go into looking: a large collection is looked at less often."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file, or a model in a zip, that cannot be used."""

    where: str
    error: FarmError | OSError

    @property
    def code(self) -> str:
        """Of the error, for programs."""
        return self.error.code if isinstance(self.error, FarmError) else "unreadable"


@dataclass(frozen=True, slots=True)
class Checked:
    """A model that can be used."""

    where: str
    package: Package


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that was read and not yet checked."""

    where: str
    """For people: its file, and its name in there if that is a zip of several."""
    label: str
    """What its results carry for people."""
    files: ModelFiles

    def checked(self) -> Checked | Unreadable:
        """The model, with all that it holds worked out."""
        try:
            return Checked(self.where, self.files.package())
        except FarmError as error:
            return Unreadable(self.where, error)


class Sources:
    """Reads models; what they are called depends on which files stand beside each other."""

    def __init__(self, sources: Mapping[Path, Path], named: Iterable[Path] = ()) -> None:
        """`sources` are those of `options.models_at`; `named` are the paths that a person typed."""
        self.files = dict(sources)
        self._named = frozenset(named)
        self._stems = Counter(path.with_suffix("") for path in sources)

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Checked | Unreadable]:
        """All models, each read when it is asked for."""
        for path in self.files:
            for found in self.read(path):
                yield found if isinstance(found, Unreadable) else found.checked()

    def add(self, path: Path, within: Path) -> None:
        """A file came."""
        if path not in self.files:
            self.files[path] = within
            self._stems[path.with_suffix("")] += 1

    def read(self, path: Path) -> Iterator[Candidate | Unreadable]:
        """The models of one of its files, each read when it is asked for."""
        try:
            for opened in open_models(path, self.files[path]):
                where = str(path) if opened.models == 1 else f"{path}/{opened.name}"
                match opened.files:
                    case ModelFiles() as files:
                        yield Candidate(where, self._label(path, opened), files)
                    case error:
                        yield Unreadable(f"{path}/{opened.name}", error)
        except NoModelError as error:
            if path in self._named:
                yield Unreadable(str(path), error)
            else:  # a collection has zips of motions and stages, too
                note("skipped", "yellow", f"{path} holds no model.")
        except DiskFullError:
            raise  # it says nothing about the file
        except (FarmError, OSError) as error:
            yield Unreadable(str(path), error)

    def _label(self, path: Path, opened: Opened) -> str:
        if opened.models > 1:
            return Path(opened.name).stem
        # Gene.pmx beside Gene.pmd: the name has to say which. Files of other folders have no say: whether they are given in
        # the same command would decide what a model's folder is called, and a growing collection be other than a whole one.
        name = path.name if self._stems[path.with_suffix("")] > 1 else path.stem
        return name.encode("utf-8", "replace").decode()


class Watched:
    """Files in folders that grow. What lies right in a folder is a unit: a model's own folder, a zip, a file.

    A unit is taken once it is the same in two looks, and again when it was changed since.
    """

    def __init__(self, roots: tuple[Path, ...]) -> None:
        self._roots = roots
        self._seen: dict[Path, bytes] = {}
        self._taken: dict[Path, bytes] = {}
        self._next = 0.0
        self.settled = False
        """Whether the last look found nothing that may still be growing."""

    def look(self) -> Iterator[tuple[Path, Path]]:
        """The files that are whole since the last look, and the folder each was found in; none between two looks."""
        if time.monotonic() < self._next:
            return
        began = time.monotonic()
        fresh: list[tuple[Path, Path]] = []
        self.settled = True
        for root in self._roots:
            for unit in sorted(root.iterdir()) if root.is_dir() else [root]:
                trace = _trace_of(unit)
                if self._taken.get(unit) == trace:
                    continue
                if self._seen.get(unit) != trace:
                    self._seen[unit], self.settled = trace, False
                    continue
                self._taken[unit] = trace
                fresh += [(path, root if root.is_dir() else root.parent) for path in _sources(unit)]
        now = time.monotonic()
        self._next = now + max(_LOOK_SECONDS, (now - began) / _LOOK_SHARE)
        yield from fresh


def _sources(unit: Path) -> Iterator[Path]:
    if unit.is_dir():
        yield from find_models(unit, MODEL_FILES)
    elif unit.suffix.lower() in MODEL_FILES and not unit.name.startswith("."):
        yield unit


def _trace_of(unit: Path) -> bytes:
    """Changes when a file below `unit` comes, goes or is written."""
    found = hashlib.sha256()
    files = [unit] if not unit.is_dir() else (Path(top, name) for top, _, names in os.walk(unit) for name in names)
    for line in sorted(map(_line, files)):
        found.update(line)
    return found.digest()


def _line(path: Path) -> bytes:
    try:
        now = path.stat()
    except OSError:
        return os.fsencode(path)
    return os.fsencode(path) + f"\0{now.st_size}\0{now.st_mtime_ns}\0".encode()
