"""What an inspection leaves of a model: a record, and a sprite beside it."""

from pydantic import BaseModel, ConfigDict

from farm.morphs.evidence import PictureChange

INSPECTION_VERSION = 2
"""Changes whenever the same model may give another record or sprite."""

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
