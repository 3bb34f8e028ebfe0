"""What an inspection leaves of a model: a record, and a sprite beside it."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from farm.models.inventory import MAX_MORPHS, Inventory
from farm.morphs.comparison import PICTURE_SIZE
from farm.morphs.evidence import EVIDENCE_VERSION, PictureChange
from farm.spec import RENDERER_VERSION

INSPECTION_VERSION = 3
"""Changes whenever the same model may give another record or sprite."""

SIZE = 2 * PICTURE_SIZE
"""Pixels a side: a mouth of a 256-pixel picture is too small to be looked at closely."""

type Rectangle = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; the last two exclusive."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MorphPicture(_Record):
    """What one morph at weight 1 does to the neutral picture."""

    index: int
    """Place in the file's list of morphs, from 0."""
    change: PictureChange
    effect: str
    """In words, such as "closes the left eye"; left and right are the character's own."""
    box: Rectangle | None = None
    """All that differs at all, in pixels of the picture of `Inspection.size`; None when nothing does."""
    place: tuple[int, int] | None = None
    """Where in the sprite the box's new pixels begin: left, top."""
    scale: int = 1
    """Pixels of the box for each of the sprite: 2 for large boxes."""


class Inspection(_Record):
    """The pictures of one model. The sprite has the neutral picture at its top left."""

    version: str
    """Of what drew it: `picture_version`."""
    model: str
    """The model's content hash."""
    size: int
    """Pixels a side of the neutral picture."""
    head: Rectangle
    """The square about all that turns with the neck: what is shown of the picture."""
    sprite: tuple[int, int]
    """Width and height of the sprite."""
    morphs: list[MorphPicture]
    """Those that were drawn, in the file's order."""
    left_out: int = 0
    """Morphs that move something and were not drawn, because the model has too many."""
    unusable: tuple[str, ...] = ()
    """Why the model would not be rendered, a sentence each; empty when its neutral picture shows a face."""


@dataclass(frozen=True, slots=True)
class DrawnInspection:
    """What was drawn of one model."""

    inspection: Inspection
    sprite: bytes
    """A WebP file."""


def picture_version() -> str:
    """Changes whenever the same model may look otherwise."""
    return f"{INSPECTION_VERSION}.{EVIDENCE_VERSION}.{RENDERER_VERSION}"


def moving_morphs(inventory: Inventory) -> list[int]:
    """The indices of the morphs that move something."""
    return [morph.index for morph in inventory.morphs if morph.moved]


def picture_count(inventory: Inventory) -> int:
    """How many pictures an inspection takes: the neutral one, and one for each morph that is drawn."""
    return 1 + len(moving_morphs(inventory)[:MAX_MORPHS])
