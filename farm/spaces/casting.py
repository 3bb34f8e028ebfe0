"""What of a pose space a model can play, and by what of its own: the first way of each parameter that it has."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from farm.morphs.annotation import SourceMorph
from farm.morphs.combinations import half_number
from farm.morphs.names import normalise
from farm.morphs.refs import Annotation, MorphRef
from farm.morphs.vocabulary import Side
from farm.spaces.reading import Way
from farm.spaces.space import Key, Space

_SIDES = (Side.LEFT, Side.RIGHT)


class Played(BaseModel):
    """How one key is played: by morphs together at its value, by half of one, or by bones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: tuple[MorphRef, ...] = ()
    half: Side | None = None
    """Of its one morph, the half of the face that takes part; None: all of it."""
    against: tuple[MorphRef, ...] = ()
    """What plays values below 0, at the value without its sign."""
    moves: bool = False
    """Whether it is bones that move, as the space says."""

    def refs(self, value: float) -> tuple[MorphRef, ...]:
        """The morphs that play this value."""
        return self.against if value < 0 else self.of

    def numbers(self, key: str, space: Space) -> tuple[int, ...]:
        """What shots call everything that plays it."""
        if self.moves:
            return (space.movement_of[key],)
        return tuple(self._number(ref) for ref in (*self.of, *self.against))

    def weights(self, key: str, space: Space, value: float) -> dict[int, float]:
        """Number to weight, in a shot of this value."""
        if self.moves:
            return {space.movement_of[key]: value}
        return {self._number(ref): abs(value) for ref in self.refs(value)}

    def halves(self) -> dict[int, tuple[int, Side]]:
        """Number of each half among them, to the morph that it is of and the side."""
        return {} if self.half is None else {self._number(ref): (ref.index, self.half) for ref in self.of}

    def _number(self, ref: MorphRef) -> int:
        return ref.index if self.half is None else half_number(ref.index, self.half)


type Cast = dict[str, Played]
"""Key to how it is played, in the space's order."""


def cast(
    space: Space,
    annotation: Annotation,
    named: Mapping[str, MorphRef],
    unseen: Collection[int] = (),
    combine: bool = False,
) -> Cast:
    """How a model plays what it can of `space`.

    `named` is what `named_morphs` gives; `unseen` are numbers, as shots call them, of what changes no picture. `combine` asks
    for combinations where the space does not.
    """
    found = {}
    for key in space.keys.values():
        for played in _choices(key, annotation, named, combine or space.file.combine):
            if not set(played.numbers(key.name, space)) & set(unseen):
                found[key.name] = played
                break
    return found


def every_way(
    space: Space, annotation: Annotation, named: Mapping[str, MorphRef], combine: bool = False
) -> list[Played]:
    """All ways that the model may have, for whoever has to ask which of them show."""
    return [
        played
        for key in space.keys.values()
        for played in _choices(key, annotation, named, combine or space.file.combine)
    ]


def _choices(key: Key, annotation: Annotation, named: Mapping[str, MorphRef], combine: bool) -> Iterator[Played]:
    """How the key can be played, the best first."""
    for way in key.parameter.by:
        if way.moves:
            yield Played(moves=True)
        elif way.names:
            stem = key.name.removesuffix(f"/{key.side}") if key.side else key.name
            yield from _by(stem, key.side, named, combine)
        elif way.target:
            for played in _by(way.target, key.side, annotation, combine):
                against = next((p.of for p in _by(way.against, None, annotation, combine)), ()) if way.against else ()
                if against or not way.against:
                    yield played.model_copy(update={"against": against})


def _by(semantic: str, side: Side | None, morphs: Mapping[str, MorphRef], combine: bool) -> Iterator[Played]:
    """A semantic on a side, by what plays it: its own morph, then those of the two sides, then half of that of both."""
    whole = morphs.get(f"{semantic}/{Side.BOTH}") or morphs.get(semantic)
    if side in _SIDES:
        if (own := morphs.get(f"{semantic}/{side}")) is not None:
            yield Played(of=(own,))
        if whole is not None and combine:
            yield Played(of=(whole,), half=side)
        return
    if whole is not None:
        yield Played(of=(whole,))
    pair = [morphs[name] for each in _SIDES if (name := f"{semantic}/{each}") in morphs]
    if len(pair) == len(_SIDES) and combine:
        yield Played(of=tuple(pair))


def named_morphs(space: Space, morphs: Sequence[SourceMorph], annotation: Annotation) -> dict[str, MorphRef]:
    """The morphs that play parameters of `space` by their names, by the parameter's key and side, for `cast`.

    Names say what a morph is, and what it moves says on which side and whether it is of that part at all. Whatever plays a
    target, or was decided to, is left to that.
    """
    taken = {ref.index for ref in annotation.values()}
    found: dict[str, MorphRef] = {}
    for group in space.file.group:
        for parameter in group.parameter:
            for way in parameter.by:
                for index, morph in enumerate(morphs):
                    side = _side_of(way, morph)
                    if side is not None and index not in taken and normalise(morph.name) in _names(way):
                        found.setdefault(
                            f"{group.name}/{parameter.name}/{side}", MorphRef(index=index, name=morph.name)
                        )
    return found


def _names(way: Way) -> set[str]:
    return {normalise(name) for name in way.names}


def _side_of(way: Way, morph: SourceMorph) -> Side | None:
    """The side on which a morph shows something of the way's part; None: it shows nothing there."""
    if not way.names or not morph.moved:
        return None
    judged = morph.judgement
    if judged is None:
        return Side.BOTH
    if not judged.shows or judged.target is not None or (judged.parts is not None and way.part not in judged.parts):
        return None
    return judged.side or Side.BOTH
