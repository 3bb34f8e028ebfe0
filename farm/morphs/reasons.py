"""What a morph does, in words."""

from collections.abc import Mapping

from farm.morphs.naming import Naming, part_of
from farm.morphs.vocabulary import Side

_SIDES = {Side.BOTH: "both sides", Side.LEFT: "the character's left", Side.RIGHT: "the character's right"}


def taken_as(name: str, naming: Naming, side: Side) -> str:
    """Name and side that moves, as in "named ウィンク右, moves the character's left: taken as left"."""
    if naming.side is None or naming.side is side:
        return f"named {name}, moves {_SIDES[side]}"
    return f"named {name}, moves {_SIDES[side]}: taken as {side}"


def effect(semantic: str, measured: Mapping[str, float]) -> str:
    """What the traits of a semantic's part say: "closes the eye 98 % of the way"."""
    return _EFFECTS[part_of(semantic)](measured)


def _eye(measured: Mapping[str, float]) -> str:
    closing, upper = measured["closing"], measured["upper"]
    if closing > 0.1 and upper < 0:
        lash = ", its lash arched up" if measured["arch"] > 0.12 else ""
        return f"closes the eye {closing:.0%} of the way{lash}"
    if upper > 0.02:
        return f"opens the eye by {measured['opening']:.0%} of the way that it closes"
    return "moves something at the eye, and its lid hardly"


def _eyebrow(measured: Mapping[str, float]) -> str:
    lift, tilt = measured["lift"], measured["tilt"]
    way = "raises" if lift > 0.15 else "lowers" if lift < -0.15 else "holds"
    slope = ", its inner end down" if tilt > 0.5 else ", its inner end up" if tilt < -0.5 else ""
    return f"{way} the brow{slope}"


def _mouth(measured: Mapping[str, float]) -> str:
    apart, width = measured["apart"], measured["spread"]
    way = "wide" if apart > 1 else "half" if apart > 0.5 else "a little" if apart > 0.15 else "hardly"
    shape = ", widens it" if width > 0.1 else ", narrows it" if width < -0.1 else ""
    return f"opens the mouth {way}{shape}"


_EFFECTS = {"eye": _eye, "eyebrow": _eyebrow, "mouth": _mouth}

TRAITS_IN_WORDS = {
    "place": "where it moves",
    "closing": "how far the lid comes down",
    "opening": "how far something rises",
    "depth": "what goes into the head or out of it",
    "upper": "which way the upper half goes",
    "arch": "the curve of the lash",
    "lift": "how far it goes up or down",
    "tilt": "the slope",
    "highest": "what rises most",
    "lowest": "what sinks most",
    "aside": "how far it goes aside",
    "apart": "how far the lips part",
    "drop": "how far the lower lip drops",
    "widening": "where the corners go",
    "spread": "how wide the mouth becomes",
    "forward": "how far the lips come forward",
    "power": "how much it moves",
}
