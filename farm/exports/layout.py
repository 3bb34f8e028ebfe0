"""What a layout is: how rows become files."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from farm.dataset.output import RenderedModel
from farm.exports.destination import Destination
from farm.exports.members import Member
from farm.exports.plan import ExportPlan, Unit
from farm.exports.receipts import FileRecord, Receipt
from farm.exports.roster import Roster

type Tell = Callable[[int], None]
"""To be called with the number of pictures that were just written; raises when the export is to end."""


@dataclass(frozen=True, slots=True)
class Described:
    """What only a layout knows of a finished export, for its card and its metadata."""

    how_to_load: str
    """Markdown; POSE_SIZE in it stands for how many numbers a pose has."""
    front_matter: dict[str, Any]
    """What loaders read at the top of the card."""
    distribution: list[dict[str, Any]]
    """Croissant's file objects and file sets."""
    record_sets: list[dict[str, Any]]
    """Croissant's record sets."""
    last: dict[str, bytes]
    """Files that say, by being there, that all others are."""


@dataclass(frozen=True, slots=True)
class Shards:
    """The files of a layout that hold rows of many models each."""

    patterns: tuple[str, ...]
    """Of their names, below the export."""
    copy_without: Callable[[Path, Collection[str], Path], tuple[int, int]]
    """Copies the rows of a shard but for those of some models, by their hashes; returns how many are left and how many are
    not. Where either is 0 nothing is written. Raises StorageError for a shard that is damaged."""


class Layout(Protocol):
    """A form of a data set."""

    name: str

    @property
    def shards(self) -> Shards | None:
        """None where every picture is a file of its own."""

    @property
    def table_patterns(self) -> tuple[str, ...]:
        """Of the names of the files that `tables` writes, below the export."""

    def check(self, members: Sequence[Member]) -> None:
        """Raises SpecError, before anything is written, for models that the layout cannot hold."""

    def units(self, plan: ExportPlan) -> Iterable[Unit]:
        """What is written at a time."""

    def write(self, unit: Unit, models: Iterable[RenderedModel], target: Destination, tell: Tell) -> Receipt:
        """Write a unit; `models` are its members, in their order. Raises StorageError for what is damaged."""

    def tables(
        self, plan: ExportPlan, target: Destination, receipts: Callable[[], Iterable[Receipt]]
    ) -> dict[str, FileRecord]:
        """Write the files that span all units; `receipts` gives those of all units, in their order."""

    def describe(
        self,
        roster: Roster,
        files: Mapping[str, FileRecord],
        tables: Mapping[str, FileRecord],
        links: bool,
    ) -> Described:
        """What there is to say of an export: `files` are its shards and `tables` what `tables` wrote, by name, `links`
        whether pictures stand under several names.
        """
