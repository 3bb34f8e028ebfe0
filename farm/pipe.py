"""The pipe between a worker and its Blender process: what is said on it, and how it is framed.

A message is a JSON object and raw bytes, each behind its length as a little-endian 32-bit number. Messages of the worker
are validated as well as those of Blender: a mistake shows where it is made.
"""

import contextlib
import fcntl
import os
import select
import struct
import time
from collections.abc import Buffer
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from farm.cameras import CameraSpec
from farm.labels import LabelName
from farm.marks import Marks
from farm.morphs.vocabulary import Side
from farm.occluders import OccluderName
from farm.poses import Partition
from farm.spaces.limbs import RestPose
from farm.spaces.space import BoneMove
from farm.spec import CanvasName, MotionSpec, StyleName

_LOOK_SECONDS = 1.0
_LENGTHS = struct.Struct("<II")
_HELD = 2**20
"""Bytes that a pipe holds: with Linux's 64 KiB, the two sides would wait for each other dozens of times a shot."""
FINAL_SAMPLES = 64
"""A pixel, by the canvas `final`: Blender's default."""
MAX_HEADER = 64 * 2**20
MAX_PAYLOAD = 256 * 2**20


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class View(_Message):
    """Where the camera stands, on the sphere about the frame's centre. The paper's only view is straight ahead."""

    index: int = 0
    yaw: float = 0.0
    """Degrees; positive: from the character's left."""
    elevation: float = 0.0
    """Degrees; positive: from above."""
    occluder: OccluderName | None = Field(None, exclude_if=lambda found: found is None)
    """What the character wears there. The view before it is the same without."""


class Shot(_Message):
    """One pose in one partition from one view, to be drawn in every style."""

    sample: int
    """Index of the sample; -1 is the basis image."""
    partition: Partition
    weights: dict[int, float]
    """Source morph, by its index in the file, to weight in [0, 1]; movement of bones to value, below 0 too."""
    rotation: tuple[float, float, float]
    light: float
    view: View = View()
    other_rotation: tuple[float, float, float] | None = None
    """The rotation of the other partition, to which the label flow leads."""
    other_weights: dict[int, float] | None = None
    """The weights of the other partition; None: the same. In a clip those of `flows_to`."""
    frame: int | None = None
    """Of the clip: how its motion has the bones. None: they stand still."""
    flows_to: int | None = None
    """The frame to which the label flow leads, in a clip."""


class Clip(_Message):
    """The motion that the shots take their bones from."""

    file: str
    """Path of the motion; its suffix tells the format."""
    motion: MotionSpec


class Render(_Message):
    """Worker to Blender: load this model, and say what it shows; `Draw` follows."""

    what: Literal["render"] = "render"
    character: str
    """Path of the character file; its suffix tells the format."""
    textures: dict[int, str]
    morphs: list[int]
    """Indices of the source morphs that the shots use."""
    halves: dict[int, tuple[int, Side]] = {}
    """Numbers below 0 that the shots use, to the one of `morphs` that it is a half of, and the side that moves."""
    movements: dict[int, tuple[BoneMove, ...]] = {}
    """Numbers below those of halves that the shots use, to what bones do. One whose bones the model lacks is unseen."""
    bends: dict[int, tuple[float, float]] = {}
    """Of movements of a body, how far each plays: the frame holds all of it, and it shows where anything of that does."""
    rest_pose: RestPose = RestPose.FILE
    names: dict[int, str] = {}
    """What those morphs are called, where that is known: a file whose morphs are called otherwise is another file."""
    annotation: dict[str, int] = {}
    """Target name to the index of the source morph that plays it: what is known about the morphs, for the labels."""
    canvas: CanvasName = CanvasName.FORWARD
    camera: CameraSpec = CameraSpec()
    occluders: list[OccluderName] = []
    """What the shots may wear."""
    styles: list[StyleName]
    labels: list[LabelName] = []
    size: int
    supersample: int
    final_samples: int = FINAL_SAMPLES
    clip: Clip | None = None
    shots: list[Shot]
    """What is to be drawn if every morph shows. Those of `Draw` are from the same views."""


class Draw(_Message):
    """Worker to Blender: draw these shots of the model that was loaded."""

    what: Literal["draw"] = "draw"
    shots: list[Shot]


class Ready(_Message):
    """Blender to worker: started."""

    what: Literal["ready"] = "ready"
    renderer: str
    """The name of the OpenGL renderer."""
    blender: str
    lacking: dict[str, str] = {}
    """Measures of `farm.confinement.confine`, and why each does not hold; empty: it does."""


class BodySurvey(_Message):
    """What the neutral picture shows of the body, in the frame that is asked for."""

    lacking: list[str]
    """Of "arms" and "legs", those whose humanoid bones the model does not have on both sides."""
    limbs: float
    """Share of the covered pixels that arms and legs hold, in [0, 1]."""


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
    face_changed: float | None
    """Share of the covered pixels in the head's box that those morphs change at weight 1; None when nothing is annotated, or
    poses of the body are asked for."""
    face_ahead: float | None
    """How far what they move lies before the middle of the head, in heights of it; negative: behind. None: nothing."""
    bare: float = 0.0
    """Share of the head's pixels whose material names a texture that is absent or cannot be read."""
    bare_texture: str = ""
    """The texture that most of them lack."""
    body: BodySurvey | None = Field(None, exclude_if=lambda body: body is None)
    """Where the body is asked for: a rest pose, or poses of it."""


