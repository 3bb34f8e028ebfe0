"""Versions of something, in the object store: an object each, written once and never changed.

Version n + 1 can only be put where nothing is yet, so of two who saw version n one writes it and the other hears of it:
nothing is lost and nothing overwritten. A lock in Redis stands before that for the few S3 servers that do not know
conditional puts. Redis may be lost: the truth is here.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from pydantic import BaseModel, ValidationError

from farm.errors import StorageError
from farm.storage import ObjectStore
from farm.wording import mistake

type Lock = Callable[[str], AbstractContextManager[object]]
"""Gives the lock of a name, which one process of the farm holds at a time."""

_FEW = 64
"""Folders that are asked for one by one; of more, it is quicker to list all that there are."""
_PAGE = 1000
_LAST = 99_999_999
"""Keys count down from here, so that a listing begins with the youngest version."""


class Journal[V: BaseModel]:
    """The versions, numbered from 1, in the folder `folder` of `store`. Every method raises ServiceError when the store
    does not answer, and StorageError for a version that is damaged."""

    def __init__(self, store: ObjectStore, folder: str, kind: type[V]) -> None:
        self._store, self._folder, self._kind = store, folder, kind

    def _key(self, version: int) -> str:
        return f"{self._folder}/{_LAST - version:08d}.json"

    def youngest(self) -> int:
        """The number of the youngest version; 0 when there is none."""
        return next(iter(self.numbers(0, 1)), 0)

    def numbers(self, before: int, limit: int) -> list[int]:
        """Numbers of versions, youngest first: `limit` of those below `before` (0: from the youngest)."""
        after = self._key(before) if before else ""
        keys = self._store.list(f"{self._folder}/", after, limit)
        return [_LAST - int(key.rpartition("/")[2].removesuffix(".json")) for key in keys]

    def read(self, version: int) -> V:
        """One version. Raises NotFoundError."""
        data = self._store.get(self._key(version))
        try:
            return self._kind.model_validate_json(data)
        except ValidationError as error:
            raise StorageError(
                f"{self._key(version)} is damaged, or a later Facefarm wrote it: {mistake(error.errors()[0])}. Restore it "
                "from a backup, or remove it to go back to the version before."
            ) from error

    def add(self, version: int, entry: V) -> bool:
        """Write a version; False when somebody has written it before."""
        return self._store.put_new(self._key(version), entry.model_dump_json().encode())

    def page(self, before: int, limit: int) -> list[V]:
        """Versions, youngest first: `limit` of those below `before` (0: from the youngest)."""
        return [self.read(number) for number in self.numbers(before, limit)]

    def change(self, make: Callable[[V | None], V | None], number_of: Callable[[V], int]) -> V | None:
        """Write what `make` makes of the youngest version (None: there is none yet); returns the youngest then.

        `make` gives None to leave all as it is, or raises; it is called again when another writer was faster. `number_of`
        tells a version's number. The caller holds the lock.
        """
        while True:
            number = self.youngest()
            present = self.read(number) if number else None
            made = make(present)
            if made is None:
                return present
            if self.add(number_of(made), made):
                return made


def present(store: ObjectStore, prefix: str, names: Sequence[str]) -> set[str]:
    """Those of `names` that are folders right under `prefix`. Raises ServiceError when the store does not answer."""
    if len(names) <= _FEW:
        return {name for name in names if store.list(f"{prefix}{name}/", "", 1)}
    wanted, found, last = set(names), set[str](), ""
    while page := store.folders(prefix, last, _PAGE):
        found |= wanted & set(page)
        last = page[-1]
    return found
