"""What the farm has taken in, in the object store.

Models are ``models/<id>/package.zip`` and ``inventory.json``, backgrounds are ``backgrounds/<id>.png``.
"""

from farm.backgrounds import Background
from farm.errors import NotFoundError
from farm.models.inventory import Inventory
from farm.models.package import Package, to_bytes
from farm.storage import ObjectStore


class Catalog:
    """Models and backgrounds by content hash. Every method raises ServiceError when the store does not answer."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def add(self, package: Package) -> None:
        """Keep a model; one that is there already stays as it is. The inventory goes last: it marks a whole model."""
        key = f"models/{package.id}"
        if not self._store.exists(f"{key}/inventory.json"):
            self._store.put(f"{key}/package.zip", to_bytes(package))
            self._store.put(f"{key}/inventory.json", package.inventory.model_dump_json().encode())

    def inventory(self, model_id: str) -> Inventory:
        """What the model holds. Raises NotFoundError."""
        try:
            return Inventory.model_validate_json(self._store.get(f"models/{model_id}/inventory.json"))
        except NotFoundError as error:
            raise NotFoundError(f"There is no model '{model_id}'; upload it first with POST /v1/models.") from error

    def package(self, model_id: str) -> bytes:
        """The model's package, as `farm.models.package.unfold` takes it. Raises NotFoundError."""
        return self._store.get(f"models/{model_id}/package.zip")

    def add_background(self, background: Background) -> None:
        """Keep a background; one that is there already stays as it is."""
        if not self.has_background(background.id):
            self._store.put(_background_key(background.id), background.png)

    def has_background(self, background_id: str) -> bool:
        """Whether the background was taken in."""
        return self._store.exists(_background_key(background_id))

    def background(self, background_id: str) -> bytes:
        """The background as PNG, RGB. Raises NotFoundError."""
        try:
            return self._store.get(_background_key(background_id))
        except NotFoundError as error:
            raise unknown_background(background_id) from error


def unknown_background(background_id: str) -> NotFoundError:
    """The error for a background that nobody uploaded."""
    return NotFoundError(f"There is no background '{background_id}'; upload it first with POST /v1/backgrounds.")


def _background_key(background_id: str) -> str:
    return f"backgrounds/{background_id}.png"
