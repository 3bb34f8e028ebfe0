"""The pipe between a worker and its Blender process: what is said on it, and how it is framed.

A message is a JSON object and raw bytes, each behind its length as a little-endian 32-bit number. Messages of the worker
are validated as well as those of Blender: a mistake shows where it is made.
"""

import os
import select
import struct
import time
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from farm.poses import Partition
from farm.spec import CanvasName, StyleName

_LENGTHS = struct.Struct("<II")
MAX_HEADER = 64 * 2**20
MAX_PAYLOAD = 256 * 2**20


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Shot(_Message):
    """One pose in one partition, to be drawn in every style."""

    sample: int
    """Index of the sample; -1 is the basis image."""
    partition: Partition
    weights: dict[str, float]
    """Source morph to weight in [0, 1]."""
    rotation: tuple[float, float, float]
    light: float


class Render(_Message):
    """Worker to Blender: draw these shots of this model."""

    what: Literal["render"] = "render"
    character: str
    """Path of the character file; its suffix tells the format."""
    textures: dict[int, str]
    morphs: list[str]
    """Source morphs that the shots use."""
    canvas: CanvasName = CanvasName.FORWARD
    styles: list[StyleName]
    size: int
    supersample: int
    shots: list[Shot]


class Ready(_Message):
    """Blender to worker: started."""

    what: Literal["ready"] = "ready"
    renderer: str
    """The name of the OpenGL renderer."""
    blender: str


class Survey(_Message):
    """What the neutral, frontal picture of a model shows."""

    coverage: float
    """Share of the picture that shows anything, in [0, 1]."""
    head_box: tuple[float, float, float, float]
    """Left, top, right, bottom of all that turns with the neck, as shares of the frame; may reach beyond it."""
    head_vertices: int
    """Drawn vertices that turn with the neck."""
    head_inside: float
    """Share of them inside the frame."""
    face_vertices: int
    """Vertices on the head that the annotated morphs move; 0 when nothing is annotated."""
    face_visible: float | None
    """Share of them that nothing hides."""
    face_facing: float | None
    """Mean cosine between their normals and the way to the camera."""


class Loaded(_Message):
    """Blender to worker: the model stands."""

    what: Literal["loaded"] = "loaded"
    warnings: list[str]
    survey: Survey
    seconds: float


class Pictures(_Message):
    """Blender to worker: one shot, drawn. The payload is (styles, size, size, 4) bytes, sRGB, straight alpha."""

    what: Literal["pictures"] = "pictures"
    shot: int
    """Index into `Render.shots`."""
    seconds: float


class Finished(_Message):
    """Blender to worker: all shots are drawn."""

    what: Literal["finished"] = "finished"


class Failed(_Message):
    """Blender to worker: this model cannot be drawn; Blender itself is well."""

    what: Literal["failed"] = "failed"
    code: str
    message: str


type Message = Annotated[Render | Ready | Loaded | Pictures | Finished | Failed, Field(discriminator="what")]
_ADAPTER: TypeAdapter[Render | Ready | Loaded | Pictures | Finished | Failed] = TypeAdapter(Message)


class Closed(Exception):
    """The other side is gone."""


class Silent(Exception):
    """Nothing came within the time allowed."""


def send(descriptor: int, message: _Message, payload: bytes | memoryview = b"") -> None:
    """Write one message. Raises Closed when nobody reads any more."""
    header = message.model_dump_json().encode()
    try:
        for piece in (_LENGTHS.pack(len(header), len(payload)), header, payload):
            view = memoryview(piece)
            while view:
                view = view[os.write(descriptor, view) :]
    except BrokenPipeError as error:
        raise Closed from error


def receive(
    descriptor: int, timeout: float | None = None
) -> tuple[Render | Ready | Loaded | Pictures | Finished | Failed, bytes]:
    """Read one message and its payload. Raises Closed at the end of the stream, Silent after `timeout` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    lengths = _LENGTHS.unpack(_read(descriptor, _LENGTHS.size, deadline))
    if lengths[0] > MAX_HEADER or lengths[1] > MAX_PAYLOAD:
        raise Closed  # no message of ours: the other side wrote rubbish
    message = _ADAPTER.validate_json(_read(descriptor, lengths[0], deadline))
    return message, _read(descriptor, lengths[1], deadline)


def _read(descriptor: int, count: int, deadline: float | None) -> bytes:
    parts = []
    while count:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise Silent
        piece = os.read(descriptor, min(count, 2**20))
        if not piece:
            raise Closed
        parts.append(piece)
        count -= len(piece)
    return b"".join(parts)
