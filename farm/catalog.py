"""What the farm has taken in, in the object store.

Models are ``models/<id>/package.zip`` and ``inventory.json``, backgrounds are ``backgrounds/<id>.png``, motions are
``motions/<id>/motion``, as they came, and ``about.json``, which goes last. Beside a model,
``annotation.json`` remembers what was decided to play what: a batch of thousands asks for nothing else. Both go by the file
alone, so that the same batch is always the same order; ``pictured.json`` has what pictures show of morphs, of those that move
no vertex or of all, once these were looked at, and the inventory that is decided with it.
``withdrawn/<id>.json`` is the tombstone of a model that is kept out.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from pydantic import BaseModel, ValidationError

from farm.backgrounds import Background
from farm.errors import ConflictError, NotFoundError, OutdatedModelError
from farm.licences.tombstones import Tombstone
from farm.models.casting import as_seen
from farm.models.inventory import Inventory
from farm.models.package import Package, to_bytes
from farm.morphs.decision import DECISION_VERSION
from farm.morphs.evidence import EVIDENCE_VERSION, PictureChange
from farm.morphs.refs import Annotation, packed, unpacked
from farm.reading.messages import MotionAbout
from farm.reading.readers import Model, Readers, ReadPicture
from farm.spec import RENDERER_VERSION
from farm.storage import ObjectStore

_ANNOTATION_FORMAT = 3
"""Of ``annotation.json``. In 1, which did not say so, morphs had no index; in 2 names alone decided."""


def kept_annotation(annotation: Annotation) -> bytes:
    """The bytes of ``annotation.json``."""
    kept = {
        "format": _ANNOTATION_FORMAT,
        "decided_by": DECISION_VERSION,
        "annotation": packed(annotation),
    }
    return json.dumps(kept, ensure_ascii=False).encode()


def pictures_version() -> str:
    """Changes whenever the picture of the same morph may be measured otherwise."""
    return f"{EVIDENCE_VERSION}.{RENDERER_VERSION}"


class _Pictured(BaseModel):
    """``pictured.json``."""

    version: str
    """`pictures_version` of the pictures."""
    pictures: dict[int, PictureChange]
    """By index of the morph."""
    inventory: Inventory
    """As these decide."""


class Catalog:
    """Models, backgrounds and motions by content hash. Every method raises ServiceError when the store does not answer."""

    def __init__(self, store: ObjectStore, readers: Readers | None = None) -> None:
        """`readers` read what has to be read again; None: one that is started when that happens, and ends with it."""
        self._store, self._readers = store, readers

    def add(self, package: Package) -> None:
        """Keep a model; one that is there already stays as it is, unless it is outdated, or came without its notices. The
        inventory goes last: it marks a whole model. Raises WithdrawnModelError.
        """
        self.check_admitted(package.id)
        held = self._usable(package.id)
        if held is None:
            self._store.put(f"models/{package.id}/package.zip", to_bytes(package))
            self._put_inventory(package.id, package.inventory)
        else:
            self._add_notices(package.id, package.inventory, held)

    def add_read(self, model: Model) -> None:
        """The same for a model that a reader read. Raises WithdrawnModelError."""
        self.check_admitted(model.id)
        held = self._usable(model.id)
        if held is None:
            self._store.put_file(f"models/{model.id}/package.zip", model.package)
            self._put_inventory(model.id, model.inventory)
        else:
            self._add_notices(model.id, model.inventory, held)

    def _add_notices(self, model_id: str, inventory: Inventory, held: Inventory) -> None:
        if inventory.notices and not held.notices:
            self._put_inventory(model_id, held.model_copy(update={"notices": inventory.notices}))

    def _usable(self, model_id: str) -> Inventory | None:
        try:
            return self.inventory(model_id)
        except (NotFoundError, OutdatedModelError):
            return None

    def _put_inventory(self, model_id: str, inventory: Inventory) -> None:
        self._store.put(_inventory_key(model_id), inventory.model_dump_json().encode())

    def inventory(self, model_id: str) -> Inventory:
        """What the model holds, decided by this version: where another did, a reader measures it again, once.

        Raises NotFoundError, WithdrawnModelError, and OutdatedModelError when an earlier version took it in and noted too
        little.
        """
        try:
            held = Inventory.model_validate_json(self._inventory_bytes(model_id))
        except ValidationError as error:
            raise OutdatedModelError(
                f"An earlier Facefarm took in model '{model_id}' and did not measure its morphs. Upload the same file again "
                "with POST /v1/models, as `farm render` and `farm submit` do by themselves."
            ) from error
        if held.decided_by != DECISION_VERSION:
            held = self._decided_again(model_id, held)
            self._put_inventory(model_id, held)
        return held

    def pictured(self, model_id: str) -> Inventory | None:
        """The inventory decided by pictures as well; None where none are kept, or of an earlier version. Raises what
        `inventory` raises.
        """
        kept = self._kept_pictures(model_id)
        if kept is None:
            return None
        if kept.inventory.decided_by != DECISION_VERSION:
            return self.keep_pictures(model_id, kept.pictures)
        return kept.inventory.model_copy(update={"notices": self.inventory(model_id).notices})

    def _kept_pictures(self, model_id: str) -> _Pictured | None:
        """None where there are none, or those of an earlier version."""
        try:
            kept = _Pictured.model_validate_json(self._store.get(_pictured_key(model_id)))
        except (NotFoundError, ValidationError):
            return None
        return kept if kept.version == pictures_version() else None

    def keep_pictures(self, model_id: str, pictures: Mapping[int, PictureChange]) -> Inventory:
        """Keep what morphs change in the picture, by index, beside what is kept of others; the inventory decided by it all.

        Raises what `inventory` raises.
        """
        before = self._kept_pictures(model_id)
        pictures = (before.pictures if before is not None else {}) | dict(pictures)
        found = self._decided_again(model_id, self.inventory(model_id), pictures)
        kept = _Pictured(version=pictures_version(), pictures=dict(pictures), inventory=found)
        self._store.put(_pictured_key(model_id), kept.model_dump_json().encode())
        return found

    def proposals(self, model_id: str) -> Inventory:
        """The inventory with what is proposed to people: by pictures as well, as far as they are kept (`Inventory.pictured`
        says of which morphs). Raises what `inventory` raises.
        """
        found = self.pictured(model_id)
        return self.inventory(model_id) if found is None else as_seen(found)

    def pictures_sizes(self, model_ids: Sequence[str]) -> list[int]:
        """Bytes of what is kept of pictures of each model, of whatever version: grows with more of them. 0: nothing."""
        keys = [_pictured_key(model_id) for model_id in model_ids]
        sizes = self._store.sizes(keys)
        return [sizes.get(key, 0) for key in keys]

    def _decided_again(
        self, model_id: str, held: Inventory, pictures: Mapping[int, PictureChange] | None = None
    ) -> Inventory:
        """The file is a stranger's still, however long we have had it."""
        package = self.package(model_id)
        if self._readers is not None:
            return self._readers.decided(model_id, held, package, pictures)
        with closing(Readers(1)) as readers:
            return readers.decided(model_id, held, package, pictures)

    def _inventory_bytes(self, model_id: str) -> bytes:
        try:
            return self._store.get(_inventory_key(model_id))
        except NotFoundError as error:
            self.check_admitted(model_id)
            raise NotFoundError(f"There is no model '{model_id}'; upload it first with POST /v1/models.") from error

    def annotation(self, model_id: str) -> Annotation:
        """The annotation that was decided for the model. Raises what `inventory` raises."""
        key = f"models/{model_id}/annotation.json"
        try:
            kept = json.loads(self._store.get(key))
            if (kept.get("format"), kept.get("decided_by")) == (_ANNOTATION_FORMAT, DECISION_VERSION):
                return unpacked(kept["annotation"])
        except NotFoundError:
            pass
        annotation = self.inventory(model_id).annotation
        self._store.put(key, kept_annotation(annotation))
        return annotation

    def models(self, after: str, limit: int) -> list[str]:
        """The ids of models, sorted: `limit` of those behind `after` (empty: from the first)."""
        return self._store.folders("models/", after, limit)

    def remove(self, model_id: str, in_use: Callable[[], bool]) -> None:
        """Forget a model. Raises NotFoundError, and ConflictError while something needs it.

        The inventory goes first: without it no batch can name the model, so that `in_use` cannot change its mind.
        """
        inventory = self._inventory_bytes(model_id)
        self._store.delete(f"models/{model_id}/annotation.json")
        self._store.delete(_inventory_key(model_id))
        if in_use():
            self._store.put(_inventory_key(model_id), inventory)
            raise ConflictError(
                f"Jobs that have not ended need model {model_id}; cancel their batches or wait for them."
            )
        self._store.delete_all(f"models/{model_id}/")

    def withdraw(self, stone: Tombstone) -> Tombstone:
        """Keep a model out from now on, and remove it; the tombstone that stands: a second one changes nothing.

        Jobs that need the model fail afterwards: `farm.jobs.withdrawal` cancels them before.
        """
        self._store.put_new(_tombstone_key(stone.model), stone.model_dump_json().encode())
        self._store.delete(_inventory_key(stone.model))
        self._store.delete_all(f"models/{stone.model}/")
        return Tombstone.model_validate_json(self._store.get(_tombstone_key(stone.model)))

    def check_admitted(self, model_id: str) -> None:
        """Raises WithdrawnModelError for a model that was withdrawn."""
        try:
            data = self._store.get(_tombstone_key(model_id))
        except NotFoundError:
            return
        raise Tombstone.model_validate_json(data).error()

    def package(self, model_id: str) -> bytes:
        """The model's package, as `farm.models.package.unfold` takes it. Raises NotFoundError."""
        return self._store.get(f"models/{model_id}/package.zip")

    def add_background(self, background: Background) -> None:
        """Keep a background; one that is there already stays as it is."""
        if not self.has_background(background.id):
            self._store.put(_background_key(background.id), background.png)

    def add_picture(self, picture: ReadPicture) -> None:
        """The same for one that a reader read."""
        if not self.has_background(picture.about.id):
            self._store.put_file(_background_key(picture.about.id), picture.file)

    def add_motion(self, about: MotionAbout, file: Path) -> None:
        """Keep a motion that a reader read; one that is there already stays as it is. What is said of it goes last."""
        if not self.has_motion(about.id):
            self._store.put_file(_motion_key(about.id), file)
            self._store.put(_about_motion_key(about.id), about.model_dump_json().encode())

    def has_motion(self, motion_id: str) -> bool:
        """Whether the motion was taken in."""
        return self._store.exists(_about_motion_key(motion_id))

    def about_motion(self, motion_id: str) -> MotionAbout:
        """What a motion holds. Raises NotFoundError."""
        try:
            return MotionAbout.model_validate_json(self._store.get(_about_motion_key(motion_id)))
        except NotFoundError as error:
            raise unknown_motion(motion_id) from error

    def motion(self, motion_id: str) -> bytes:
        """The motion's file. Raises NotFoundError."""
        try:
            return self._store.get(_motion_key(motion_id))
        except NotFoundError as error:
            raise unknown_motion(motion_id) from error

    def has_background(self, background_id: str) -> bool:
        """Whether the background was taken in."""
        return self._store.exists(_background_key(background_id))

    def background(self, background_id: str) -> bytes:
        """The background as PNG, RGB. Raises NotFoundError."""
        try:
            return self._store.get(_background_key(background_id))
        except NotFoundError as error:
            raise unknown_background(background_id) from error


def unknown_motion(motion_id: str) -> NotFoundError:
    """The error for a motion that nobody uploaded."""
    return NotFoundError(f"There is no motion '{motion_id}'; upload it first with POST /v1/motions.")


def unknown_background(background_id: str) -> NotFoundError:
    """The error for a background that nobody uploaded."""
    return NotFoundError(f"There is no background '{background_id}'; upload it first with POST /v1/backgrounds.")


def _tombstone_key(model_id: str) -> str:
    return f"withdrawn/{model_id}.json"


def _inventory_key(model_id: str) -> str:
    return f"models/{model_id}/inventory.json"


def _pictured_key(model_id: str) -> str:
    return f"models/{model_id}/pictured.json"


def _motion_key(motion_id: str) -> str:
    return f"motions/{motion_id}/motion"


def _about_motion_key(motion_id: str) -> str:
    return f"motions/{motion_id}/about.json"


def _background_key(background_id: str) -> str:
    return f"backgrounds/{background_id}.png"
