"""The motion of a clip as a user names it: read in a process that can do no harm, before anything is started."""

import hashlib
import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from farm.cli.options import SpecOptions
from farm.errors import MotionFormatError, SpecError
from farm.recipes.recipe import RecipeMotion, recipe
from farm.spec import MAX_SAMPLES

if TYPE_CHECKING:
    from farm.reading.messages import MotionAbout

_RATE = 30.0
_PIECE = 2**20
_JUST = 1e-6
"""Of a frame: so much a motion's end may lie before it."""


@dataclass(frozen=True, slots=True)
class MotionFile:
    """A motion that a farm can take."""

    path: Path
    about: "MotionAbout"

    def check(self) -> None:
        """Raise MotionFormatError if the file is not the one any more that was read."""
        with self.path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != self.about.id:
                raise MotionFormatError(f"{self.path} was changed meanwhile. Start the command again.")


def motion_of(options: SpecOptions) -> tuple[MotionFile, dict[str, Any]] | None:
    """The motion that the options name, and what the specification says of it; None: no clip is asked for.

    Raises MotionError for a file that cannot be used, SpecError.
    """
    named = None if options.recipe is None else recipe(options.recipe).motion
    if options.motion is None:
        if named is not None:
            raise SpecError(f"The recipe {options.recipe} draws a clip: name its motion with --motion FILE.")
        for name in ("rate", "start", "frames"):
            if getattr(options, name) is not None:
                raise SpecError(f"--{name} says what of a motion is drawn: name that with --motion FILE.")
        return None
    from farm.motion.reading import SUFFIXES
    from farm.reading.readers import Readers

    if options.motion.suffix.lower() not in SUFFIXES:
        raise MotionFormatError(f"'{options.motion.name}' is no motion file: {', '.join(SUFFIXES)} can be read.")
    if not options.motion.is_file():
        raise MotionFormatError(f"{options.motion} is no file, so it holds no motion.")
    with closing(Readers(1)) as readers, readers.motion(options.motion.name, _pieces(options.motion)) as found:
        about = found.about
    return MotionFile(options.motion, about), asked_of(options, about, named)


def asked_of(options: SpecOptions, about: "MotionAbout", named: RecipeMotion | None = None) -> dict[str, Any]:
    """What the specification says of a motion: by the options, then by the recipe, then all of it. Raises SpecError."""
    named = named or RecipeMotion()

    def said(name: str, default: float) -> float:
        given = (getattr(options, name), getattr(named, name))
        return float(next((value for value in given if value is not None), default))

    rate, start = said("rate", _RATE), said("start", 0.0)
    frames = options.frames if options.frames is not None else named.frames
    if start > about.seconds:
        raise SpecError(f"--start {start:g}: the motion ends after {about.seconds:.2f} s. Begin before that.")
    if frames is None:
        # Nonsense is for the specification to refuse.
        left = (about.seconds - start) * rate if math.isfinite(rate) and math.isfinite(start) else 0.0
        frames = max(1, math.floor(left + _JUST) + 1)
        if frames > MAX_SAMPLES:
            raise SpecError(
                f"The motion has {frames} frames at {rate:g} a second, and a clip at most {MAX_SAMPLES}: say which part with "
                "--start and --frames, or take a lower --rate."
            )
    return {"id": about.id, "rate": rate, "start": start, "frames": frames}


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(_PIECE), b"")
