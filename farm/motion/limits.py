"""How much a motion may be, whatever its format."""

from farm.errors import MotionFormatError
from farm.models.limits import MAX_LISTED

MAX_BYTES = 128 * 2**20
"""Of a file: over a million keys of bones, which is 150 bones at 30 keys a second for four minutes."""
MAX_SECONDS = 24 * 3600.0
"""Keys that come later are damage, and would make a clip of what is between them endless."""


def check_tracks(count: int, what: str) -> None:
    """Raise MotionFormatError for a motion that moves more things than any model has."""
    if count > MAX_LISTED:
        raise MotionFormatError(
            f"The motion moves {count} {what}, over the limit of {MAX_LISTED}. It is damaged, or no motion of a character: "
            "save it again in an editor."
        )
