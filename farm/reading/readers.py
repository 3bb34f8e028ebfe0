"""The readers of one process, and the queue before them.

However many files come at once, by whatever way, a few are read at a time; the others wait, and those for whom the wait
would be long are told to come again. A file that takes too long, or makes its reader die, is refused.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, LifoQueue
from threading import Lock
from typing import Literal

from pydantic import ValidationError

from farm import free_space
from farm.errors import (
    ArchiveError,
    BackgroundError,
    BusyError,
    FarmError,
    ModelError,
    MotionError,
    MotionFormatError,
)
from farm.models.inventory import Inventory
from farm.morphs.evidence import PictureChange
from farm.motion.limits import MAX_BYTES
from farm.reading.messages import (
    ANSWER,
    BACKGROUND,
    HELD,
    MAX_ANSWER,
    MAX_INVENTORY,
    Answer,
    Held,
    MotionAbout,
    ReadBackground,
    ReadOrder,
    Refused,
    inventory_file,
    package_file,
)
from farm.reading.reader import Reader
from farm.scratch import Scratch

MEMORY = 2 * 2**30
"""Bytes that reading one file may take."""
PACKAGES = 2 * 2**30
"""Bytes that all models of one file may take as packages."""
_CPU_SECONDS = 120
_SECONDS = 240.0
"""From the order to the answer: on a busy machine a second of the processor takes longer."""
_FILE = "file"
_READERS = 2
_MOST_WAITING = 16
_PATIENCE = 60.0
_KINDS = (ModelError, ArchiveError, BackgroundError, MotionError)
"""What a reader may say of a file."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was read."""

    id: str
    name: str
    inventory: Inventory
    package: Path
    """As `farm.models.package.unfold` takes it; gone when the reading is."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds."""

    folder: Path
    models: int
    refused: tuple[tuple[str, FarmError], ...]
    """Names and errors of the models in it that cannot be used."""
    _answer: Answer

    def each(self) -> Iterator[Model]:
        """The models, one at a time: together they can be large. Raises ModelError for what is no answer of a reader."""
        for number, model in enumerate(self._answer.models):
            file = self.folder / inventory_file(number)
            inventory = _validated(Inventory, file, MAX_INVENTORY)
            yield Model(model.id, model.name, inventory, self.folder / package_file(number))


@dataclass(frozen=True, slots=True)
class ReadPicture:
    """A background that was read."""

    about: ReadBackground
    file: Path
    """The PNG file; gone when the reading is."""


@dataclass(frozen=True, slots=True)
class ReadMotion:
    """A motion that was read."""

    about: MotionAbout
    file: Path
    """As it came; gone when the reading is."""


