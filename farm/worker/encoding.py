"""Checks what Blender drew and makes files of it, in threads, while Blender draws the next shots."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from farm import pipe
from farm.backgrounds import BackgroundRecord, compose
from farm.dataset.validation import check_labels, check_pictures
from farm.errors import InvalidSampleError
from farm.poses import NEUTRAL
from farm.spec import RenderSpec
from farm.worker.blender import Drawn
from farm.worker.grounds import Grounds
from farm.worker.label_files import label_files
from farm.worker.png import encode

_AHEAD = 8
"""Shots that may wait for their encoding; more would only hold memory."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A shot as it is stored."""

    drawn: Drawn
    """As Blender drew it, its pictures over the background."""
    files: list[bytes]
    """The pictures as PNG, one a style."""
    labels: dict[str, bytes]
    """The label files by the suffix of their names."""
    background: BackgroundRecord | None
    seconds: float
    """What checking, composing and encoding took."""


def encoded(
    stream: Iterator[Drawn], pool: ThreadPoolExecutor, shots: Sequence[pipe.Shot], spec: RenderSpec, grounds: Grounds
) -> Iterator[Encoded]:
    """The shots of `stream` as they are stored, in order. Raises InvalidSampleError when one came out wrong."""
    waiting: list[Future[Encoded]] = []
    for drawn in stream:
        waiting.append(pool.submit(_encode, drawn, shots[drawn.shot], spec, grounds))
        if len(waiting) > _AHEAD:
            yield waiting.pop(0).result()
    while waiting:
        yield waiting.pop(0).result()


def _encode(drawn: Drawn, shot: pipe.Shot, spec: RenderSpec, grounds: Grounds) -> Encoded:
    started = time.perf_counter()
    try:
        if not spec.keep_unusable:  # who asks for models without a face wants their empty pictures too
            check_pictures(drawn.pictures, spec.styles)
        check_labels(drawn.labels, drawn.marks, spec.size)
    except InvalidSampleError as error:
        raise InvalidSampleError(
            f"Sample {shot.sample}, {shot.partition}: {error} Nothing of the model was stored; "
            "please report it, with the model."
        ) from error
    # The basis image has no background: it is what the neutral face looks like, and it belongs to no sample.
    ground = None if shot.sample == NEUTRAL.index else grounds.under(shot.sample)
    pictures: NDArray[np.uint8] = drawn.pictures
    if ground is not None:
        pictures = np.stack([compose(picture, ground[0]) for picture in pictures])
    return Encoded(
        drawn=replace(drawn, pictures=pictures),
        files=[encode(picture) for picture in pictures],
        labels=label_files(drawn.labels, drawn.marks),
        background=ground and ground[1],
        seconds=time.perf_counter() - started,
    )
