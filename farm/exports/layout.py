"""What a layout is: how rows become files."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from farm.dataset.output import RenderedModel
from farm.exports.destination import Destination
from farm.exports.members import Member
from farm.exports.plan import ExportPlan, Unit
from farm.exports.receipts import FileRecord, Receipt

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
    tables: dict[str, FileRecord]
    """Files that span all units, by name; written already."""
    last: dict[str, bytes]
    """Files that say, by being there, that all others are."""


class Layout(Protocol):
    """A form of a data set."""

    name: str

    def check(self, members: Sequence[Member]) -> None:
        """Raises SpecError, before anything is written, for models that the layout cannot hold."""

    def units(self, plan: ExportPlan) -> Iterable[Unit]:
        """What is written at a time."""

    def write(self, unit: Unit, models: Iterable[RenderedModel], target: Destination, tell: Tell) -> Receipt:
        """Write a unit; `models` are its members, in their order. Raises StorageError for what is damaged."""

    def finish(self, plan: ExportPlan, target: Destination, receipts: Callable[[], Iterable[Receipt]]) -> Described:
        """Write what spans all units; `receipts` gives those of all units, in their order."""