type _Angle = Annotated[float, Field(ge=-180, le=180)]


class ClipFrame(_Message):
    """What a motion makes of the character in one frame, besides its bones."""

    weights: dict[int, Annotated[float, Field(gt=0, le=1)]]
    """Source morph, by its index in the file, to the weight that shows."""
    rotation: tuple[_Angle, _Angle, _Angle]
    """How far the head is turned from its rest, all that carries it included: degrees about world X, Y, Z."""


class ClipFound(_Message):
    """A motion on the model."""

    format: str
    """Such as "VMD 0002"."""
    seconds: float
    """When its last key is."""
    moved: int
    """How many bones it moves."""
    absent_bones: list[str] = []
    """Some of the names in it that the model has no bone for."""
    absent_morphs: list[str] = []
    frames: list[ClipFrame]


class Loaded(_Message):
    """Blender to worker: the model stands."""

    what: Literal["loaded"] = "loaded"
    warnings: list[str]
    survey: Survey
    unseen: list[int] = []
    """Of `Render.morphs`, those that change nothing in the neutral picture at weight 1: their labels would be wrong."""
    unworn: list[OccluderName] = []
    """Of `Render.occluders`, what the character cannot wear: it lacks what that goes by."""
    part_rules: dict[str, str] = {}
    """How each material's part was decided, when labels are drawn."""
    clip: ClipFound | None = Field(None, exclude_if=lambda found: found is None)
    blender: str = ""
    """Version of the Blender that draws."""
    seconds: float


class Pictures(_Message):
    """Blender to worker: one shot, drawn.

    The payload is (styles, size, size, 4) bytes, sRGB, straight alpha, and behind them the asked-for labels of
    `farm.labels.ARRAYS`, in that order.
    """

    what: Literal["pictures"] = "pictures"
    shot: int
    """Index into `Draw.shots`."""
    seconds: dict[str, float]
    """By stage: evaluate (Blender poses the model), draw (until the pictures are read back), label."""
    marks: Marks | None = None
    """With the labels landmarks and joints."""


class Finished(_Message):
    """Blender to worker: all shots are drawn."""

    what: Literal["finished"] = "finished"


class Failed(_Message):
    """Blender to worker: this model cannot be drawn; Blender itself is well."""

    what: Literal["failed"] = "failed"
    code: str
    message: str


type Message = Annotated[Render | Draw | Ready | Loaded | Pictures | Finished | Failed, Field(discriminator="what")]
_ADAPTER: TypeAdapter[Render | Draw | Ready | Loaded | Pictures | Finished | Failed] = TypeAdapter(Message)


class Closed(Exception):
    """The other side is gone."""


class Silent(Exception):
    """Nothing came within the time allowed."""


def create() -> tuple[int, int]:
    """A new pipe, its end for reading and its end for writing."""
    reading, writing = os.pipe()
    with contextlib.suppress(OSError):  # more than an unprivileged process may have in all its pipes together
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _HELD)
    return reading, writing


def send(descriptor: int, message: _Message, *payload: Buffer) -> None:
    """Write one message; its payload is the contiguous buffers, one behind the other.

    Raises Closed when nobody reads any more.
    """
    header = message.model_dump_json().encode()
    views = [memoryview(buffer).cast("B") for buffer in payload]
    lengths = _LENGTHS.pack(len(header), sum(map(len, views)))
    try:
        for view in (memoryview(lengths + header), *views):
            rest = view
            while rest:
                rest = rest[os.write(descriptor, rest) :]
    except BrokenPipeError as error:
        raise Closed from error


def receive(
    descriptor: int, timeout: float | None = None
) -> tuple[Render | Draw | Ready | Loaded | Pictures | Finished | Failed, bytearray]:
    """Read one message and its payload. Raises Closed at the end of the stream, Silent after `timeout` seconds.

    Seconds in which the machine slept, or somebody had stopped this process, do not count: the other side stood still, too.
    """
    patience = None if timeout is None else _Patience(timeout)
    lengths = _LENGTHS.unpack(_read(descriptor, _LENGTHS.size, patience))
    if lengths[0] > MAX_HEADER or lengths[1] > MAX_PAYLOAD:
        raise Closed  # no message of ours: the other side wrote rubbish
    message = _ADAPTER.validate_json(_read(descriptor, lengths[0], patience))
    return message, _read(descriptor, lengths[1], patience)


class _Patience:
    """So many seconds of waiting, in looks that count for no longer than they were meant to last."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    def wait(self, descriptor: int) -> None:
        """Return when there is something to read. Raises Silent."""
        while self._left > 0:
            look, begun = min(self._left, _LOOK_SECONDS), time.monotonic()
            came = select.select([descriptor], [], [], look)[0]
            self._left -= min(look, time.monotonic() - begun)
            if came:
                return
        raise Silent


def _read(descriptor: int, count: int, patience: _Patience | None) -> bytearray:
    found = bytearray(count)
    rest = memoryview(found)
    while rest:
        if patience is not None:
            patience.wait(descriptor)
        taken = os.readv(descriptor, [rest])
        if not taken:
            raise Closed
        rest = rest[taken:]
    return found
