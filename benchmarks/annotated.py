"""The annotated characters: measurements and names of morphs, and which morph plays what, as seen by a person."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farm.morphs.annotation import SourceMorph
from farm.morphs.evidence import Evidence, PictureChange
from farm.morphs.panels import Panel

FOLDER = Path(os.environ.get("FARM_TEST_ANNOTATION") or "../shared/annotation")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person saw of one target: indices of morphs."""

    best: tuple[int, ...]
    """Those that play it properly, best first."""
    uncounted: tuple[int, ...]
    """Those that play it roughly, or are named for it and do not show: neither right nor wrong."""


@dataclass(frozen=True, slots=True)
class Character:
    """One character."""

    number: int
    morphs: tuple[SourceMorph, ...]
    evidence: Mapping[int, Evidence]
    truth: Mapping[str, Verdict]
    """By target."""
    name: str = ""
    """Of its file, where that may be told."""

    def __str__(self) -> str:
        return self.name or str(self.number)


def characters(path: Path) -> list[Character]:
    """Read a `characters.json`; its README says what the fields are."""
    return [_character(each) for each in json.loads(path.read_text(encoding="utf-8"))]


def _character(given: Mapping[str, Any]) -> Character:
    place = {morph["number"]: index for index, morph in enumerate(given["morphs"])}

    def indices(verdict: Mapping[str, list[int]], *kinds: str) -> tuple[int, ...]:
        return tuple(place[number] for kind in kinds for number in verdict.get(kind, ()) if number in place)

    return Character(
        number=given["character"],
        morphs=tuple(_morph(morph) for morph in given["morphs"]),
        evidence={index: _evidence(morph) for index, morph in enumerate(given["morphs"])},
        truth={
            target: Verdict(indices(verdict, "best"), indices(verdict, "weak", "unseen"))
            for target, verdict in given["truth"].items()
        },
    )


def _morph(given: Mapping[str, Any]) -> SourceMorph:
    panel = None if given["panel"] == "*" else Panel[given["panel"].upper()]
    return SourceMorph(given["name"], given["kind"], panel, moved=1)


def _evidence(given: Mapping[str, Any]) -> Evidence:
    geometry, pixels = given.get("geometry") or {}, given["pixels"]
    return Evidence.model_validate(
        {
            "left": geometry.get("left"),
            "right": geometry.get("right"),
            "points": given.get("points") or (),
            "picture": PictureChange(**pixels),
        }
    )
