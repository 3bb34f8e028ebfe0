"""The target morphs as objects; the facts themselves stand in ``vocabulary.toml``."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from farm import __version__
from farm.morphs.entries import read_entries
from farm.morphs.names import normalise
from farm.morphs.panels import Panel


class Side(StrEnum):
    """Which half of the face a target morph moves, from the character's own view."""

    BOTH = "both"
    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Target:
    """One target morph."""

    name: str
    """Unique, such as "eye/closed/left" or "mouth/a"."""
    part: str
    """"eye", "eyebrow" or "mouth" (extended ones may be of "face")."""
    entries: tuple[int, ...]
    """Indices in the pose vector that its weight sets; empty for the extended vocabulary."""

    @property
    def sampled(self) -> bool:
        """Whether it is one of the 23 of the paper."""
        return bool(self.entries)


@dataclass(frozen=True, slots=True)
class _Rule:
    target: Target
    rank: int
    panel: Panel | None


_PART_PANELS = {"eye": Panel.EYE, "eyebrow": Panel.EYEBROW, "mouth": Panel.MOUTH}


def _file() -> bytes:
    return files("farm.morphs").joinpath("vocabulary.toml").read_bytes()


@cache
def vocabulary_version() -> str:
    """Changes whenever annotations by the vocabulary may: with its file, or with the code of a release."""
    return hashlib.sha256(__version__.encode() + _file()).hexdigest()[:16]


@cache
def _tables() -> tuple[dict[str, Target], dict[str, list[_Rule]]]:
    entries_read, side_marks = read_entries(_file().decode())
    targets: dict[str, Target] = {}
    rules: dict[str, list[_Rule]] = {}
    for entry in entries_read:
        entries = entry.entries
        two_sided = len(entries) == 2 or bool(entry.left or entry.panel_only.left)
        for place, side in enumerate(Side):
            names, restricted = list(entry.of(side)), list(entry.panel_only.of(side))
            if two_sided and side is not Side.BOTH:
                marks = side_marks[side]
                names += [mark.format(name) for name in entry.both for mark in marks]
                restricted += [mark.format(name) for name in entry.panel_only.both for mark in marks]
            if not names and not restricted:
                continue
            name = entry.semantic + (f"/{side}" if two_sided else "")
            one_side = len(entries) == 2 and side is not Side.BOTH
            set_by_side = (entries[place - 1],) if one_side else entries
            target = targets[name] = Target(name, entry.part, set_by_side)
            for rank, source in enumerate(restricted + names):
                panel = _PART_PANELS[entry.part] if source in restricted else None
                rules.setdefault(normalise(source), []).append(_Rule(target, rank, panel))
    return targets, rules


def _pose_names() -> tuple[str, ...]:
    names = {target.entries[0]: target.name for target in target_morphs() if len(target.entries) == 1}
    return tuple(names[entry].replace("/", "_") for entry in sorted(names))


def all_targets() -> dict[str, Target]:
    """Every target by name, extended ones included, in the vocabulary's order."""
    return dict(_tables()[0])


def on_side(name: str, side: Side) -> str:
    """The target of the same semantic as `name` on another side; `name` itself where the semantic has no sides.

    >>> on_side("eye/closed/left", Side.RIGHT), on_side("mouth/a", Side.LEFT)
    ('eye/closed/right', 'mouth/a')
    """
    other = f"{name.rpartition('/')[0]}/{side}"
    return other if other in _tables()[0] else name


def target_morphs() -> tuple[Target, ...]:
    """The 23 target morphs of the paper, in the vocabulary's order."""
    return tuple(target for target in _tables()[0].values() if target.sampled)


@cache
def akin_names() -> dict[str, tuple[str, ...]]:
    """Normalised names, without sides and numbers, to the semantics that they sometimes mean, such as "eyebrow/angry"."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in read_entries(_file().decode())[0]:
        for name in entry.akin:
            found[normalise(name)] = (*found.get(normalise(name), ()), entry.semantic)
    return found


def recognise(name: str, panel: Panel | None) -> tuple[Target, int] | None:
    """The target that a source morph of this name and panel stands for, and how good a match it is (0 is best).

    `panel` None (VRM has no panels) never satisfies a rule that is bound to one.
    """
    for rule in _tables()[1].get(normalise(name), []):
        if rule.panel is None or rule.panel == panel:
            return rule.target, rule.rank
    return None


POSE_NAMES = _pose_names()
"""The entries of the pose vector that morphs set, in order, as columns are called; the three rotations follow them."""
POSE_ENTRIES = len(POSE_NAMES)
