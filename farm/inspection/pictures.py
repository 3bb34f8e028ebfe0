"""The pictures of inspections in the object store, and having those drawn that are not there yet.

``renders/<key>/inspection.json`` and ``sprite.webp``: like every result they are found by content, so that a model that is in
two collections, or comes again, is drawn once. They are asked for when somebody opens the page of a collection, not when a
model comes in: most models are rendered by their proposals and nobody ever looks at them, and those who do look wait for
the first model only.
"""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from farm.catalog import Catalog
from farm.dataset.manifest import result_object
from farm.errors import NotFoundError, OutdatedModelError, StorageError, WithdrawnModelError
from farm.inspection.record import SIZE, DrawnInspection, Inspection, picture_count, picture_version
from farm.jobs.batches import Batch
from farm.jobs.orders import OrderedModel
from farm.jobs.store import JobStore
from farm.jobs.submission import BatchControl
from farm.jobs.withdrawal import INSPECTION
from farm.spec import RenderSpec
from farm.storage import ObjectStore

RECORD, SPRITE = INSPECTION, "sprite.webp"
_ASKING = 16
"""Questions to the store at a time."""
_SPEC = RenderSpec(samples=1, size=SIZE, styles=("flat",))
"""Of the batch, for whoever looks at it: what is drawn is fixed by `farm.inspection.drawing`."""


def inspection_key(model: str) -> str:
    """The name of a model's inspection among the results (64 hex digits), as this version draws it."""
    content = json.dumps({"inspection": picture_version(), "model": model}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


class KeptPictures:
    """What is drawn. Every method raises ServiceError when the store does not answer."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._there: set[str] = set()
        """Models whose pictures were seen; they never change."""

    def drawn(self, models: Sequence[str]) -> set[str]:
        """Those of `models` that this version has drawn."""
        unknown = [model for model in models if model not in self._there]
        there = self._store.sizes([_key(model, RECORD) for model in unknown])
        self._there |= {model for model in unknown if _key(model, RECORD) in there}
        return self._there & set(models)

    def keep(self, pictures: DrawnInspection) -> None:
        """Keep the pictures of a model: the sprite, then the record, which says that both are whole."""
        model = pictures.inspection.model
        self._store.put(_key(model, SPRITE), pictures.sprite)
        self._store.put(_key(model, RECORD), pictures.inspection.model_dump_json().encode())

    def record(self, model: str) -> Inspection:
        """A model's inspection. Raises NotFoundError when it is not drawn, StorageError when it is damaged."""
        try:
            data = self._store.get(_key(model, RECORD))
        except NotFoundError as error:
            raise NotFoundError(
                f"The pictures of model {model} are not drawn yet. The page of a collection that has it has them drawn."
            ) from error
        try:
            return Inspection.model_validate_json(data)
        except ValidationError as error:
            raise StorageError(
                f"{_key(model, RECORD)} is damaged: remove it, and open the model's collection again."
            ) from error

    def sprite(self, model: str) -> str:
        """The store's key of a model's sprite."""
        return _key(model, SPRITE)


class Asked(BaseModel):
    """The batch that was last asked for, in ``annotations/collections/<name>/pictures.json``."""

    model_config = ConfigDict(extra="forbid")

    batch: str


@dataclass(frozen=True, slots=True)
class PictureStanding:
    """How far the pictures of a collection are."""

    models: int
    missing: tuple[str, ...]
    """Models without pictures."""
    batch: Batch | None
    """What draws them, or did last; None: nobody asked, or it is forgotten."""


class PictureOrders:
    """Has the pictures of collections drawn. Every method raises ServiceError when the store or Redis does not answer."""

    def __init__(
        self, store: ObjectStore, pictures: KeptPictures, catalog: Catalog, jobs: JobStore, batches: BatchControl
    ) -> None:
        self._store, self._pictures, self._catalog = store, pictures, catalog
        self._jobs, self._batches = jobs, batches

    def standing(self, collection: str, models: Sequence[str]) -> PictureStanding:
        """How far the pictures of a collection of `models` are."""
        there = self._pictures.drawn(models)
        missing = tuple(model for model in models if model not in there)
        try:
            asked = Asked.model_validate_json(self._store.get(_asked(collection)))
            return PictureStanding(len(models), missing, self._jobs.batch(asked.batch))
        except NotFoundError:
            return PictureStanding(len(models), missing, None)

    def ask(self, collection: str, models: Sequence[str]) -> PictureStanding:
        """Have those drawn that are missing, unless that is under way. Models that are gone are left out.

        Of several who ask at once, one makes the batch.
        """
        now = self.standing(collection, models)
        if not now.missing or (now.batch is not None and not now.batch.ended):
            return now
        with ThreadPoolExecutor(_ASKING) as pool:
            wanted = [found for found in pool.map(self._ordered, now.missing) if found is not None]
        if not wanted:
            return now
        before = now.batch.id if now.batch else ""
        key = json.dumps(["inspection", collection, picture_version(), before, [one.model for one in wanted]])
        batch = self._batches.submit_pictures(f"pictures to annotate {collection} by", _SPEC, wanted, key)
        self._store.put(_asked(collection), Asked(batch=batch.id).model_dump_json().encode())
        return PictureStanding(now.models, now.missing, batch)

    def _ordered(self, model: str) -> OrderedModel | None:
        try:
            inventory = self._catalog.inventory(model)
        except (NotFoundError, OutdatedModelError, WithdrawnModelError):
            return None
        return OrderedModel(
            model=model,
            name=inventory.title or model[:8],
            annotation={},
            render_key=inspection_key(model),
            pictures=picture_count(inventory),
        )


def _key(model: str, file: str) -> str:
    return result_object(inspection_key(model), file)


def _asked(collection: str) -> str:
    return f"annotations/collections/{collection}/pictures.json"
