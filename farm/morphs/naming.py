"""What a source morph's name promises: which semantic, how plainly, and which side.

A name is a prior and no more. It is compared whole first, then without what creators hang on to it: sides, numbers,
marks, the prefixes of tools.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from farm.morphs.names import normalise
from farm.morphs.panels import Panel
from farm.morphs.vocabulary import Side, akin_names, recognise


class Promise(StrEnum):
    """How plainly a name stands for a semantic."""

    NAMED = "named"
    """The vocabulary has this very name for it."""
    VARIANT = "variant"
    """The vocabulary has it without its number, mark or prefix."""
    AKIN = "akin"
    """A name that sometimes means it, such as 真面目 for the angry brow."""
    UNKNOWN = "unknown"
    """Nobody has said what it means."""
    OTHER = "other"
    """The vocabulary has it for something else."""
    ELSEWHERE = "elsewhere"
    """It stands in the panel of another part, and has no name for this one."""


@dataclass(frozen=True, slots=True)
class Naming:
    """All that a name says."""

    promises: Mapping[str, Promise]
    """Semantic, such as "eye/closed", to how plainly the name stands for it; only NAMED, VARIANT and AKIN."""
    known: bool
    """Whether the vocabulary has the name for anything."""
    side: Side | None
    """The side that it names; None for none."""
    usual_side: Side
    """The side that most mean by it: that of the vocabulary where the name has none."""
    panel: Panel | None
    loose: bool = False
    """Whether it means that in the panel of eyebrows alone, and stands in none of any part: 上 may move the gaze."""

    @property
    def says_something(self) -> bool:
        """Whether it stands for any target, of the 23 or beyond."""
        return self.known or bool(self.promises)

    @property
    def part(self) -> str | None:
        """The part that it is of: by what it promises, else by its panel; None where neither says."""
        if self.loose:
            return None
        return next(map(part_of, self.promises), _PARTS.get(self.panel) if self.panel is not None else None)

    def promise(self, semantic: str) -> Promise:
        """How plainly the name stands for `semantic`."""
        if semantic in self.promises:
            return self.promises[semantic]
        if self.known:
            return Promise.OTHER
        if self.panel is not None and _PARTS.get(self.panel, part_of(semantic)) != part_of(semantic):
            return Promise.ELSEWHERE
        return Promise.UNKNOWN


_ANY_PART = (None, Panel.SYSTEM, Panel.OTHER)
_PARTS = {Panel.EYEBROW: "eyebrow", Panel.EYE: "eye", Panel.MOUTH: "mouth"}
_PREFIXES = re.compile(
    r"^(vrc\.v_|vrc\.|v_|fcl_(all|brw|eye|mth)_|viseme_|phoneme_|lip_?sync_|lip_|mth_|発音|表情_?|mouth_?|eyes?_|(eye)?brows?_"
    r"|m_(?=[aeiou]$)|口[_:]?(?=[あいうえおアイウエオ]$))"
)
_TOOLS = re.compile(r"^(blendshape\d*\.)?(face\.)?(m_[a-z]\d\d_\d+_\d+_)?(?=.)")
_BRACKETS = re.compile(r"[「」『』【】・_.:\-]")
_OF_MOUTH = re.compile(r"(?<=^[あいうえおアイウエオ])口$")
_MARKS = re.compile(r"^[大小](?=[あいうえおアイウエオ])|(?<=^[あいうえおアイウエオ])[大小]$|\(.*$|[.!?~〜+*\-]")
_TAIL = re.compile(r"[0-9ー]+$")
_SEPARATED = re.compile(r"(?<=[a-z])(?=[LR][0-9]*$)|\s+(?=[LRlr]\b)")
"""Before what is a side only where the case or a space says so: BlinkL, "Blink L"."""
_ENCLOSED = re.compile(r"[(\[<{](左|右|[lr]|left|right)[)\]>}]")
_SIDES = {
    Side.LEFT: re.compile(r"左|왼쪽?|(?<![a-z])l(?=[0-9]*$)|(?<=[a-z])[_.\-]l(?=$|[0-9_.\-])|^l(?=[_.])|left"),
    Side.RIGHT: re.compile(r"右|오른쪽?|(?<![a-z])r(?=[0-9]*$)|(?<=[a-z])[_.\-]r(?=$|[0-9_.\-])|^r(?=[_.])|right"),
}


def semantic_of(target: str) -> str:
    """The semantic of a target, such as "eye/closed" of "eye/closed/left".

    >>> semantic_of("eye/closed/left"), semantic_of("mouth/a")
    ('eye/closed', 'mouth/a')
    """
    return "/".join(target.split("/")[:2])


def side_of(target: str) -> Side:
    """The side of a target; both where it has none."""
    last = target.rsplit("/", 1)[-1]
    return Side(last) if last in tuple(Side) else Side.BOTH


def part_of(semantic: str) -> str:
    """The part that a semantic or a target is of."""
    return semantic.split("/", 1)[0]


def side_in(name: str) -> tuple[Side | None, str]:
    """The side that a name is marked with, and the normalised name without it.

    >>> side_in("ｳｨﾝｸ２右")
    (<Side.RIGHT: 'right'>, 'ウィンク2')
    """
    spaced = _SEPARATED.sub("_", unicodedata.normalize("NFKC", name))
    plain = _ENCLOSED.sub(r"_\1", _TOOLS.sub("", normalise(spaced)))
    for side, mark in _SIDES.items():
        bare, count = mark.subn("", plain)
        if count == 1 and bare:
            return side, bare
    return None, plain


def core(name: str) -> str:
    """`name` without side, brackets and the prefixes of tools; what would leave nothing stays.

    >>> core("発音「あ」"), core("眉_下"), core("vrc.v_aa")
    ('あ', '眉下', 'aa')
    """
    return _without(side_in(name)[1], _PREFIXES, _BRACKETS, _OF_MOUTH)


def joined(name: str) -> str:
    """`name` without side and what separates its words.

    >>> joined("Brow_Up.L"), joined("eyes-closed")
    ('browup', 'eyesclosed')
    """
    return _without(side_in(name)[1], _BRACKETS)


def stem(name: str) -> str:
    """The core of `name` without what makes it one of several: numbers, marks, remarks.

    >>> stem("じと目_R2"), stem("い（歯有"), stem("えー")
    ('じと目', 'い', 'え')
    """
    return _without(core(name), _MARKS, _TAIL)


CLOSED, _SMILE = "eye/closed", "eye/happy"


def is_smile(name: str, panel: Panel | None) -> bool:
    """Whether `name`, shown in `panel`, is one for eyes that close in a smile, of the extended vocabulary."""
    found = next(filter(None, (recognise(form, panel) for form in (name, core(name), stem(name)))), None)
    return found is not None and semantic_of(found[0].name) == _SMILE


def _without(plain: str, *patterns: re.Pattern[str]) -> str:
    for pattern in patterns:
        plain = pattern.sub("", plain) or plain
    return plain


def names_of(morphs: Iterable[tuple[str, Panel | None]]) -> list[Naming]:
    """What the names of one character's morphs promise. A form of a name (おー) stands for what the name (お) does where the
    character has none of that name."""
    names = [naming(name, panel) for name, panel in morphs]
    plain = {semantic for name in names for semantic, promise in name.promises.items() if promise is Promise.NAMED}
    return [
        replace(name, promises={each: _plainly(each, promise, plain) for each, promise in name.promises.items()})
        for name in names
    ]


def _plainly(semantic: str, promise: Promise, plain: Collection[str]) -> Promise:
    return Promise.NAMED if promise is Promise.VARIANT and semantic not in plain else promise


def naming(name: str, panel: Panel | None) -> Naming:
    """What `name`, shown in `panel` (None where the format has none), promises."""
    side, unsided = side_in(name)
    short = stem(name)
    promises: dict[str, Promise] = {}
    known = False
    usual = side or Side.BOTH
    whole = (name, unsided, joined(name), core(name))
    loose = False
    for form in (*whole, short):
        found = recognise(form, panel)
        if found is None and panel in _ANY_PART:
            found = recognise(form, Panel.EYEBROW)
            loose = found is not None
        if found is not None:
            known = True
            if found[0].sampled:
                promises[semantic_of(found[0].name)] = Promise.VARIANT if form not in whole else Promise.NAMED
                usual = side or side_of(found[0].name)
            break
    for semantic in akin_names().get(short, ()):
        promises[semantic] = Promise.AKIN
    return Naming(promises, known or bool(promises), side, usual, panel, loose)
