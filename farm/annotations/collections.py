"""Collections and their verdicts, in the object store.

annotations/collections/<name>/collection.json  the models; written once
annotations/collections/<name>/verdicts/…       a version each, see `farm.annotations.groups`
annotations/members/<model>/<name>.json         a mark: the model is in the collection
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock as ThreadLock

from farm import metrics
from farm.annotations.groups import Collection, GroupEntry, GroupState, GroupVerdict, RowKey
from farm.annotations.journal import Journal, Lock, present
from farm.annotations.verdicts import Saying, stale
from farm.errors import ConflictError, NotFoundError
from farm.storage import ObjectStore
from farm.wording import counted

MAX_COLLECTIONS = 1000
MAX_MODELS = 10_000
"""In one collection."""
_MEMBERS = "annotations/members/"
_ASKING = 16
"""Questions to the store at a time."""
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict that somebody wants to stand."""

    key: RowKey
    seen: int | None
    """The version of the row's verdict that they saw (0: none); None: whatever stands."""
    target: str | None
    exceptions: tuple[str, ...] = ()
    decided: bool = True


class Collections:
    """The collections. Every method raises ServiceError when the store or Redis does not answer.

    Collections are remembered between calls, as they never change; what stands is, too, and brought up to date by each.
    """

    def __init__(self, store: ObjectStore, lock: Lock) -> None:
        self._store, self._lock = store, lock
        self._known: dict[str, Collection] = {}
        self._states: dict[str, GroupState] = {}
        self._guard = ThreadLock()

    def create(self, collection: Collection) -> Collection:
        """Keep a collection. The same models under the same name are the collection that is there.

        Raises ConflictError when the name stands for other models, or there are too many collections.
        """
        names = self.names()
        if len(names) >= MAX_COLLECTIONS and collection.name not in names:
            raise ConflictError(f"There are {MAX_COLLECTIONS} collections, which is the limit; use one of them.")
        with ThreadPoolExecutor(_ASKING) as pool:  # first the marks: one without its collection does no harm
            for mark in [pool.submit(self._store.put, _mark(m, collection.name), b"{}") for m in collection.models]:
                mark.result()
        if self._store.put_new(_definition(collection.name), collection.model_dump_json().encode()):
            metrics.ANNOTATIONS.inc("collection")
            return collection
        there = self.read(collection.name)
        if set(there.models) != set(collection.models):
            raise ConflictError(
                f"There is a collection '{collection.name}' of {counted(len(there.models), 'other model')}, made by "
                f"{there.who}. Take another name."
            )
        return there

    def names(self) -> list[str]:
        """The names of all collections, sorted."""
        return self._store.folders("annotations/collections/", "", MAX_COLLECTIONS)

    def of_model(self, model: str) -> list[str]:
        """The names of the collections that the model is in, sorted."""
        folder = f"{_MEMBERS}{model}/"
        marked = [
            key.removeprefix(folder).removesuffix(".json") for key in self._store.list(folder, "", MAX_COLLECTIONS)
        ]
        return [name for name in marked if self._holds(name, model)]

    def members(self, models: Sequence[str]) -> set[str]:
        """Those of `models` that may be in a collection."""
        return present(self._store, _MEMBERS, models)

    def _holds(self, name: str, model: str) -> bool:
        try:
            return model in self.read(name).models
        except NotFoundError:
            return False  # it was never finished

    def read(self, name: str) -> Collection:
        """A collection. Raises NotFoundError."""
        with self._guard:
            known = self._known.get(name)
        if known is not None:
            return known
        try:
            found = Collection.model_validate_json(self._store.get(_definition(name)))
        except NotFoundError as error:
            raise NotFoundError(
                f"There is no collection '{name}'; make it with POST /v1/annotations/collections."
            ) from error
        with self._guard:
            self._known[name] = found
        return found

    def state(self, name: str) -> GroupState:
        """The verdicts that stand; of a collection that is not there, none."""
        with self._guard:
            known = self._states.get(name, GroupState())
        journal, missing = self._journal(name), list[GroupEntry]()
        before = 0
        while numbers := [number for number in journal.numbers(before, _PAGE) if number > known.version]:
            with ThreadPoolExecutor(_ASKING) as pool:
                page = list(pool.map(journal.read, numbers))
            whole = next((place for place, entry in enumerate(page) if entry.standing is not None), None)
            if whole is not None:
                missing += page[: whole + 1]
                break
            missing += page
            before = numbers[-1]
        state = known.followed_by(reversed(missing))
        with self._guard:
            if state.version >= self._states.get(name, GroupState()).version:
                self._states[name] = state
        return state

    def change(self, name: str, changes: Sequence[Change], saying: Saying) -> tuple[GroupState, int]:
        """Let `changes` stand, all of them or none; what stands then, and how many of them were new.

        Raises NotFoundError, and StaleVersionError, which tells who changed what meanwhile.
        """
        self.read(name)

        def wanted(state: GroupState) -> list[GroupVerdict]:
            outdated = [change for change in changes if not _is_fresh(change, state)]
            if outdated:
                first = outdated[0]
                now = state.of(first.key)
                told = [_told(verdict) for change in outdated if (verdict := state.of(change.key))]
                raise stale(
                    first.seen or 0, now.version if now else 0, told, f"'{first.key[0]}' in collection '{name}'"
                )
            new = [_verdict(change, saying) for change in changes]
            return [verdict for verdict in new if not verdict.same_as(state.of(verdict.key))]

        return self._write(name, wanted, saying)

    def undo(self, name: str, key: RowKey, seen: int | None, saying: Saying) -> GroupState:
        """Bring back the verdict of before on one row, as a new version; again, and that of before that comes back.

        Raises ConflictError when there is nothing to undo, and StaleVersionError.
        """
        self.read(name)

        def wanted(state: GroupState) -> list[GroupVerdict]:
            now = state.of(key)
            if now is None or now.restores == 0:
                raise ConflictError(f"Nothing is left to undo: nobody had said anything of '{key[0]}' before.")
            if seen is not None and seen != now.version:
                raise stale(seen, now.version, [_told(now)], f"'{key[0]}' in collection '{name}'")
            origin = now if now.restores is None else self._said(name, now.restores, key)
            if origin.replaces == 0:
                back, restored = now.model_copy(update={"decided": False, "target": None, "exceptions": ()}), 0
            else:
                back = self._said(name, origin.replaces, key)
                restored = back.version if back.restores is None else back.restores
            return [back.model_copy(update={**saying.model_dump(), "restores": restored})]

        return self._write(name, wanted, saying)[0]

    def history(self, name: str, before: int, limit: int) -> list[GroupEntry]:
        """Changes, youngest first: `limit` of those below version `before` (0: from the youngest). Raises NotFoundError."""
        self.read(name)
        return self._journal(name).page(before, limit)

    def _write(
        self, name: str, wanted: Callable[[GroupState], list[GroupVerdict]], saying: Saying
    ) -> tuple[GroupState, int]:
        with self._lock(f"annotations/collections/{name}"):
            while True:
                state = self.state(name)
                new = wanted(state)
                if not new:
                    return state, 0
                entry = state.next_entry(new, saying)
                if self._journal(name).add(entry.version, entry):
                    metrics.ANNOTATIONS.inc("names", by=len(new))
                    return self.state(name), len(new)

    def _said(self, name: str, version: int, key: RowKey) -> GroupVerdict:
        entry = self._journal(name).read(version)
        return next(verdict for verdict in entry.verdicts if verdict.key == key)

    def _journal(self, name: str) -> Journal[GroupEntry]:
        return Journal(self._store, f"annotations/collections/{name}/verdicts", GroupEntry)


def applied(collections: Collections, model: str) -> Mapping[str, GroupState]:
    """What stands in every collection that the model is in, by name."""
    return {name: collections.state(name) for name in collections.of_model(model)}


def _verdict(change: Change, saying: Saying) -> GroupVerdict:
    name, panel = change.key
    return GroupVerdict(
        **saying.model_dump(),
        name=name,
        panel=panel,
        target=change.target,
        decided=change.decided,
        exceptions=tuple(sorted(set(change.exceptions))),
        version=0,
    )


def _is_fresh(change: Change, state: GroupState) -> bool:
    now = state.of(change.key)
    return change.seen is None or change.seen == (now.version if now else 0)


def _told(verdict: GroupVerdict) -> str:
    return f"{verdict.who} set '{verdict.name}' to {verdict.told} ({verdict.when})"


def _definition(name: str) -> str:
    return f"annotations/collections/{name}/collection.json"


def _mark(model: str, name: str) -> str:
    return f"{_MEMBERS}{model}/{name}.json"
