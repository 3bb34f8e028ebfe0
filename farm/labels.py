"""The labels that can come with a picture: their names, the parts of the face, the layers, the landmarks.

Labels are exact: one sample at the centre of each pixel, never filtered. Lengths are metres, directions are in the camera's
axes: x to the right of the picture, y down, z away from the camera.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class LabelName(StrEnum):
    """What can be asked for."""

    PARTS = "parts"
    """Which part of the character each pixel shows: a `Part`."""
    DEPTH = "depth"
    """Metres along z; 0 where nothing is."""
    NORMALS = "normals"
    """Unit vectors in the camera's axes; 0 where nothing is."""
    UV = "uv"
    """Texture coordinates, v from the top; 0 where nothing is."""
    FLOW = "flow"
    """Pixels, x right and y down, from this partition's picture to where the same point is in the other partition's; in a
    clip to where it is in the next frame's, and 0 in the last."""
    LANDMARKS = "landmarks"
    """2D and 3D landmarks with visibility, the head's box, the camera."""
    OCCLUSION = "occlusion"
    """What hides the character: `farm.occluders` has the numbers, and those of what is still to be seen of it."""
    LAYERS = "layers"
    """What a person would call what each pixel shows: skin, hair, clothes: a `Layer`."""
    JOINTS = "joints"
    """2D and 3D joints of the body with visibility, the person's box, the camera; `farm.joints` names them."""


MARKED = (LabelName.LANDMARKS, LabelName.JOINTS)
"""The labels that are numbers, not pictures: one file holds them."""


def _palette[Id: IntEnum](colours: Mapping[Id, tuple[int, int, int]]) -> tuple[tuple[int, int, int], ...]:
    """A colour for every value up to the largest; black for those that mean nothing."""
    known = {int(value): colour for value, colour in colours.items()}
    return tuple(known.get(value, (0, 0, 0)) for value in range(max(known) + 1))


class Part(IntEnum):
    """The parts of a character; left and right are the character's own."""

    BACKGROUND = 0
    HAIR = 1
    FACE = 2
    """Skin of the head, ears, and what lies on it: lids, lashes, blushes."""
    EYE_LEFT = 3
    """What is seen through the opening: white, iris, pupil, lights."""
    EYE_RIGHT = 4
    EYEBROW_LEFT = 5
    EYEBROW_RIGHT = 6
    LIPS = 7
    MOUTH_INSIDE = 8
    """What is seen between the lips, teeth and tongue too; the whole of a mouth that is drawn without lips."""
    NECK = 9
    BODY = 10
    """Body and clothes."""
    ACCESSORIES = 11
    IGNORE = 255
    """Cannot be decided: something half transparent of one part, with another part behind it."""


PART_COLOURS: dict[Part, tuple[int, int, int]] = {
    Part.BACKGROUND: (0, 0, 0),
    Part.HAIR: (120, 94, 240),
    Part.FACE: (255, 205, 170),
    Part.EYE_LEFT: (0, 158, 115),
    Part.EYE_RIGHT: (86, 180, 233),
    Part.EYEBROW_LEFT: (213, 94, 0),
    Part.EYEBROW_RIGHT: (146, 60, 10),
    Part.LIPS: (220, 38, 127),
    Part.MOUTH_INSIDE: (120, 14, 70),
    Part.NECK: (240, 170, 120),
    Part.BODY: (110, 118, 130),
    Part.ACCESSORIES: (255, 176, 0),
    Part.IGNORE: (255, 255, 255),
}
"""sRGB, for people; the palette of the part pictures."""
PALETTE = _palette(PART_COLOURS)
"""A colour for every value that a byte can have; black for those that are no part."""


class Layer(IntEnum):
    """What the character is made of, from head to foot. Each pixel has one layer: what shows, not what is beneath."""

    BACKGROUND = 0
    SKIN = 1
    """Skin wherever it shows, with what lies on it: lids, lashes, blushes, nails."""
    HAIR = 2
    CLOTHES = 3
    """What is worn on the body, shoes and gloves too."""
    ACCESSORIES = 4
    """What is worn or carried besides: ornaments, glasses, bags; ears, tails and wings of animals that are named so."""
    FEATURES = 5
    """Eyes, eyebrows, lips, the inside of the mouth."""
    IGNORE = 255
    """Cannot be decided: something half transparent of one layer, with another layer behind it."""


LAYER_COLOURS: dict[Layer, tuple[int, int, int]] = {
    Layer.BACKGROUND: (0, 0, 0),
    Layer.SKIN: (255, 205, 170),
    Layer.HAIR: (120, 94, 240),
    Layer.CLOTHES: (0, 158, 115),
    Layer.ACCESSORIES: (255, 176, 0),
    Layer.FEATURES: (220, 38, 127),
    Layer.IGNORE: (255, 255, 255),
}
LAYER_PALETTE = _palette(LAYER_COLOURS)
"""As `PALETTE`, of the layer pictures."""

MOUTH = (Part.LIPS, Part.MOUTH_INSIDE)
_EYES = {"left": Part.EYE_LEFT, "right": Part.EYE_RIGHT}
_BROWS = {"left": Part.EYEBROW_LEFT, "right": Part.EYEBROW_RIGHT}

LANDMARKS: dict[str, tuple[Part, ...]] = {
    **{
        f"eye_{side}_{place}": (part, Part.FACE)
        for side, part in _EYES.items()
        for place in ("inner", "outer", "top", "bottom")
    },
    "iris_left": (Part.EYE_LEFT,),
    "iris_right": (Part.EYE_RIGHT,),
    **{f"eyebrow_{side}_{place}": (part, Part.FACE) for side, part in _BROWS.items() for place in ("inner", "outer")},
    **{f"mouth_{place}": (*MOUTH, Part.FACE) for place in ("left", "right", "top", "bottom")},
    "nose": (Part.FACE,),
    "chin": (Part.FACE,),
    "neck": (),
}
"""Every landmark and the parts of which one shows within a pixel of it when it is visible.

Corners and brow ends lie on the edge of their part, so the face around it counts too. "neck" is the neck bone's head, about
which the head turns: it is inside the body and never visible.
"""


@dataclass(frozen=True, slots=True)
class Array:
    """How a label that is a picture goes through the pipe and into its file."""

    dtype: str
    channels: int
    """0: (size, size) rather than (size, size, channels)."""

    def shape(self, size: int) -> tuple[int, ...]:
        """The array's shape for pictures of `size` pixels."""
        return (size, size, self.channels) if self.channels else (size, size)


ARRAYS: dict[LabelName, Array] = {
    LabelName.PARTS: Array("u1", 0),
    LabelName.DEPTH: Array("<f4", 0),
    LabelName.NORMALS: Array("<f2", 3),
    LabelName.UV: Array("<f4", 2),
    LabelName.FLOW: Array("<f4", 2),
    LabelName.OCCLUSION: Array("u1", 0),
    LabelName.LAYERS: Array("u1", 0),
}
"""The labels that are pictures, in the order in which the pipe carries them."""
