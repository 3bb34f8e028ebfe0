"""What a source morph does to the face, as measured: the half of an annotation that a name cannot lie about.

Axes: x to the character's left, y to its back, z up; the unit is the head's height above the neck bone, the origin is the
neck bone. All values are those of the morph at weight 1 against the neutral face.
"""

from pydantic import BaseModel, ConfigDict

EVIDENCE_VERSION = 1
"""Changes whenever the same model may be measured otherwise."""
LEAST_MOVEMENT = 0.001
"""Head heights; a vertex that moves less does not count as moved."""
MAX_POINTS = 40

type Vector = tuple[float, float, float]
type MovedPoint = tuple[float, float, float, float, float, float]
"""Where a vertex rests, and how it moves."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class SideMovement(_Record):
    """What moves on one side of the face."""

    vertices: int
    energy: float
    """The sum of squared movement."""
    centre: Vector = (0.0, 0.0, 0.0)
    """The mean place, weighted by movement."""
    move: Vector = (0.0, 0.0, 0.0)
    """The mean movement, weighted by movement."""
    up_min: float = 0.0
    """The least vertical movement, negative when something sinks."""
    up_max: float = 0.0
    outer_minus_inner: float = 0.0
    """How much more the outer end rises than the inner one."""


class PictureChange(_Record):
    """The pixels of a 256-pixel frontal picture in style `flat` that change by more than 24 of 765."""

    count: int
    picture_left: int
    """In the picture's left half, where the character's right is."""
    picture_right: int
    box: tuple[int, int, int, int] | None = None
    """Left, top, right, bottom; None when nothing changes."""


class Evidence(_Record):
    """What one morph does."""

    left: SideMovement | None = None
    """On the character's left (x > 0); None where nothing moves."""
    right: SideMovement | None = None
    points: tuple[MovedPoint, ...] = ()
    """Up to MAX_POINTS moved vertices, spread evenly from the most moved to the least: enough for a closed lash's curve."""
    picture: PictureChange | None = None
    """None where no picture was compared."""
