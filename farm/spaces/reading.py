"""The files of pose spaces, checked as they are read: a mistake in one names the place and what to do."""

import math
import tomllib
from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from farm.errors import SpecError
from farm.morphs.vocabulary import Side, all_targets
from farm.spaces.limbs import LIMBS, Limb, RestPose
from farm.wording import mistake

MAX_ENTRIES = 256
_MAX_BYTES = 256 * 1024
_MAX_TURN, _MAX_MOVE = 45.0, 0.2
"""Degrees, and head heights, that a bone may go at 1."""
_NAME = "^[a-z][a-z0-9_]{0,39}$"

type EntryName = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9_]{0,59}$")]
"""Of an entry of a pose: a column of tables, so nothing that one would have to quote."""
type Vector = tuple[float, float, float]


def _finite(values: Vector) -> Vector:
    if not all(map(math.isfinite, values)):
        raise ValueError("these are no numbers")
    return values


def _about_one_axis(values: Vector) -> Vector:
    if sum(value != 0 for value in values) > 1:
        raise ValueError("turns about several axes; give each a parameter of its own, or their order would be a guess")
    return values


def _within(limit: float, what: str) -> AfterValidator:
    def check(values: Vector) -> Vector:
        if any(abs(value) > limit for value in values):
            raise ValueError(f"goes further than {limit:g} {what}")
        return values

    return AfterValidator(check)


type _Turn = Annotated[Vector, AfterValidator(_finite), AfterValidator(_about_one_axis), _within(_MAX_TURN, "degrees")]
type _Head = Annotated[Vector, AfterValidator(_finite), AfterValidator(_about_one_axis)]
type _Move = Annotated[Vector, AfterValidator(_finite), _within(_MAX_MOVE, "head heights")]
type Bone = Literal["eye", "upper_body", "chest", "neck"] | Limb
"""A bone by what it is to a character; `farm.models.posing.movements` and `farm.bodies.limbs` find it."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Move(_Strict):
    """What one bone does at 1, in world axes: it turns by degrees, or goes a way, in heights of the head.

    A limb's axes are the world's as it stands in the T-pose, and go with the bone above it.
    """

    bone: Bone
    turn: _Turn = (0, 0, 0)
    reach: float = Field(0, ge=0, le=_MAX_MOVE)
    """How far the turn takes what the bone holds in front of it at most, in head heights: heads differ. 0: any way."""
    move: _Move = (0, 0, 0)


class Way(_Strict):
    """One way to play a parameter: by a target, by morphs of these names, by bones, or by the turn of the head."""

    target: str | None = None
    """Semantic of the vocabulary: of a parameter with sides, its sides are the sides of this."""
    against: str | None = None
    """What plays the values below 0."""
    names: tuple[str, ...] = ()
    """Source morphs that no target of the vocabulary stands for; what they move says which side they are of."""
    part: Literal["eye", "eyebrow", "mouth"] | None = None
    """Where those must move something."""
    moves: tuple[Move, ...] = Field((), max_length=8)
    """Of the left side in a parameter with sides; the right side's are mirrored."""
    head: _Head | None = None
    """Degrees about world X, Y, Z at 1."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [bool(self.target), bool(self.names), bool(self.moves), self.head is not None]
        if sum(given) != 1:
            raise ValueError("give one of target, names, moves and head")
        if self.against and not self.target:
            raise ValueError("against needs a target")
        if bool(self.part) != bool(self.names):
            raise ValueError("names and part go together")
        if self.head is not None and not any(self.head):
            raise ValueError("head turns about no axis")
        limbs = {move.bone in LIMBS for move in self.moves}
        if len(limbs) > 1:
            raise ValueError("moves limbs and other bones; give each a parameter of its own")
        if True in limbs and any(any(move.move) or move.reach for move in self.moves):
            raise ValueError("limbs turn; they go nowhere by themselves and have no `reach`")
        if any(not any(move.turn) and not any(move.move) for move in self.moves):
            raise ValueError("a bone among moves neither turns nor goes anywhere")
        known = {name.removesuffix(f"/{side}") for name in all_targets() for side in Side} | set(all_targets())
        for semantic in filter(None, (self.target, self.against)):
            if semantic not in known:
                raise ValueError(f"'{semantic}' is nothing that farm/morphs/vocabulary.toml names")
        return self


class Parameter(_Strict):
    """One thing that can be played: an entry of the vector, two (left, right), or, of the head alone, none."""

    name: str = Field(pattern=_NAME)
    entries: tuple[EntryName, ...] = Field((), max_length=2)
    range: tuple[float, float] = (0, 1)
    by: tuple[Way, ...] = Field(min_length=1, max_length=8)
    """The first that a model can."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        low, high = self.range
        if not (math.isfinite(low) and math.isfinite(high) and low <= 0 < high):
            raise ValueError("a range reaches from 0 or below to above 0, which is at rest")
        turns_head = any(way.head is not None for way in self.by)
        if turns_head and (len(self.by) > 1 or len(self.entries) > 1):
            raise ValueError("what turns the head has this one way and one entry at most")
        if not turns_head and not self.entries:
            raise ValueError("has no entries")
        if len(self.entries) == 2 and (low < 0 or any(way.against for way in self.by)) and not self.turns_limbs:
            raise ValueError("what has sides has no values below 0, unless it turns limbs")
        if any(move.bone in LIMBS for way in self.by for move in way.moves) and not self.turns_limbs:
            raise ValueError("what turns limbs has this one way, and an entry for each side")
        if low < 0 and any(way.names or (way.target and not way.against) for way in self.by):
            raise ValueError("values below 0 need `against`, or bones")
        return self

    @property
    def turns_limbs(self) -> bool:
        """Whether limbs play it, and nothing else."""
        return len(self.entries) == 2 and all(
            way.moves and all(move.bone in LIMBS for move in way.moves) for way in self.by
        )


