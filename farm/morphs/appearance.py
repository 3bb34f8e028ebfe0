"""What a picture says of a morph that moves no vertex: whether it shows what the name stands for, or something else.

Colours tell what became of the features (`farm.morphs.evidence.FaceLook`). Only what a picture shows plainly speaks for a
name or against it; of the rest the name decides, on the side that changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from farm.morphs.evidence import BrowLook, EyeLook, FaceLook, MouthLook
from farm.morphs.naming import part_of
from farm.morphs.vocabulary import Side

SHUT = 0.3
"""Of the visible eye: with less it is closed, and not half closed. Of closed ones lashes leave 0.1 to 0.26, of half-closed
ones 0.47 and more."""
OPEN = 0.85
"""With more it is not half closed."""
ARCHED = 0.045
"""The curve of a shut eye's line over which it smiles (^). Of the characters at hand smiles have 0.073 to 0.14, blinks -0.09
to 0.015."""
SMALLER, LARGER = 0.85, 1.05
"""Of the visible iris, and of the visible eye."""
COMIC = 0.2
"""The share of an eye in new colours over which a drawn one is before it: hearts, stars, spirals."""
CLENCHED = 0.5
"""The share of a mouth's opening that teeth fill when they are clenched."""
OPENED = 0.01
"""Share of the picture: what is less high is a slit, in which a white pixel or two are no teeth."""
STEP = 0.004
"""Share of the picture by which brows and lips move at least: one pixel of 256."""
_NO_TEETH = ("mouth/a", "mouth/o", "mouth/u")
"""Vowels that nobody says with clenched teeth."""
_NOT = {"eye": "the eyes", "eyebrow": "the brows", "mouth": "the mouth"}


@dataclass(frozen=True, slots=True)
class Impression:
    """What the picture says of a morph as one for a semantic."""

    fits: bool | None = None
    """None: it cannot be told."""
    told: str = ""
    """In words; empty where nothing is told."""


def shown(semantic: str, side: Side, looks: FaceLook) -> Impression:
    """What `looks` says of a morph that changes `side`, as one for `semantic`."""
    part = part_of(semantic)
    if part not in looks.parts:
        return Impression(False, f"what it changes in the picture is not {_NOT[part]}")
    if part == "mouth":
        return _mouth(semantic, looks.mouth)
    if part == "eye":
        return _agreed([_eye(semantic, eye) for eye in _of_side(side, looks.left_eye, looks.right_eye)])
    return _agreed([_brow(semantic, brow) for brow in _of_side(side, looks.left_brow, looks.right_brow)])


def _of_side[T](side: Side, left: T | None, right: T | None) -> list[T]:
    chosen = {Side.LEFT: (left,), Side.RIGHT: (right,), Side.BOTH: (left, right)}[side]
    return [each for each in chosen if each is not None]


def _agreed(found: Sequence[Impression]) -> Impression:
    """Of the sides: what speaks against it on one of them; or else what speaks for it on all."""
    for each in found:
        if each.fits is False:
            return each
    return found[0] if found and all(each.fits for each in found) else Impression()


def _eye(semantic: str, eye: EyeLook) -> Impression:
    if eye.overlaid > COMIC:
        return Impression(False, "in the picture something is before the eye in colours that the face has nowhere")
    match semantic:
        case "eye/closed":
            if eye.open >= SHUT:
                return Impression()
            if eye.lash is not None and eye.lash > ARCHED:
                return Impression(False, "in the picture the eye closes in a smile (^)")
            return Impression(True, "in the picture the eye is shut")
        case "eye/half_closed":
            if eye.open < SHUT:
                return Impression(False, "in the picture the eye is shut all the way")
            return (
                Impression(True, f"in the picture {eye.open:.0%} of the eye is seen")
                if eye.open < OPEN
                else Impression()
            )
        case _:
            if eye.size > LARGER:
                return Impression(True, "in the picture the eye is larger")
            if eye.open < SMALLER:
                return Impression(False, f"in the picture {eye.open:.0%} of the eye is seen")
            if eye.iris is not None and eye.iris < SMALLER:
                return Impression(False, "in the picture the iris is smaller, and the eye is not larger")
            return Impression()


def _brow(semantic: str, brow: BrowLook) -> Impression:
    if max(abs(brow.lift), abs(brow.tilt)) < STEP:
        return Impression()  # it may be painted: then the parts tell nothing of it
    match semantic:
        case "eyebrow/angry":
            fits, does = brow.tilt >= STEP, "puts the brow's inner end down"
        case "eyebrow/raised":
            fits, does = brow.lift > 0, "raises the brow"
        case _:
            fits, does = brow.lift < 0, "lowers the brow"
    return (
        Impression(True, f"in the picture it {does}") if fits else Impression(False, f"nothing in the picture {does}")
    )


def _mouth(semantic: str, mouth: MouthLook | None) -> Impression:
    if mouth is not None and semantic in _NO_TEETH and mouth.teeth > CLENCHED and mouth.height > OPENED:
        return Impression(False, f"in the picture teeth fill {mouth.teeth:.0%} of the mouth")
    opens = mouth is not None and mouth.more_height >= STEP
    return Impression(True, "in the picture it opens the mouth") if opens else Impression()
