"""Who is in a data set, on which side, and how they were drawn: written beside the data, and read back from there.

OUT/models.jsonl     a line a model; `spec` is a name in making.json
OUT/making.json      the specifications by which the models were drawn, and the pairs of near-duplicates
OUT/pose_space.json  the names of the entries of a pose, where they are not the paper's
"""

import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from farm.dataset.manifest import MadeWith, SpaceRecord
from farm.dataset.reading import MAX_MANIFEST_BYTES, read_file
from farm.dataset.splits import Split
from farm.errors import StorageError
from farm.exports.duplicates import Pair, groups
from farm.exports.listed import ListedModel
from farm.exports.sides import Sides
from farm.spec import RenderSpec

MODELS = "models.jsonl"
MAKING = "making.json"
POSE_SPACE = "pose_space.json"
_NAME_DIGITS = 16
"""Of the hash that a specification is named by."""


@dataclass(frozen=True, slots=True)
class Roster:
    """The models of a data set."""

    layout: str
    members: tuple[ListedModel, ...]
    """By folder."""
    sides: Sides

    @property
    def images(self) -> int:
        """How many pictures it has, without the neutral ones."""
        return sum(member.images for member in self.members)

    def of_split(self, split: Split) -> list[ListedModel]:
        """The models of one side, by folder."""
        return [member for member in self.members if self.sides.of[member.model] == split]


def roster_files(roster: Roster) -> dict[str, bytes]:
    """The files that `read_roster` reads, by name."""
    specs = {_name_of(member.spec): member.spec.model_dump(mode="json") for member in roster.members}
    making = {"specs": specs, "listed": roster.sides.listed, "near_duplicates": pairs_told(roster.sides.pairs)}
    space = roster.members[0].space
    told = {} if space is None else {"name": space.name, "digest": space.digest, "entries": list(space.entries)}
    return {
        MODELS: "".join(f"{line}\n" for line in _lines(roster)).encode(),
        MAKING: _indented(making),
        **({POSE_SPACE: _indented(told)} if told else {}),
    }


def pairs_told(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Near-duplicates as JSON has them."""
    return [{"models": [pair.a, pair.b], "likeness": pair.likeness, "same_geometry": pair.geometry} for pair in pairs]


def _indented(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def _name_of(spec: RenderSpec) -> str:
    return hashlib.sha256(spec.model_dump_json().encode()).hexdigest()[:_NAME_DIGITS]


def _lines(roster: Roster) -> list[str]:
    """A line for each model: what it is called, where it stands, whose it is, how it was drawn."""
    group = {model: place for place, models in enumerate(roster.sides.groups) for model in models}
    return [
        json.dumps(
            {
                "model": member.model,
                "org_id": member.org_id,
                "folder": member.folder,
                "split": roster.sides.of[member.model],
                "near_duplicates": group.get(member.model),
                "title": member.title,
                "creator": member.creator,
                "format": member.format,
                "licence": member.licence,
                "notices": member.notices,
                "samples": member.samples,
                "images": member.images,
                "target_morphs": list(member.targets),
                "renderer": member.renderer,
                "made_with": member.made_with.model_dump(),
                "spec": _name_of(member.spec),
                **({"pose_mask": list(member.space.mask)} if member.space is not None else {}),
            },
            ensure_ascii=False,
        )
        for member in roster.members
    ]


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Line(_Read):
    model: str = Field(pattern="^[0-9a-f]{64}$")
    folder: str
    split: Split
    title: str
    creator: str
    format: str
    licence: dict[str, str]
    notices: tuple[dict[str, str], ...]
    samples: int = Field(ge=0)
    images: int = Field(ge=0)
    target_morphs: tuple[str, ...]
    renderer: int
    made_with: MadeWith
    spec: str
    pose_mask: tuple[bool, ...] = ()


class _Pair(_Read):
    models: tuple[str, str]
    likeness: float
    same_geometry: bool


class _Making(_Read):
    specs: dict[str, RenderSpec]
    listed: bool
    near_duplicates: tuple[_Pair, ...]


class _Space(_Read):
    name: str
    digest: str
    entries: tuple[str, ...]


def read_roster(directory: Path, layout: str, gone: Container[str]) -> Roster:
    """The models of the export `directory` but for those of the hashes `gone`; it may come from elsewhere.

    Raises StorageError for files that are damaged, or that an earlier version wrote.
    """
    try:
        read = map(json.loads, read_file(directory / MODELS, MAX_MANIFEST_BYTES).splitlines())
        lines = [_Line.model_validate(line) for line in read if line["model"] not in gone]
        if not lines:
            return Roster(layout, (), Sides({}, (), (), (), ()))
        making = _Making.model_validate_json(read_file(directory / MAKING, MAX_MANIFEST_BYTES))
        space = None
        if (directory / POSE_SPACE).exists():
            space = _Space.model_validate_json(read_file(directory / POSE_SPACE, MAX_MANIFEST_BYTES))
        members = tuple(_listed(line, making.specs[line.spec], space) for line in lines)
    except (FileNotFoundError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise StorageError(
            f"{directory} does not say how its models were drawn: an earlier version exported it, or {MAKING} or {MODELS} "
            "is damaged. Export again."
        ) from error
    of = {line.model: line.split for line in lines}
    pairs = [
        Pair(*pair.models, pair.likeness, pair.same_geometry)
        for pair in making.near_duplicates
        if all(model in of for model in pair.models)
    ]
    together = tuple(group for group in groups(members, pairs) if len(group) > 1)
    parted = tuple(pair for pair in pairs if of[pair.a] != of[pair.b])
    return Roster(layout, members, Sides(of, tuple(pairs), together, parted, (), making.listed))


def _listed(line: _Line, spec: RenderSpec, space: _Space | None) -> ListedModel:
    return ListedModel(
        folder=line.folder,
        model=line.model,
        renderer=line.renderer,
        format=line.format,
        title=line.title,
        creator=line.creator,
        made_with=line.made_with,
        notices=line.notices,
        licence=line.licence,
        spec=spec,
        targets=line.target_morphs,
        samples=line.samples,
        images=line.images,
        space=None
        if space is None
        else SpaceRecord(name=space.name, digest=space.digest, entries=space.entries, mask=line.pose_mask, cast={}),
    )
