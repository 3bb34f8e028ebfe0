"""The annotation records of models, in the object store: ``annotations/models/<model>/…``, a version each."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from farm import metrics
from farm.annotations.journal import Journal, Lock, present
from farm.annotations.verdicts import (
    NOTHING_SAID,
    AnnotationRecord,
    Saying,
    VerdictStatus,
    changes,
    stale,
    with_verdicts,
)
from farm.errors import ConflictError, NotFoundError
from farm.morphs.refs import MorphRef
from farm.storage import ObjectStore

_FOLDER = "annotations/models/"
_ASKING = 16
"""Questions to the store at a time."""

type Said = Mapping[str, tuple[VerdictStatus, MorphRef | None]]
"""Target name to how it stands and what plays it."""


class AnnotationRecords:
    """The records. They outlive their models, but for withdrawn ones: who uploads a model again finds what was said of it.

    Every method raises ServiceError when the store or Redis does not answer.
    """

    def __init__(self, store: ObjectStore, lock: Lock) -> None:
        self._store, self._lock = store, lock

    def _journal(self, model: str) -> Journal[AnnotationRecord]:
        return Journal(self._store, f"{_FOLDER}{model}", AnnotationRecord)

    def read(self, model: str) -> AnnotationRecord:
        """The youngest version; NOTHING_SAID when there is none."""
        journal = self._journal(model)
        number = journal.youngest()
        return journal.read(number) if number else NOTHING_SAID

    def read_all(self, models: Sequence[str]) -> dict[str, AnnotationRecord]:
        """The youngest versions of those of `models` that have a record."""
        with ThreadPoolExecutor(_ASKING) as pool:
            found = dict(zip(models, pool.map(self.read, models), strict=True))
        return {model: record for model, record in found.items() if record.version}

    def inspected(self, models: Sequence[str]) -> set[str]:
        """Those of `models` that have a record."""
        return present(self._store, _FOLDER, models)

    def history(self, model: str, before: int, limit: int) -> list[AnnotationRecord]:
        """Versions, youngest first: `limit` of those below `before` (0: from the youngest)."""
        return self._journal(model).page(before, limit)

    def change(
        self, model: str, seen: int | None, said: Said, saying: Saying, idle: Sequence[MorphRef] = ()
    ) -> AnnotationRecord:
        """Let `said` and `idle` be all that people say of the model, as a change of version `seen` (None: of the youngest).

        Saying again what stands makes no version. Raises StaleVersionError, which tells who changed what meanwhile.
        """

        def make(now: AnnotationRecord | None) -> AnnotationRecord | None:
            before = self._expected(model, now, seen)
            after = with_verdicts(before, said, saying, idle)
            return None if (after.verdicts, after.idle) == (before.verdicts, before.idle) else after

        return self._write(model, make)

    def undo(self, model: str, seen: int | None, saying: Saying) -> AnnotationRecord:
        """Bring back the verdicts of before, as a new version; again, and those of before that come back.

        Raises ConflictError when there is nothing to undo, and StaleVersionError.
        """

        def make(now: AnnotationRecord | None) -> AnnotationRecord | None:
            standing = self._expected(model, now, seen)
            if standing.origin == 0:
                raise ConflictError(f"Nothing is left to undo: nobody had said anything of model {model} before.")
            old = self._version(model, standing.origin - 1)
            return AnnotationRecord(
                **saying.model_dump(),
                version=standing.version + 1,
                verdicts=old.verdicts,
                idle=old.idle,
                restores=old.origin,
            )

        return self._write(model, make)

    def remove(self, model: str) -> None:
        """Remove all versions: of a withdrawn model nothing is kept."""
        with self._lock(f"annotations/models/{model}"):
            self._store.delete_all(f"{_FOLDER}{model}/")

    def _write(
        self, model: str, make: Callable[[AnnotationRecord | None], AnnotationRecord | None]
    ) -> AnnotationRecord:
        made: AnnotationRecord | None = None

        def remembered(now: AnnotationRecord | None) -> AnnotationRecord | None:
            nonlocal made
            made = make(now)
            return made

        with self._lock(f"annotations/models/{model}"):
            youngest = self._journal(model).change(remembered, lambda record: record.version) or NOTHING_SAID
        if made is not None:
            metrics.ANNOTATIONS.inc("model")
        return youngest

    def standing(self, model: str, seen: int | None) -> AnnotationRecord:
        """The youngest version, if it is `seen` (None: whichever it is). Raises StaleVersionError."""
        return self._expected(model, self.read(model), seen)

    def _expected(self, model: str, now: AnnotationRecord | None, seen: int | None) -> AnnotationRecord:
        standing = now or NOTHING_SAID
        if seen is not None and seen != standing.version:
            told = changes(self._version(model, seen), standing) if seen < standing.version else []
            raise stale(seen, standing.version, told, f"the annotation of model {model}")
        return standing

    def _version(self, model: str, version: int) -> AnnotationRecord:
        try:
            return self._journal(model).read(version) if version else NOTHING_SAID
        except NotFoundError as error:
            raise NotFoundError(f"The annotation of model {model} has no version {version}.") from error
