"""The backgrounds of one assignment, brought from the store while Blender draws."""

from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path
from threading import Lock, get_ident

import numpy as np
from numpy.typing import NDArray

from farm.backgrounds import BackgroundRecord, choose, chosen, decode, ground
from farm.catalog import Catalog
from farm.drawing.assignment import Assignment

_KEPT = 16
"""Decoded backgrounds that are kept in memory, of at most 12 MiB each."""
_RECENT = 4
"""Samples whose ground stays ready: the shots of a sample come one after another."""

type _Ground = tuple[NDArray[np.uint8], BackgroundRecord]


class Grounds:
    """What is behind each sample of an assignment. May be asked by several threads.

    Every file is fetched once, into `room`; the last used ones stay in memory, decoded.
    """

    def __init__(self, assignment: Assignment, catalog: Catalog, room: Path) -> None:
        self._spec, self._model, self._catalog, self._room = assignment.spec, assignment.model, catalog, room
        self._room.mkdir(exist_ok=True)
        self._kept: OrderedDict[str, Future[NDArray[np.uint8]]] = OrderedDict()
        self._recent: dict[int, _Ground] = {}
        self._lock = Lock()

    def under(self, sample: int) -> _Ground | None:
        """The (size, size, 3) picture behind a sample and its record; None when that is transparent.

        Raises NotFoundError when the background is gone from the store, ServiceError when the store does not answer.
        """
        background = chosen(self._spec, self._model, sample)
        if background is None:
            return None
        with self._lock:
            known = self._recent.get(sample)
        if known is not None:
            return known
        pixels = self._pixels(background)
        record = choose(self._spec, self._model, sample, lambda _: (pixels.shape[1], pixels.shape[0]))
        assert record is not None
        made = ground(pixels, record, self._spec.size), record
        with self._lock:
            self._recent[sample] = made
            if len(self._recent) > _RECENT:
                del self._recent[next(iter(self._recent))]
        return made

    def _pixels(self, background: str) -> NDArray[np.uint8]:
        # Threads that ask for the same one wait for the first; others do not wait for each other.
        with self._lock:
            known = self._kept.get(background)
            future = self._kept[background] = known or Future()
            self._kept.move_to_end(background)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        if known is None:
            try:
                future.set_result(self._load(background))
            except Exception as error:
                future.set_exception(error)
                raise
        return future.result()

    def _load(self, background: str) -> NDArray[np.uint8]:
        path = self._room / f"{background}.png"
        if path.exists():
            return decode(path.read_bytes())
        data = self._catalog.background(background)
        partial = path.with_suffix(f".{get_ident()}")  # another thread must not read half of it
        partial.write_bytes(data)
        partial.replace(path)
        return decode(data)
