"""What an export will write, decided before it writes: who is where, in which units, in which order."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from farm import __version__
from farm.dataset.splits import SPLITS, Split
from farm.exports.members import Member, total_bytes
from farm.exports.roster import Roster

SHARD_BYTES = 128 * 2**20
"""What a shard has by default; loaders like some 100 MB."""
_FORM = 2
"""Goes up when the same models make other files."""
_SHARDS_A_UNIT = 4
_MODELS_A_UNIT = 16
"""A unit ends when it has this many models and fills a shard, or when it fills 4 shards."""


@dataclass(frozen=True, slots=True)
class ExportPlan(Roster):
    """An export."""

    members: tuple[Member, ...]
    """By folder."""
    shard_bytes: int

    @property
    def fingerprint(self) -> str:
        """A hash of all that its bytes depend on."""
        content = {
            "facefarm": __version__,
            "form": _FORM,
            "layout": self.layout,
            "shard_bytes": self.shard_bytes,
            "members": [(m.folder, m.model, m.contents, self.sides.of[m.model]) for m in self.members],
            "pairs": [(pair.a, pair.b, pair.likeness, pair.geometry) for pair in self.sides.pairs],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Unit:
    """What is written at a time, whole or again."""

    name: str
    split: Split
    members: tuple[Member, ...]
    first: int = 0
    """The number of its first shard in its split."""
    shards: int = 0


def model_units(plan: ExportPlan) -> Iterator[Unit]:
    """A unit for each model."""
    for number, member in enumerate(plan.members):
        yield Unit(f"{number:06d}", plan.sides.of[member.model], (member,))


def shard_units(plan: ExportPlan) -> Iterator[Unit]:
    """Units of several models, taken in the order of a hash, and the shards that each fills.

    All rows of a unit are shuffled over its shards, so a shard holds many models and a writer few manifests.
    """
    for split in SPLITS:
        first = 0
        mine = sorted((member for member in plan.members if plan.sides.of[member.model] == split), key=_drawn)
        for number, members in enumerate(_blocks(mine, plan.shard_bytes)):
            shards = min(max(1, round(total_bytes(members) / plan.shard_bytes)), sum(m.keys for m in members))
            yield Unit(f"{split}-{number:05d}", split, tuple(members), first, shards)
            first += shards


def _blocks(members: Sequence[Member], shard_bytes: int) -> Iterator[list[Member]]:
    block: list[Member] = []
    for member in members:
        block.append(member)
        filled = total_bytes(block) / shard_bytes
        if filled >= _SHARDS_A_UNIT or (filled >= 1 and len(block) >= _MODELS_A_UNIT):
            yield block
            block = []
    if block:
        yield block


def shuffled(keys: Sequence[str]) -> list[int]:
    """The places of the keys in an order that depends on them alone; equal ones stay as they stand."""
    return sorted(range(len(keys)), key=lambda place: hashlib.sha256(f"order/{keys[place]}".encode()).digest())


def _drawn(member: Member) -> bytes:
    return hashlib.sha256(f"models/{member.model}".encode()).digest()