class Readers:
    """A queue with a few readers behind it. Any thread may ask."""

    def __init__(
        self, readers: int = _READERS, memory: int = MEMORY, seconds: float = _SECONDS, packages: int = PACKAGES
    ) -> None:
        self._memory, self._seconds, self._packages = memory, seconds, packages
        self._idle: LifoQueue[Reader] = LifoQueue()  # the last that worked is warm
        for _ in range(readers):
            self._idle.put(Reader())
        self._all = list(self._idle.queue)
        self._scratch: Scratch | None = None
        """Where files lie while they are read, made with the first."""
        self._waiting, self._lock = 0, Lock()

    @contextmanager
    def models(self, name: str, source: Iterable[bytes]) -> Iterator[Reading]:
        """The models of a file, while the context lasts. Raises ModelError, ArchiveError, BusyError and
        DiskFullError."""
        with self._read("models", name, source) as (folder, answer):
            refused = tuple((refused.name, _error(refused)) for refused in answer.refused)
            yield Reading(folder, len(answer.models), refused, answer)

    @contextmanager
    def background(self, name: str, source: Iterable[bytes]) -> Iterator[ReadPicture]:
        """A file as a background, while the context lasts. Raises BackgroundError and BusyError."""
        with self._read("background", name, source) as (folder, answer):
            if answer.background is None:
                raise BackgroundError(f"{name} cannot be read; save it anew.")
            yield ReadPicture(answer.background, folder / BACKGROUND)

    @contextmanager
    def motion(self, name: str, source: Iterable[bytes]) -> Iterator[ReadMotion]:
        """A VMD or VRMA file, while the context lasts. Raises MotionError and BusyError."""
        with self._read("motion", name, _limited(name, source)) as (folder, answer):
            if answer.motion is None:
                raise MotionFormatError(f"{name} cannot be read; save it anew.")
            file = folder.parent / _FILE
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            yield ReadMotion(answer.motion.model_copy(update={"id": digest}), file)

    def decided(
        self,
        model: str,
        inventory: Inventory,
        package: bytes,
        pictures: Mapping[int, PictureChange] | None = None,
    ) -> Inventory:
        """The inventory of a kept model of this id as this version decides on its morphs, by `pictures` as well.

        Raises ModelError and BusyError.
        """
        held = Held(inventory=inventory, pictures=None if pictures is None else dict(pictures))
        with self._read("decision", f"model {model}", [package], held) as (folder, _):
            return _validated(Inventory, folder / inventory_file(0), MAX_INVENTORY)

    def close(self) -> None:
        """End the readers."""
        for reader in self._all:
            reader.stop()
        with self._lock:
            if self._scratch is not None:
                self._scratch.close()
                self._scratch = None

    def _home(self) -> Path:
        with self._lock:
            if self._scratch is None:
                self._scratch = Scratch()
            return self._scratch.path

    @contextmanager
    def _read(
        self,
        what: Literal["models", "background", "motion", "decision"],
        name: str,
        source: Iterable[bytes],
        held: Held | None = None,
    ) -> Iterator[tuple[Path, Answer]]:
        with self._turn() as reader, ExitStack() as stack:
            with free_space.noticed_temporary():
                room = stack.enter_context(tempfile.TemporaryDirectory(dir=self._home()))
                file, folder = Path(room, _FILE), Path(room, "folder")
                folder.mkdir()
                with file.open("wb") as sink:
                    sink.writelines(source)
                if held is not None:
                    (folder / HELD).write_text(held.model_dump_json())
            order = ReadOrder(
                what=what,
                file=str(file),
                name=name,
                folder=str(folder),
                memory=self._memory,
                packages=self._packages,
                seconds=_CPU_SECONDS,
            )
            reader.carry_out(order, self._seconds)
            answer = _validated(Answer, folder / ANSWER, MAX_ANSWER)
            if answer.error is not None:
                raise _error(answer.error)
            yield folder, answer

    @contextmanager
    def _turn(self) -> Iterator["Reader"]:
        with self._lock:
            if self._waiting >= _MOST_WAITING:
                raise BusyError(_BUSY)
            self._waiting += 1
        try:
            reader = self._idle.get(timeout=_PATIENCE)
        except Empty:
            raise BusyError(_BUSY) from None
        finally:
            with self._lock:
                self._waiting -= 1
        try:
            yield reader
        finally:
            self._idle.put(reader)


def _limited(name: str, source: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces of a motion's file. Raises MotionFormatError for one that is too large."""
    size = 0
    for piece in source:
        size += len(piece)
        if size > MAX_BYTES:
            raise MotionFormatError(f"'{name}' is larger than the limit of {MAX_BYTES // 2**20} MiB.")
        yield piece


_BUSY = "The farm reads as many files as it can at a time, and others wait. Send the file again in a few seconds."


def _validated[M: (Answer, Inventory)](kind: type[M], file: Path, most: int) -> M:
    try:
        with file.open("rb") as source:
            return kind.model_validate_json(source.read(most))
    except (OSError, ValidationError) as error:
        raise ModelError("The file could not be read. Please report it, with the file.") from error


def _error(refused: Refused) -> FarmError:
    """The error that a reader tells of."""
    kinds: list[type[FarmError]] = [*_KINDS]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return next((kind for kind in kinds if kind.code == refused.code), ModelError)(refused.message)
