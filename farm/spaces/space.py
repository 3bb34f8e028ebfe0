"""A pose space as an object: entries, the keys that samples play them by, and what a key sets in the vector."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from farm.errors import SpecError
from farm.morphs.vocabulary import Side, all_targets
from farm.spaces.limbs import LIMBS, LimbRole
from farm.spaces.reading import Group, Move, Parameter, SpaceFile, Vector, Way, read_space

DEFAULT = "animeceleb-20"
FIRST_MOVEMENT = -(2**33)
"""What a shot calls the first movement of bones; below the numbers of halves (`farm.morphs.combinations`), and downwards."""
_DIGITS = 6

type BoneRole = Literal["left_eye", "right_eye", "upper_body", "chest", "neck"] | LimbRole
"""A bone by what it is to a character."""


class BoneMove(BaseModel):
    """What the bones of one role do in a movement at 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: BoneRole
    turn: Vector = (0, 0, 0)
    """Degrees about world X, Y, Z, for limbs as they stand in the T-pose; one of them at most."""
    reach: float = 0
    """How far the turn may take what the bone holds in front of it, in heights of the head; 0: any way."""
    move: Vector = (0, 0, 0)
    """The way that it goes in world axes, in heights of the head."""


@dataclass(frozen=True, slots=True)
class Key:
    """Something that a sample can play: a parameter, on one side where it has sides."""

    name: str
    """Such as "eye/closed/left" or "mouth/a"."""
    group: Group
    parameter: Parameter
    side: Side | None
    """None: the parameter has no sides."""
    places: tuple[int, ...]
    """The entries that its value sets."""


@dataclass(frozen=True, slots=True)
class Movement:
    """What bones do at 1, under the number that shots call it by."""

    key: str
    moves: tuple[BoneMove, ...]


@dataclass(frozen=True)
class Space:
    """One pose space."""

    file: SpaceFile
    digest: str
    """Hash of its file."""

    @property
    def name(self) -> str:
        """What specifications call it."""
        return self.file.name

    @cached_property
    def entries(self) -> tuple[str, ...]:
        """The names of the vector's entries, in order."""
        return self.file.order or tuple(
            entry for group in self.file.group for p in group.parameter for entry in p.entries
        )

    @cached_property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """(low, high) of each entry."""
        by_name = {entry: p.range for group in self.file.group for p in group.parameter for entry in p.entries}
        return tuple(by_name[entry] for entry in self.entries)

    @cached_property
    def keys(self) -> dict[str, Key]:
        """Everything that can be played but the head's angles, in the file's order; both sides before each."""
        place = {entry: number for number, entry in enumerate(self.entries)}
        found = {}
        for group in self.file.group:
            for parameter in group.parameter:
                if _turns_head(parameter):
                    continue
                places = tuple(place[entry] for entry in parameter.entries)
                stem = f"{group.name}/{parameter.name}"
                if len(places) == 1:
                    found[stem] = Key(stem, group, parameter, None, places)
                    continue
                for side, own in zip(Side, (places, places[:1], places[1:]), strict=True):
                    found[f"{stem}/{side}"] = Key(f"{stem}/{side}", group, parameter, side, own)
        return found

    @cached_property
    def angles(self) -> dict[int, tuple[Group, Parameter, float]]:
        """Axis of the head's rotation (0 to 2) to the parameter that turns it and the degrees of its 1."""
        return {
            axis: (group, parameter, degrees)
            for group in self.file.group
            for parameter in group.parameter
            for way in parameter.by
            for axis, degrees in enumerate(way.head or ())
            if degrees
        }

    @cached_property
    def movements(self) -> dict[int, Movement]:
        """Number to what bones do, for every key that bones can play."""
        found: dict[int, Movement] = {}
        for key in self.keys.values():
            for way in key.parameter.by:
                if way.moves:
                    found[FIRST_MOVEMENT - len(found)] = Movement(key.name, _moves(way, key.side))
        return found

    @cached_property
    def movement_of(self) -> dict[str, int]:
        """Key to the number of the movement that plays it."""
        return {movement.key: number for number, movement in self.movements.items()}

    @cached_property
    def bends(self) -> dict[int, tuple[float, float]]:
        """Number of each movement to how far it plays, in a space that turns limbs; nothing in others."""
        if not any(p.turns_limbs for group in self.file.group for p in group.parameter):
            return {}
        return {number: self.keys[movement.key].parameter.range for number, movement in self.movements.items()}

    @cached_property
    def targets(self) -> frozenset[str]:
        """The targets of the vocabulary that play something of it."""
        semantics = {
            semantic
            for group in self.file.group
            for parameter in group.parameter
            for way in parameter.by
            for semantic in (way.target, way.against)
            if semantic
        }
        return frozenset(name for name in all_targets() if name in semantics or name.rpartition("/")[0] in semantics)

    def keys_of(self, entries: Sequence[str]) -> tuple[str, ...]:
        """The keys that set these entries one by one."""
        places = [(self.entries.index(entry),) for entry in entries]
        return tuple(next(key.name for key in self.keys.values() if key.places == place) for place in places)

    def sample_count(self, annotated: Collection[str]) -> int:
        """How many samples a model gets by the space's rule, when these targets are annotated."""
        rule = self.file.samples
        return rule.many if len(self.targets & set(annotated)) > rule.more_than else rule.few

    def mask(self, played: Collection[str]) -> tuple[bool, ...]:
        """By entry, whether a model that can play these keys can play it."""
        places = {place for name in played if name in self.keys for place in self.keys[name].places}
        names = {entry for _, parameter, _ in self.angles.values() for entry in parameter.entries}
        return tuple(place in places or entry in names for place, entry in enumerate(self.entries))

    def vector(self, values: Mapping[str, float], rotation: Vector) -> tuple[float, ...]:
        """The pose vector of a picture in which keys have these values and the head these angles (degrees).

        What is no key of the space is passed over.
        """
        pose = [0.0] * len(self.entries)
        for name, value in values.items():
            for place in self.keys[name].places if name in self.keys else ():
                pose[place] = value
        for axis, (_, parameter, degrees) in self.angles.items():
            for entry in parameter.entries:
                pose[self.entries.index(entry)] = round(rotation[axis] / degrees, _DIGITS)
        return tuple(pose)

    def trunk_turns(self, values: Mapping[str, float]) -> list[Vector]:
        """Degrees about world X, Y, Z by which the body turns the head, one after the other."""
        found = []
        for name, value in values.items():
            movement = self.movements.get(self.movement_of.get(name, 0))
            for move in movement.moves if movement else ():
                if move.role in ("upper_body", "chest") and any(move.turn):
                    x, y, z = move.turn
                    found.append((x * value, y * value, z * value))
        return found


