"""Models that come in: as files, by offered places of an S3 server, and as objects that stand there already.

Bytes of thousands of models need not pass through the API one form at a time: a client asks for presigned addresses,
puts the files there, and names the objects to be taken in. Buckets other than the farm's own are read only when
FARM_IMPORT_BUCKETS names them, or anybody with a key could read whatever the farm's credentials open.
"""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

from farm.catalog import Catalog
from farm.errors import (
    ConflictError,
    FarmError,
    ModelFormatError,
    NotFoundError,
    ServiceError,
    SpecError,
    StorageError,
    WithdrawnModelError,
)
from farm.models.files import SUFFIXES
from farm.models.incoming import Refusal
from farm.models.inventory import Inventory
from farm.models.package import MAX_MODEL_BYTES
from farm.reading.readers import Readers
from farm.settings import Settings
from farm.storage import ObjectStore
from farm.storage.addresses import Place, named_object, parsed

FOLDER = "uploads/"
OFFER_SECONDS = 3600
"""How long an offered address takes a file."""
KEPT_SECONDS = 24 * 3600
"""How long after the offer the file may be taken in."""
_MADE = re.compile(r"^([0-9]{10})-")
_NAME_BYTES = 150
_PLACE = re.compile(r"^[0-9]+-")


class StoreHasNoUrls(ConflictError):
    """The store is a directory: nobody can put files there over HTTP."""

    code = "store-has-no-urls"


@dataclass(frozen=True, slots=True)
class Offer:
    """An address that takes one file by HTTP PUT."""

    name: str
    object: str
    """``s3://bucket/key``, for `Intake.take_in` once the file is there."""
    url: str
    headers: dict[str, str]
    """To be sent with the bytes: they are part of what was signed."""
    expires: datetime


@dataclass(frozen=True, slots=True)
class TakenModel:
    """A model that the farm has now."""

    id: str
    name: str
    inventory: Inventory


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of a file, or of a list of objects."""

    models: tuple[TakenModel, ...]
    refusals: tuple[Refusal, ...]
    """By object; the name of a model inside a zip stands behind that of its object."""


class Intake:
    """Takes models in. Every method raises ServiceError when the store does not answer, and BusyError."""

    def __init__(
        self, settings: Settings, store: ObjectStore, catalog: Catalog, readers: Readers, import_buckets: str = ""
    ) -> None:
        self._settings, self._store, self._catalog, self._readers = settings, store, catalog, readers
        address = parsed(settings.storage_url)
        self._place = address if isinstance(address, Place) else None
        self._others = {name.strip() for name in import_buckets.split(",")} - {""}

    def offer(self, files: Sequence[tuple[str, int]]) -> list[Offer]:
        """An address for each file name and number of bytes: it takes as many, once. Raises StoreHasNoUrls, and
        ModelFormatError for a name of no model."""
        if self._place is None:
            raise StoreHasNoUrls(
                "The farm's store is a directory and has no addresses to upload to; send the files to POST /v1/models."
            )
        for name, _ in files:
            _check_suffix(name)
        now = datetime.now(UTC).replace(microsecond=0)
        folder = f"{FOLDER}{int(now.timestamp()):010}-{secrets.token_hex(8)}/"
        expires = now + timedelta(seconds=OFFER_SECONDS)
        offers = []
        for place, (name, size) in enumerate(files):
            key = f"{folder}{place}-{_clean(name)}"
            signed = self._store.presigned_put(key, OFFER_SECONDS, size)
            assert signed is not None
            offers.append(Offer(name, self._place.url(key), signed.url, signed.headers, expires))
        return offers

    def sweep(self) -> int:
        """Remove what was offered a place long ago, and whatever came of it; how many objects.

        The folders' names say when that was; those that say nothing are of a version whose offers are long over.
        """
        horizon = datetime.now(UTC).timestamp() - KEPT_SECONDS
        count, last = 0, ""
        while folders := self._store.folders(FOLDER, last):
            for folder in folders:
                if not (made := _MADE.match(folder)) or int(made[1]) < horizon:
                    count += self._store.delete_all(f"{FOLDER}{folder}/")
            last = folders[-1]
        return count

    def take_in(self, objects: Iterable[str]) -> TakenIn:
        """Read the objects and keep their models. Of those that were uploaded to an offer an empty object is left: it keeps
        the offered address from taking another file, until `sweep` removes it.

        An object that cannot be used is among the refusals, and stays where it is.
        """
        models: list[TakenModel] = []
        refusals: list[Refusal] = []
        for name in objects:
            try:
                taken = self._take_one(name)
            except ServiceError:
                raise  # it says nothing about the object
            except FarmError as error:
                refusals.append(Refusal(name, error))
                continue
            models += taken.models
            refusals += [Refusal(f"{name}/{refusal.name}", refusal.error) for refusal in taken.refusals]
        return TakenIn(tuple(models), tuple(refusals))

    def take_file(self, name: str, source: Iterable[bytes]) -> TakenIn:
        """Keep the models of a file. Raises the error of the first that is refused when none can be used."""
        with self._readers.models(name, source) as reading:
            models: list[TakenModel] = []
            withdrawn: list[Refusal] = []
            for model in reading.each():
                try:
                    self._catalog.add_read(model)
                except WithdrawnModelError as error:
                    withdrawn.append(Refusal(model.name, error))
                else:
                    models.append(TakenModel(model.id, model.name, model.inventory))
        refusals = (*(Refusal(refused, error) for refused, error in reading.refused), *withdrawn)
        if not models:
            raise refusals[0].error
        return TakenIn(tuple(models), refusals)

    def _take_one(self, name: str) -> TakenIn:
        store, own, key = self._located(name)
        _check_suffix(key)
        size, offered = store.size(key), own and key.startswith(FOLDER)
        if offered and not size:
            raise ConflictError("This object was taken in already. Ask for another address to upload a file again.")
        if size > MAX_MODEL_BYTES:
            raise ModelFormatError(f"The object is larger than the limit of {MAX_MODEL_BYTES // 2**20} MiB.")
        # It may grow between the question and the reading.
        data = store.stream(key, 0, MAX_MODEL_BYTES)
        file_name = PurePosixPath(key).name
        taken = self.take_file(_PLACE.sub("", file_name) if offered else file_name, data)
        if offered:
            store.put(key, b"")
        return taken

    def _located(self, name: str) -> tuple[ObjectStore, bool, str]:
        try:
            bucket, key = named_object(name)
        except StorageError as error:
            raise SpecError(str(error)) from error
        own = self._place
        if own is not None and name.startswith(own.url("")):
            return self._store, True, key.removeprefix(own.prefix)
        if bucket not in self._others:
            where = f" outside of '{own.prefix}'" if own is not None and bucket == own.bucket else ""
            raise NotFoundError(
                f"The farm reads no bucket '{bucket}'{where}; its operator can name it in FARM_IMPORT_BUCKETS."
            )
        from farm.storage.s3 import S3Store  # only here: its client is slow to import

        return S3Store(bucket, self._settings), False, key


def _check_suffix(name: str) -> None:
    if PurePosixPath(name).suffix.lower() not in (*SUFFIXES, ".zip"):
        raise ModelFormatError(f"'{name}' is no model by its name; it must end in {', '.join(SUFFIXES)} or .zip.")


def _clean(name: str) -> str:
    """The last part of a file name with nothing in it that a key, an address or a shell would take amiss."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    path = PurePosixPath(re.sub(r"[^\w.-]", "_", last))
    stem = path.stem.encode("utf-8", "replace")[:_NAME_BYTES].decode("utf-8", "ignore")
    return f"{stem}{path.suffix}"
