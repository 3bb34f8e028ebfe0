"""The labels of one picture that are numbers: landmarks, joints, boxes, the camera. One file holds them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Numbers(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LandmarkLabel(_Numbers):
    """Where a landmark of `farm.labels.LANDMARKS` is in one picture."""

    x: float
    """Pixels from the picture's left edge."""
    y: float
    """Pixels from its top edge."""
    point: tuple[float, float, float]
    """Metres in the camera's axes: x right, y down, z away from it."""
    visible: bool
    """Whether the picture shows it: inside the frame and nothing in front of it."""


type Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels, inside the picture."""


class CameraLabel(_Numbers):
    """The camera of one picture, in OpenCV's terms."""

    intrinsics: tuple[tuple[float, float, float], ...]
    """(3, 3) from camera axes to pixels. An orthographic camera's maps (x, y, 1) in metres."""
    extrinsics: tuple[tuple[float, float, float, float], ...]
    """(3, 4) from world axes, in metres, to the camera's. World: x is the character's left, y its back, z up."""
    orthographic: bool
    rotation_pivot: tuple[float, float, float]
    """The neck bone's head in world axes, metres: the point about which the head turns."""


class JointLabel(_Numbers):
    """Where a joint of `farm.joints` is in one picture."""

    x: float
    """Pixels from the picture's left edge; 0 when the model lacks the joint."""
    y: float
    """Pixels from its top edge."""
    point: tuple[float, float, float] | None
    """Metres in the camera's axes; None when the model lacks the joint."""
    visibility: Literal[0, 1, 2]
    """0: the model lacks it; 1: hidden, or outside the picture; 2: the picture shows what the joint's bone moves there."""


class Joints(_Numbers):
    """The body in one picture."""

    box: Box | None
    """About all pixels that show the character; None when none does."""
    coco: dict[str, JointLabel]
    """All of `farm.joints.COCO_JOINTS`, in that order."""
    humanoid: dict[str, JointLabel]
    """All of `farm.joints.HUMANOID_JOINTS`, in that order."""


class Marks(_Numbers):
    """The labels of one picture that are numbers, not pictures."""

    landmarks: dict[str, LandmarkLabel]
    """Empty without the label landmarks."""
    head_box: Box | None
    """About all that turns with the neck and lies above it; None when that is outside the picture."""
    face_box: Box | None
    """About face, eyes, eyebrows and mouth."""
    camera: CameraLabel
    joints: Joints | None = Field(None, exclude_if=lambda joints: joints is None)
    """With the label joints."""