def _turns_head(parameter: Parameter) -> bool:
    return parameter.by[0].head is not None


def _moves(way: Way, side: Side | None) -> tuple[BoneMove, ...]:
    """Each bone by its role: those of a side, or of both where there is none to choose."""
    return tuple(found for move in way.moves for found in _of_sides(move, side))


def _of_sides(move: Move, side: Side | None) -> list[BoneMove]:
    values = move.model_dump(exclude={"bone"})
    if move.bone != "eye" and move.bone not in LIMBS:
        return [BoneMove.model_validate({"role": move.bone, **values})]
    names = f"left_{move.bone}", f"right_{move.bone}"
    left = BoneMove.model_validate({"role": names[0], **values})
    if side is None:  # one entry for both: they turn alike
        return [left, BoneMove.model_validate({"role": names[1], **values})]
    (x, y, z), (right, back, up) = move.turn, move.move
    mirrored = values | {"turn": (x, -y, -z), "move": (-right, back, up)}
    both = ((left, Side.LEFT), (BoneMove.model_validate({"role": names[1], **mirrored}), Side.RIGHT))
    return [each for each, own in both if side in (Side.BOTH, own)]


@cache
def space_names() -> tuple[str, ...]:
    """All pose spaces, the default one first."""
    found = sorted(file.name.removesuffix(".toml") for file in _folder().iterdir() if file.name.endswith(".toml"))
    return (DEFAULT, *(name for name in found if name != DEFAULT))


@cache
def space_named(name: str) -> Space:
    """The pose space of this name. Raises SpecError where there is none, and for a file that is wrong."""
    if name not in space_names():
        raise SpecError(f"There is no pose space '{name}'; there are {', '.join(space_names())}.")
    data = _folder().joinpath(f"{name}.toml").read_bytes()
    space = Space(read_space(data, f"{name}.toml"), hashlib.sha256(data).hexdigest())
    if space.name != name:
        raise SpecError(f"{name}.toml calls itself '{space.name}'. A pose space is called as its file.")
    return space


def _folder() -> Traversable:
    return files("farm.spaces")
