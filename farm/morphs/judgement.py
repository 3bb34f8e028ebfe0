"""What the evidence lets a morph play, when somebody says that its name stands for a target."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from farm.morphs.naming import part_of, semantic_of
from farm.morphs.vocabulary import Side, all_targets, on_side

_SIDES = {Side.BOTH: "both sides", Side.LEFT: "the character's left", Side.RIGHT: "the character's right"}
_NOWHERE = {"eye": "not the eyes", "eyebrow": "not the brows", "mouth": "not the mouth"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the evidence lets a morph play."""

    shows: bool
    """Whether it changes anything of the face; of what was not measured this is taken for granted."""
    side: Side | None
    """What it moves; None: not known."""
    target: str | None
    """What it was decided to play, if anything."""
    parts: tuple[str, ...] | None
    """Of eyes, brows and mouth those where it moves something; None: not known, as of textures."""
    denied: Mapping[str, str]
    """Semantics, such as "eye/closed", that it is named for and does not do, with the reason in words."""
    sides: Mapping[str, Side] = field(default_factory=dict)
    """By part the side that it moves there, where that is another than `side`: one brow, and the other eye."""


def let_pass(said: str, judgement: Judgement | None) -> tuple[str | None, str]:
    """The target that a morph may play whose name is to play `said`; and, where that is another or none, why."""
    if judgement is None:
        return said, ""
    if not judgement.shows:
        return None, "it changes nothing that shows"
    semantic = semantic_of(said)
    if semantic in judgement.denied:
        return None, judgement.denied[semantic]
    if all_targets()[said].sampled and judgement.parts is not None and part_of(said) not in judgement.parts:
        return None, f"what it moves is {_NOWHERE[part_of(said)]}"
    side = judgement.sides.get(part_of(said), judgement.side)
    plays = on_side(said, side) if side is not None else said
    return plays, "" if plays == said else f"it moves {_SIDES[side or Side.BOTH]}"


def may_play(target: str, judgement: Judgement | None) -> bool:
    """Whether the evidence lets a morph play `target` because somebody says that its name stands for it."""
    return let_pass(target, judgement)[0] == target
