"""Targets that no morph of a model plays, and that others of its morphs can: both sides from the two, a side from both."""

from collections.abc import Collection, Mapping

from pydantic import BaseModel, ConfigDict

from farm.morphs.refs import Annotation, MorphRef
from farm.morphs.vocabulary import Side, all_targets

_SIDES = (Side.LEFT, Side.RIGHT)


class Combination(BaseModel):
    """How such a target is played."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: tuple[MorphRef, ...]
    """The morphs that play it together, at one weight."""
    half: Side | None = None
    """Of its one morph, the half of the face that takes part; None: all of it."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """What a shot calls its parts."""
        return tuple(ref.index if self.half is None else half_number(ref.index, self.half) for ref in self.of)


def half_number(index: int, half: Side) -> int:
    """What a shot calls a half of a morph: below 0, where no morph of a file is."""
    return -2 * index - (1 if half is Side.LEFT else 2)


def combinations(annotation: Annotation, wanted: Collection[str]) -> dict[str, Combination]:
    """Target to how it can be played, for those of `wanted` that `annotation` lacks, in the vocabulary's order.

    A combination is made of annotated morphs alone, never of another combination.
    """
    found = {}
    for target in all_targets():
        if target in annotation or target not in wanted:
            continue
        semantic, _, side = target.rpartition("/")
        pair = [annotation[name] for each in _SIDES if (name := f"{semantic}/{each}") in annotation]
        whole = annotation.get(f"{semantic}/{Side.BOTH}")
        if side == Side.BOTH and len(pair) == len(_SIDES):
            found[target] = Combination(of=tuple(pair))
        elif side in _SIDES and whole is not None:
            found[target] = Combination(of=(whole,), half=Side(side))
    return found


def halves(found: Mapping[str, Combination]) -> dict[int, tuple[int, Side]]:
    """Number of every half that is played, to the morph that it is of and the side."""
    return {
        half_number(ref.index, each.half): (ref.index, each.half)
        for each in found.values()
        for ref in each.of
        if each.half is not None
    }
