"""What a morph does, in words, from the parts that the two pictures show. Left and right are the character's own."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from farm.labels import Part
from farm.morphs.appearance import ARCHED, SHUT
from farm.morphs.evidence import FaceLook, PictureChange

NOTHING = "changes nothing that is seen"
_FEWEST = 4
"""Pixels of the 256-pixel picture that must change; rounding changes fewer."""
_NARROWER, _WIDER = 0.85, 1.08
"""Of what is seen of an eye, or of its iris, in the neutral picture."""
_RAISED = 0.004
"""Share of the picture's height by which a brow must move, or one end of it more than the other."""
_OPENED = 0.0004
"""Share of the picture by which the inside of the mouth must grow or shrink."""
_MENTIONED = 0.15
"""Share of the changed pixels from which a part is named."""
_SIDED = {
    "eye": {"left": Part.EYE_LEFT, "right": Part.EYE_RIGHT},
    "brow": {"left": Part.EYEBROW_LEFT, "right": Part.EYEBROW_RIGHT},
}
_NAMES = {
    Part.HAIR: "the hair",
    Part.FACE: "the face",
    Part.LIPS: "the mouth",
    Part.MOUTH_INSIDE: "the mouth",
    Part.NECK: "the neck",
    Part.BODY: "body or clothes",
    Part.ACCESSORIES: "accessories",
    Part.BACKGROUND: "what is beside the head",
}


@dataclass(frozen=True, slots=True)
class PartsSeen:
    """One picture's parts, measured once."""

    parts: NDArray[np.uint8]
    """(size, size) of `Part`."""
    areas: NDArray[np.int64]
    """(256,) pixels of each part."""

    @classmethod
    def of(cls, parts: NDArray[np.uint8]) -> "PartsSeen":
        """Measure (size, size) parts."""
        return cls(parts, np.bincount(parts.ravel(), minlength=256))


def effect(neutral: PartsSeen, applied: PartsSeen, changed: NDArray[np.bool_], change: PictureChange) -> str:
    """In words what differs; `changed` is (size, size), the pixels that do."""
    if change.count < _FEWEST:
        return NOTHING
    looks = change.looks or FaceLook()
    said = [_both(_eyes(neutral, applied, looks), "eye"), _both(_brows(looks), "brow"), _mouth(neutral, applied)]
    words = ", ".join(part for part in said if part)
    return words or _places(neutral, applied, changed)


def _eyes(neutral: PartsSeen, applied: PartsSeen, looks: FaceLook) -> dict[str, str]:
    """By what is seen of them; where that is not known, by the area of their parts."""
    found = {}
    for side, part, look in zip(_SIDED["eye"], _SIDED["eye"].values(), (looks.left_eye, looks.right_eye), strict=True):
        before = int(neutral.areas[part])
        if not before and look is None:
            continue
        share = size = applied.areas[part] / before if before else 0.0
        if look is not None:
            share, size = look.open, look.size
        if share < SHUT:
            smiles = look is not None and look.lash is not None and look.lash > ARCHED
            found[side] = "closes in a smile (^)" if smiles else "closes"
        elif share < _NARROWER:
            found[side] = "narrows"
        elif size > _WIDER:
            found[side] = "widens"
        elif look is not None and look.iris is not None and look.iris < _NARROWER:
            found[side] = "shrinks the iris of"
    return found


def _brows(looks: FaceLook) -> dict[str, str]:
    found = {}
    for side, look in (("left", looks.left_brow), ("right", looks.right_brow)):
        if look is None or max(abs(look.lift), abs(look.tilt)) <= _RAISED:
            continue
        if abs(look.tilt) > abs(look.lift):
            found[side] = "draws down the inner end of" if look.tilt > 0 else "draws up the inner end of"
        else:
            found[side] = "raises" if look.lift > 0 else "lowers"
    return found


def _both(found: Mapping[str, str], what: str) -> str:
    """The two sides in one clause, where the same becomes of them."""
    if len(found) == 2 and len(set(found.values())) == 1:
        return f"{found['left']} both {what}s"
    return ", ".join(f"{verb} the {side} {what}" for side, verb in found.items())


def _mouth(neutral: PartsSeen, applied: PartsSeen) -> str:
    growth = int(applied.areas[Part.MOUTH_INSIDE] - neutral.areas[Part.MOUTH_INSIDE]) / applied.parts.size
    if abs(growth) < _OPENED:
        return ""
    return "opens the mouth" if growth > 0 else "closes the mouth"


def _places(neutral: PartsSeen, applied: PartsSeen, changed: NDArray[np.bool_]) -> str:
    """The parts in which most of the change is, before or after."""
    counts = np.bincount(neutral.parts[changed], minlength=256) + np.bincount(applied.parts[changed], minlength=256)
    least = _MENTIONED * counts.sum()
    names = []
    for what, sides in _SIDED.items():
        seen = [side for side, part in sides.items() if counts[part] >= least / 2]
        if seen:
            names.append(f"both {what}s" if len(seen) == 2 else f"the {seen[0]} {what}")
    names += [name for part, name in _NAMES.items() if counts[part] >= least]
    return "changes " + " and ".join(dict.fromkeys(names)) if names else "changes a little here and there"