class SideShares(_Strict):
    """How often what has sides plays on which: shares, where what has no sides has the share 1."""

    both: float = Field(1, ge=0)
    left: float = Field(1, ge=0)
    right: float = Field(1, ge=0)
    apart: float = Field(0, ge=0)
    """Each at a weight of its own."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not 0 < self.both + self.left + self.right + self.apart < math.inf:
            raise ValueError("no side ever plays")
        return self


class Group(_Strict):
    """Parameters that are drawn together."""

    name: str = Field(pattern=_NAME)
    plays: Literal["one", "each"]
    """One of them at a time, or each by itself."""
    rest: float = Field(0, ge=0, lt=1)
    """The share of samples in which it stays at rest."""
    alone: float = Field(0, ge=0, le=1)
    """The share of samples in which it plays and all other groups that play one rest; 0: it plays beside them."""
    sides: SideShares = SideShares()
    sets: tuple[tuple[str, ...], ...] = ()
    """Entries that play together at one weight; one set at a time, and nothing else of the group."""
    still_when_frontal: bool = False
    """Whether it rests in the frontal partition, as the head does."""
    parameter: tuple[Parameter, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        own = {entry for parameter in self.parameter for entry in parameter.entries}
        if self.sets and self.plays != "one":
            raise ValueError('sets are for a group that plays = "one"')
        if unknown := [entry for each in self.sets for entry in each if entry not in own]:
            raise ValueError(f"its sets name '{unknown[0]}', which is no entry of it")
        if any(not each or len(set(each)) < len(each) for each in self.sets):
            raise ValueError("a set is empty or names an entry twice")
        if any(way.head for parameter in self.parameter for way in parameter.by) and self.plays != "each":
            raise ValueError('the head\'s angles are drawn each: plays = "each"')
        if (twice := _twice([parameter.name for parameter in self.parameter])) is not None:
            raise ValueError(f"the parameter {twice} stands twice")
        return self


class CountRule(_Strict):
    """How many samples a model gets: `many` with more annotated targets of the space than `more_than`, otherwise `few`."""

    more_than: int = Field(ge=0)
    many: int = Field(ge=1, le=10_000)
    few: int = Field(ge=1, le=10_000)


class SpaceFile(_Strict):
    """A pose space as its file says it."""

    name: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,39}$")
    summary: str = Field(max_length=200)
    source: str = Field(max_length=200)
    samples: CountRule
    combine: bool
    """Whether both sides play by the morphs of the two, and one side by half of that of both, where a model has no other."""
    rest: RestPose = RestPose.FILE
    """How the character stands when all entries are 0; FILE: as the specification has it."""
    order: tuple[str, ...] = ()
    """The entries in the vector's order; empty: as they stand below."""
    group: tuple[Group, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        entries = [entry for group in self.group for parameter in group.parameter for entry in parameter.entries]
        if not 1 <= len(entries) <= MAX_ENTRIES:
            raise ValueError(f"has {len(entries)} entries; 1 to {MAX_ENTRIES} are possible")
        if (twice := _twice(entries)) is not None:
            raise ValueError(f"the entry {twice} stands twice")
        if (twice := _twice([group.name for group in self.group])) is not None:
            raise ValueError(f"the group {twice} stands twice")
        if self.order and sorted(self.order) != sorted(entries):
            odd = set(self.order) ^ set(entries) or {str(_twice(list(self.order)))}
            raise ValueError(f"`order` does not name each entry once: see {min(odd)}")
        if self.rest is RestPose.FILE and any(p.turns_limbs for group in self.group for p in group.parameter):
            raise ValueError('turns limbs, so it has to say from where: rest = "a" or "t"')
        ways = [way for group in self.group for parameter in group.parameter for way in parameter.by]
        targets = [semantic for way in ways for semantic in (way.target, way.against) if semantic]
        if (twice := _twice(targets)) is not None:
            raise ValueError(f"{twice} plays two parameters, so that a label would not say which")
        axes = [[value != 0 for value in way.head].index(True) for way in ways if way.head is not None]
        if len(set(axes)) < len(axes):
            raise ValueError("two parameters turn the head about one axis")
        return self


def _twice(names: list[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


def read_space(data: bytes, source: str) -> SpaceFile:
    """The space that a file holds; `source` stands in the error. Raises SpecError, with the place of what is wrong."""
    if len(data) > _MAX_BYTES:
        raise SpecError(f"{source} has {len(data)} bytes, over the limit of {_MAX_BYTES} of a pose space.")
    try:
        given = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpecError(f"{source} is no TOML: {error}. Correct that place.") from error
    try:
        return SpaceFile.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise SpecError(f"{source}{_place(given, first['loc'])}: {mistake(first)}. Correct the entry.") from error


def _place(given: object, location: tuple[int | str, ...]) -> str:
    """Where something is, by names: ", group eye, parameter wink, by 1"."""
    told, at = "", given
    for step in location:
        if isinstance(step, str):
            at = at.get(step) if isinstance(at, dict) else None
            told += f", {step}"
            continue
        at = at[step] if isinstance(at, list) else None
        name = at.get("name") if isinstance(at, dict) else None
        told += f" {name[:60]}" if isinstance(name, str) else f" {step + 1}"
    return told
