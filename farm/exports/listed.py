"""A model as a data set tells of it: what its card, its metadata and its list of models say."""

from dataclasses import dataclass

from farm.dataset.manifest import MadeWith, SpaceRecord
from farm.dataset.tables import org_id
from farm.spec import RenderSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    """One model of a data set, without what only making it needs."""

    folder: str
    model: str
    """Its content hash."""
    renderer: int
    format: str
    title: str
    creator: str
    made_with: MadeWith
    notices: tuple[dict[str, str], ...]
    """Name and hash of each readme and licence file beside the model; the manifest has their text."""
    licence: dict[str, str]
    spec: RenderSpec
    targets: tuple[str, ...]
    """The target morphs that its samples play."""
    samples: int
    images: int
    space: SpaceRecord | None
    """The pose space of its rows; None: the paper's."""

    @property
    def keys(self) -> int:
        """Rows: samples times partitions times views."""
        return self.images // max(1, len(self.spec.styles))

    @property
    def org_id(self) -> str:
        """What the AnimeCeleb release calls a model: a decimal number, which readers in the wild put into queries."""
        return org_id(self.model)
