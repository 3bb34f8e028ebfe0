"""The entries of `vocabulary.toml`, checked as they are read: a mistake in it names its line."""

import tomllib
from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from farm.errors import MappingError
from farm.morphs.names import normalise
from farm.wording import mistake

SIDES = ("both", "left", "right")


class _Names(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    both: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()

    def of(self, side: str) -> tuple[str, ...]:
        """The names of a side."""
        names: tuple[str, ...] = getattr(self, side)
        return names


class VocabularyEntry(_Names):
    """One semantic."""

    part: Literal["eye", "eyebrow", "mouth", "face"]
    name: str
    entries: tuple[int, ...] = ()
    """Two (left, right) or one; none for an extended semantic."""
    panel_only: _Names = _Names()
    """Names that count in the panel of the part alone."""
    akin: tuple[str, ...] = ()
    """Names that sometimes mean it."""

    @property
    def semantic(self) -> str:
        """Such as "eye/closed"."""
        return f"{self.part}/{self.name}"


def read_entries(text: str) -> tuple[list[VocabularyEntry], dict[str, list[str]]]:
    """The semantics of a vocabulary, the sampled ones first, and its side marks. Raises MappingError with the line."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"vocabulary.toml is no TOML: {error}. Correct that line.") from error
    lines = text.splitlines()
    found: list[tuple[int, VocabularyEntry]] = []
    for kind in ("semantic", "extended"):
        heads = [number for number, line in enumerate(lines, 1) if line.strip() == f"[[{kind}]]"]
        for line, given in zip(heads, data.get(kind, []), strict=True):
            entry = _entry(line, given)
            if bool(entry.entries) != (kind == "semantic"):
                raise _mistake(line, f"{entry.semantic}: [[semantic]] needs `entries`, [[extended]] has none")
            found.append((line, entry))
    _check(found, lines)
    return [entry for _, entry in found], data["side_marks"]


def _entry(line: int, given: object) -> VocabularyEntry:
    try:
        return VocabularyEntry.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise _mistake(line, f"{'.'.join(map(str, first['loc']))}: {mistake(first)}") from error


def _check(found: list[tuple[int, VocabularyEntry]], lines: list[str]) -> None:
    semantics: set[str] = set()
    places: set[int] = set()
    claimed: dict[str, str] = {}
    for line, entry in found:
        if entry.semantic in semantics:
            raise _mistake(line, f"{entry.semantic} stands twice")
        semantics.add(entry.semantic)
        if len(entry.entries) > 2 or places & set(entry.entries):
            raise _mistake(
                line, f"{entry.semantic}: `entries` are one or two places of the pose vector that no other has"
            )
        places |= set(entry.entries)
        for side, name in _listed(entry):
            target = f"{entry.semantic}, {side}"
            if claimed.setdefault(normalise(name), target) != target:
                at = next((n for n, text in enumerate(lines[line - 1 :], line) if f'"{name}"' in text), line)
                raise _mistake(at, f"'{name}' stands for {claimed[normalise(name)]} and for {target}")
    if places != set(range(len(places))):
        raise _mistake(1, f"the `entries` leave gaps: they are {sorted(places)}")


def _listed(entry: VocabularyEntry) -> Iterator[tuple[str, str]]:
    for side in SIDES:
        for name in entry.of(side):
            yield side, name


def _mistake(line: int, what: str) -> MappingError:
    return MappingError(f"vocabulary.toml, line {line}: {what}. Correct the entry.")
