"""Models that were withdrawn, and stay out: a tombstone each, by content hash."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from farm.dataset.output import RenderedModel
from farm.errors import WithdrawnModelError
from farm.licences.decisions import append_line, read_lines

WITHDRAWN = "withdrawn.jsonl"


class Tombstone(BaseModel):
    """Why a model is gone for good."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(pattern="^[0-9a-f]{64}$")
    who: str = Field(min_length=1, max_length=200)
    when: AwareDatetime
    why: str = Field(min_length=1, max_length=2000)

    def error(self) -> WithdrawnModelError:
        """What whoever brings the model again is told."""
        return WithdrawnModelError(
            f"Model {self.model[:8]} was withdrawn on {self.when:%Y-%m-%d} by {self.who} ({self.why}), and is kept out. "
            "Leave it away."
        )


def tombstones(directory: Path) -> Mapping[str, Tombstone]:
    """Those of a rendered folder, by model. Raises StorageError for a damaged file."""
    return {stone.model: stone for stone in read_lines(directory / WITHDRAWN, Tombstone)}


def bury(directory: Path, stone: Tombstone) -> None:
    """Keep a model out of a rendered folder. A second tombstone changes nothing."""
    if stone.model not in tombstones(directory):
        append_line(directory / WITHDRAWN, stone)


def check_admitted(directory: Path, model: str) -> None:
    """Raises WithdrawnModelError for a model that was withdrawn from a rendered folder."""
    if (stone := tombstones(directory).get(model)) is not None:
        raise stone.error()


def admitted(directory: Path, models: Iterable[RenderedModel]) -> Iterator[RenderedModel]:
    """Those of a rendered folder's models that were not withdrawn: a copy may bring one back.

    Raises StorageError for a damaged file.
    """
    stones = tombstones(directory)
    return (model for model in models if model.manifest.model.id not in stones)
