"""What a source morph does to the face, as measured: the half of an annotation that a name cannot lie about.

Axes: x to the character's left, y to its back, z up; the unit is the head's height above the neck bone, the origin is the
neck bone. All values are those of the morph at weight 1 against the neutral face.
"""

from pydantic import BaseModel, ConfigDict, Field

EVIDENCE_VERSION = 5
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
    sunk_arch: float | None = Field(None, exclude_if=lambda arch: arch is None)
    """How much higher, of what sinks, the middle comes to stand than the ends, by its width: over 0 it is curved up, as the
    upper lid of an eye that closes in a smile (^). None where too little sinks, or nothing rises."""
    risen_arch: float | None = Field(None, exclude_if=lambda arch: arch is None)
    """The same of what rises: the lower lid. None where too little rises, or nothing sinks."""


class EyeLook(_Record):
    """What is seen of one eye at weight 1, its iris and its white told from skin and lashes by their colours."""

    open: float
    """The visible iris and white, by those of the neutral picture: 0 is shut, 1 as open as before."""
    size: float
    """All that is seen of it, the dark of pupil and lashes too, likewise: over 1 the opening is larger."""
    iris: float | None = None
    """The visible iris, likewise; None where the neutral picture shows none."""
    white: float | None = None
    lash: float | None = None
    """How much higher the middle of the shut eye's line is than its ends, by its width: over 0 it is curved up (^), under 0
    down, about 0 straight. None where the eye is not shut, or no line is seen."""
    overlaid: float = Field(0.0, exclude_if=lambda share: not share)
    """What shows colours where it is that the neutral face has nowhere, by all that was seen of it: hearts, stars."""


class BrowLook(_Record):
    """How one brow stands at weight 1 against the neutral picture, in shares of the picture's side."""

    lift: float
    """How much higher its middle is."""
    tilt: float
    """How much more the outer end rises than the inner one."""


class MouthLook(_Record):
    """The opening of the mouth, in shares of the picture's side; 0 where it is shut."""

    height: float
    width: float
    more_height: float
    """Against the neutral picture."""
    more_width: float
    teeth: float = Field(0.0, exclude_if=lambda share: not share)
    """The share of the opening that is white."""


class FaceLook(_Record):
    """What the frontal picture shows at weight 1. Left and right are the character's own; None where a part is not seen."""

    left_eye: EyeLook | None = None
    right_eye: EyeLook | None = None
    left_brow: BrowLook | None = None
    right_brow: BrowLook | None = None
    mouth: MouthLook | None = None
    parts: tuple[str, ...] = ()
    """Of eyes ("eye"), brows ("eyebrow") and mouth those at which it changes, and those that were not found."""
    overlay: int = 0
    """Changed pixels of the 256-pixel picture in colours that the neutral one has nowhere: tears, hearts, marks of anger."""


class PictureChange(_Record):
    """The pixels of a 256-pixel frontal picture in style `flat` that change by more than 24 of 765."""

    count: int
    picture_left: int
    """In the picture's left half, where the character's right is."""
    picture_right: int
    box: tuple[int, int, int, int] | None = None
    """Left, top, right, bottom; None when nothing changes."""
    looks: FaceLook | None = Field(None, exclude_if=lambda looks: looks is None)
    """None where the parts of the face were not drawn, or nothing changes."""


class Evidence(_Record):
    """What one morph does."""

    left: SideMovement | None = None
    """On the character's left (x > 0); None where nothing moves."""
    right: SideMovement | None = None
    points: tuple[MovedPoint, ...] = ()
    """Up to MAX_POINTS moved vertices, spread evenly from the most moved to the least: enough for a closed lash's curve."""
    picture: PictureChange | None = None
    """None where no picture was compared."""
