"""What an attempt that breaks off leaves in the store, so that the next one draws only the rest.

    renders/<render key>/checkpoints/<first shot>-<last shot>-<sha256 of the file>.tar

A checkpoint holds whole shots as they are stored: `index.json`, then for each shot, in order, `<shot>/<style>.png`, its
label files as `<shot>/labels<suffix>`, and `<shot>/background.json` where there is one. Nobody but a worker reads
checkpoints, and they go when the manifest stands. One that is damaged, or is not what its name says, is drawn again.
"""

import hashlib
import logging
import re
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from farm import pipe
from farm.backgrounds import BackgroundRecord
from farm.dataset.label_reading import suffixes_of
from farm.dataset.manifest import result_object
from farm.dataset.shards import ShardWriter, read_shard, sha256_of
from farm.drawing.assignment import Assignment
from farm.drawing.encoding import Encoded
from farm.drawing.packing import Packer
from farm.drawing.plan import Plan
from farm.errors import FarmError, NotFoundError
from farm.spec import RENDERER_VERSION
from farm.storage import ObjectStore

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 30.0
"""Seconds of drawing that a killed worker may cost. A job that takes no longer stores no checkpoint."""
_MOST_CHECKPOINTS = 1000
"""Of a result; what lies beyond is drawn again."""
_INDEX, _BACKGROUND, _LABELS = "index.json", "background.json", "labels"
_NAME = re.compile(r"(\d{5,9})-(\d{5,9})-([0-9a-f]{64})\.tar")
_PIXEL_BYTES = 32
"""More than all labels of a pixel take, and what tar and PNG add."""


class _Damaged(Exception):
    """A checkpoint is not what it should be."""


class _Index(BaseModel):
    """What a checkpoint says of itself."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    render_key: str
    renderer: int
    """Of `farm.spec`: a job that was ordered before an update keeps its key, and two renderers' shots would mix."""
    first: int
    last: int
    loaded: pipe.Loaded


@dataclass(frozen=True, slots=True, order=True)
class _Found:
    """A checkpoint by its name. In order: by the first shot, and of two with the same one, the longer before."""

    first: int
    minus_last: int
    sha256: str
    key: str


def folder(render_key: str) -> str:
    """The store's prefix of all checkpoints of a result."""
    return result_object(render_key, "checkpoints/")


def discard(store: ObjectStore, render_key: str) -> None:
    """Remove all checkpoints of a result. Raises ServiceError."""
    store.delete_all(folder(render_key))


