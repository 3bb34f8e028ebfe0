"""Checks what Blender drew and makes files of it, in threads, while Blender draws the next shots; and reads such files."""

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm import pipe
from farm.backgrounds import BackgroundRecord
from farm.colour import laid_over
from farm.dataset.label_reading import ARRAYS_SUFFIX, INDEXED, MARKS_SUFFIX
from farm.dataset.validation import check_labels, check_neutral, check_pictures
from farm.drawing.blender import Drawn
from farm.drawing.grounds import Grounds
from farm.drawing.label_files import label_files
from farm.drawing.png import encode
from farm.errors import InvalidSampleError
from farm.labels import LabelName
from farm.marks import Marks
from farm.poses import NEUTRAL
from farm.spec import RenderSpec
from farm.views import shows_face

_AHEAD = 8
"""Shots that may wait for their encoding; more would only hold memory."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A shot as it is stored: checked, over its background, as files."""

    files: tuple[bytes, ...]
    """The pictures as PNG, one a style."""
    labels: dict[str, bytes]
    """The label files by the suffix of their names."""
    background: BackgroundRecord | None


def encoded(
    stream: Iterator[Drawn],
    pool: ThreadPoolExecutor,
    shots: Callable[[], Sequence[pipe.Shot]],
    spec: RenderSpec,
    grounds: Grounds,
) -> Iterator[tuple[Encoded, dict[str, float]]]:
    """The shots that come in `stream` as they are stored, in order, each with the seconds that its stages took.

    What they are is settled when the first one comes: then `shots` is called.
    Raises InvalidSampleError when one came out wrong.
    """
    waiting: list[Future[tuple[Encoded, dict[str, float]]]] = []
    for drawn in stream:
        waiting.append(pool.submit(_encode, drawn, shots()[drawn.shot], spec, grounds))
        # What is ready goes on at once: on a slow canvas, a shot in waiting is a minute's work that could be lost.
        while waiting and (len(waiting) > _AHEAD or waiting[0].done()):
            yield waiting.pop(0).result()
    while waiting:
        yield waiting.pop(0).result()


def _encode(drawn: Drawn, shot: pipe.Shot, spec: RenderSpec, grounds: Grounds) -> tuple[Encoded, dict[str, float]]:
    started = time.perf_counter()
    try:
        if not spec.keep_unusable and shot.sample == NEUTRAL.index:
            check_neutral(drawn.pictures, spec.styles)
        if not spec.keep_unusable:  # who asks for models without a face wants their empty pictures too
            # A motion may have the character turn its back.
            check_pictures(drawn.pictures, spec.styles, shows_face(shot.view) and spec.motion is None)
        check_labels(drawn.labels, drawn.marks, spec.size)
    except InvalidSampleError as error:
        raise InvalidSampleError(
            f"Sample {shot.sample}, {shot.partition}: {error} Nothing of the model was stored; "
            "please report it, with the model."
        ) from error
    # The basis image has no background and no labels: it is what the neutral face looks like, and belongs to no sample.
    neutral = shot.sample == NEUTRAL.index
    ground = None if neutral else grounds.under(shot.sample)
    pictures: Sequence[NDArray[np.uint8]] = list(drawn.pictures)
    if ground is not None:
        pictures = [laid_over(picture, ground[0]) for picture in pictures]
    shown = Encoded(
        files=tuple(encode(picture) for picture in pictures),
        labels={} if neutral else label_files(drawn.labels, drawn.marks),
        background=ground and ground[1],
    )
    return shown, {**drawn.seconds, "encode": time.perf_counter() - started}


def decode(png: bytes) -> NDArray[np.uint8]:
    """The pixels of a picture of ours as they were encoded: (size, size, 4), or (size, size, 3) over a background."""
    with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
        return np.asarray(picture)


def decode_labels(files: Mapping[str, bytes]) -> tuple[dict[LabelName, NDArray[Any]], Marks | None]:
    """The arrays and the marks in the label files of a shot, by suffix."""
    arrays: dict[LabelName, NDArray[Any]] = {}
    if ARRAYS_SUFFIX in files:
        with np.load(io.BytesIO(files[ARRAYS_SUFFIX]), allow_pickle=False) as archive:
            arrays = {LabelName(name): archive[name] for name in archive.files}
    arrays |= {name: decode(files[suffix]) for name, suffix in INDEXED.items() if suffix in files}
    marks = Marks.model_validate_json(files[MARKS_SUFFIX]) if MARKS_SUFFIX in files else None
    return arrays, marks