class Checkpoints:
    """The checkpoints of one result: what earlier attempts left, and what this one adds."""

    def __init__(
        self,
        store: ObjectStore,
        assignment: Assignment,
        packer: Packer,
        room: Path,
        planned: Callable[[pipe.Loaded], Plan],
    ) -> None:
        """`planned` gives the plan that follows from what Blender said of the model."""
        self._planned = planned
        self._store, self._key, self._spec = store, assignment.render_key, assignment.spec
        self._packer, self._room = packer, room
        self._loaded: pipe.Loaded | None = None
        self._stored = 0
        """Shots before this number are in checkpoints."""
        self._due: float | None = None
        self._saving: Future[None] | None = None
        self._pool = ThreadPoolExecutor(1, "checkpoints")  # uploads one after the other, while Blender draws on

    def close(self) -> None:
        """Wait for the upload that is under way."""
        self._pool.shutdown()

    def resume(self) -> pipe.Loaded | None:
        """Give the packer all of the plan's shots that stand in checkpoints, up to the first gap.

        What Blender said of the model then; None when there was nothing. Raises ServiceError.
        """
        for found in sorted(self._found()):
            if found.first > self._packer.taken:
                break
            if not self._packer.taken <= -found.minus_last < len(self._packer.todo.shots):
                continue
            try:
                self._take(found)
            except _Damaged as damage:
                log.warning("%s is left aside and drawn again: %s", found.key, damage)
        self._stored = self._packer.taken
        return self._loaded if self._packer.taken else None

    def _found(self) -> list[_Found]:
        found = []
        for key in self._store.list(folder(self._key), limit=_MOST_CHECKPOINTS):
            if match := _NAME.fullmatch(key.removeprefix(folder(self._key))):
                found.append(_Found(int(match[1]), -int(match[2]), match[3], key))
        return found

    def _take(self, found: _Found) -> None:
        path = self._fetch(found)
        try:
            members = read_shard(path)
            index = _Index.model_validate_json(next(members)[1])
            wanted = (self._key, RENDERER_VERSION, found.first, -found.minus_last)
            if (index.render_key, index.renderer, index.first, index.last) != wanted:
                raise _Damaged("it belongs to another render")
            if self._loaded is None or not self._packer.taken:
                self._loaded = index.loaded
                self._packer.follow(self._planned(index.loaded))
            elif (index.loaded.unseen, index.loaded.unworn) != (self._loaded.unseen, self._loaded.unworn):
                raise _Damaged("it follows another plan")  # of another graphics card, on which a morph shows
            for shot, files in groupby(members, key=lambda member: int(member[0].partition("/")[0])):
                if shot == self._packer.taken:
                    self._packer.add(self._shot(shot, {name.partition("/")[2]: data for name, data in files}))
        except (tarfile.TarError, StopIteration, KeyError, ValueError) as error:
            raise _Damaged(f"{type(error).__name__}: {error}") from error
        finally:
            path.unlink()

    def _fetch(self, found: _Found) -> Path:
        most = (1 - found.minus_last - found.first) * self._spec.size**2 * (4 * len(self._spec.styles) + _PIXEL_BYTES)
        path, size, digest = self._room / "found.tar", 0, hashlib.sha256()
        with path.open("wb") as file:
            try:
                for piece in self._store.stream(found.key):
                    size += len(piece)
                    if size > most:
                        raise _Damaged("it is larger than its shots can be")
                    digest.update(piece)
                    file.write(piece)
            except NotFoundError as error:
                raise _Damaged("it is gone") from error
        if digest.hexdigest() != found.sha256:
            raise _Damaged("its bytes are not those that were stored")
        return path

    def _shot(self, number: int, files: dict[str, bytes]) -> Encoded:
        background = files.pop(_BACKGROUND, None)
        pictures = tuple(files.pop(f"{style}.png") for style in self._spec.styles)
        labels = {name.removeprefix(_LABELS): data for name, data in files.items()}
        if number and labels.keys() != set(suffixes_of(self._spec.labels)):  # the first is the basis image: it has none
            raise _Damaged(f"its shot {number} is not whole")
        return Encoded(
            pictures, labels, None if background is None else BackgroundRecord.model_validate_json(background)
        )

    def keep_up(self, loaded: pipe.Loaded) -> None:
        """Call it after every shot: stores a checkpoint, beside the drawing, when the last one is CHECKPOINT_SECONDS old."""
        now = time.monotonic()
        if self._due is None:
            self._due = now + CHECKPOINT_SECONDS
        if now >= self._due and (self._saving is None or self._saving.done()):
            self._due = now + CHECKPOINT_SECONDS
            self._saving = self._pool.submit(self._save, loaded, self._packer.taken)

    def keep_all(self, loaded: pipe.Loaded) -> None:
        """Store everything that the packer has, and return when it stands.

        A store or a disk that refuses is logged: it costs drawing again, and there is a better reason to stop.
        """
        self._pool.submit(self._save, loaded, self._packer.taken).result()

    def _save(self, loaded: pipe.Loaded, end: int) -> None:
        """Store the shots before `end` that no checkpoint holds yet. Only ever runs in the one thread of the pool."""
        if end <= self._stored:
            return
        path = self._room / "checkpoint.tar"
        try:
            self._write(path, loaded, end)
            name = f"{self._stored:05d}-{end - 1:05d}-{sha256_of(path)}.tar"
            self._store.put_file(folder(self._key) + name, path)
            self._stored = end
        except (FarmError, OSError) as error:
            log.warning("a checkpoint of %s is not stored, and would be drawn again: %s", self._key, error)
        finally:
            path.unlink(missing_ok=True)

    def _write(self, path: Path, loaded: pipe.Loaded, end: int) -> None:
        index = _Index(
            render_key=self._key,
            renderer=RENDERER_VERSION,
            first=self._stored,
            last=end - 1,
            loaded=loaded.model_copy(update={"seconds": 0.0}),  # no clock: equal shots, equal checkpoints
        )
        with ShardWriter(path) as tar:
            tar.add(_INDEX, index.model_dump_json().encode())
            for number in range(self._stored, end):
                shot = self._packer.shot(number)
                for style, data in zip(self._spec.styles, shot.files, strict=True):
                    tar.add(f"{number:05d}/{style}.png", data)
                for suffix, data in shot.labels.items():
                    tar.add(f"{number:05d}/{_LABELS}{suffix}", data)
                if shot.background is not None:
                    tar.add(f"{number:05d}/{_BACKGROUND}", shot.background.model_dump_json().encode())

    def clear(self) -> None:
        """Remove all checkpoints, once the manifest stands. A store that refuses is logged: the result is whole without."""
        self.close()
        try:
            discard(self._store, self._key)
        except FarmError as error:
            log.warning("the checkpoints of %s are still there: %s", self._key, error)
