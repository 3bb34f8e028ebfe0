"""The part of the client that annotates: records of models, and verdicts on collections."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from farm.annotations.verdicts import VerdictStatus
from farm.client.annotation_views import AnnotationView, CollectionView, RecordView, RowView
from farm.client.answers import decoded, part, view_of
from farm.client.transport import RefusedError, Transport
from farm.morphs.refs import BARE, MorphRef

_ROOT = "/v1/annotations"
_PAGE = 1000
_HISTORY_PAGE = 100
_STALE = 412

type Said = Mapping[str, tuple[VerdictStatus, MorphRef | None]]
"""Target name to how it stands and what plays it; a morph may be given by its name alone (index -1)."""


class AnnotationsClient:
    """`FarmClient.annotations`. Every method raises what those of `FarmClient` raise.

    What is changed names the version that was seen: when somebody else was faster, RefusedError of status 412 tells who
    changed what, and nothing is written.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def of_model(self, model: str) -> AnnotationView:
        """A model's annotation: what people say, and what comes of it."""
        return view_of(AnnotationView, self._json("GET", _model(model)), self._transport.url)

    def save(
        self, seen: AnnotationView, said: Said, why: str = "", *, idle: Sequence[MorphRef] = (), only_tell: bool = False
    ) -> AnnotationView:
        """Let `said` be all that people say of the model that `seen` shows; the annotation then.

        `idle`: morphs, by index and name, that play nothing, whatever is proposed for them. `only_tell`:
        write nothing, and tell what it would be.
        """
        body = {
            "verdicts": {target: {"status": status, "morph": _sent(morph)} for target, (status, morph) in said.items()},
            "idle": [morph.model_dump() for morph in idle],
            "why": why,
        }
        query = {"save": "false"} if only_tell else {}
        try:
            answer = self._json("PUT", _model(seen.model), json=body, params=query, headers=_if(seen.record.version))
        except RefusedError as error:
            now = self._after_lost_answer(error, seen)
            if now is None or not _says(now.record, said) or set(now.record.idle) != set(idle):
                raise
            return now
        return view_of(AnnotationView, answer, self._transport.url)

    def undo(self, seen: AnnotationView, why: str = "") -> AnnotationView:
        """Bring back what was said of the model before; again, and what was said before that comes back."""
        try:
            path = f"{_model(seen.model)}/undo"
            answer = self._json("POST", path, json={"why": why}, headers=_if(seen.record.version))
        except RefusedError as error:
            now = self._after_lost_answer(error, seen)
            if now is None or now.record.restores is None:
                raise
            return now
        return view_of(AnnotationView, answer, self._transport.url)

    def _after_lost_answer(self, error: RefusedError, seen: AnnotationView) -> AnnotationView | None:
        """The annotation, when an earlier try of the change that was refused may have made its present version."""
        if error.status != _STALE or not error.repeated:
            return None
        now = self.of_model(seen.model)
        return now if now.record.version == seen.record.version + 1 else None

    def history(self, model: str) -> Iterator[RecordView]:
        """Every version of a model's record, youngest first."""
        for page in self._pages(f"{_model(model)}/history", "before", _HISTORY_PAGE):
            yield from (view_of(RecordView, record, self._transport.url) for record in page["versions"])

    def create_collection(self, name: str, models: Sequence[str]) -> CollectionView:
        """Make a collection of models that the farm has; of the same ones, it is the one that is there."""
        answer = self._json("POST", f"{_ROOT}/collections", json={"name": name, "models": list(models)})
        return view_of(CollectionView, answer, self._transport.url)

    def collections(self) -> list[CollectionView]:
        """All collections and how far they are."""
        answer = self._json("GET", f"{_ROOT}/collections")
        return [view_of(CollectionView, each, self._transport.url) for each in answer["collections"]]

    def collection(self, name: str) -> CollectionView:
        """A collection and how far it is."""
        return view_of(CollectionView, self._json("GET", _collection(name)), self._transport.url)

    def table(self, name: str, *, undecided: bool = False) -> Iterator[RowView]:
        """The rows of a collection, those that most models have first; with `undecided`, those that nobody has decided."""
        query = {"undecided": "true"} if undecided else {}
        for page in self._pages(f"{_collection(name)}/table", "after", _PAGE, query):
            yield from (view_of(RowView, row, self._transport.url) for row in page["rows"])

    def next_row(self, name: str, after: str = "") -> RowView | None:
        """The first row behind the row `after` (empty: of all) that nobody has decided; None when there is none."""
        row = self._json("GET", f"{_collection(name)}/next", params={"after": after})["row"]
        return None if row is None else view_of(RowView, row, self._transport.url)

    def decide(
        self, name: str, seen: RowView, target: str | None, exceptions: Sequence[str] = (), why: str = ""
    ) -> RowView:
        """Let all morphs of the row play `target` (None: nothing), except in the models `exceptions`."""
        body = {"target": target, "exceptions": list(exceptions), "why": why}
        path = f"{_collection(name)}/rows/{part(seen.id)}"
        try:
            return view_of(RowView, self._json("PUT", path, json=body, headers=_if(seen.version)), self._transport.url)
        except RefusedError as error:
            if error.status != _STALE or not error.repeated:
                raise
            now = view_of(RowView, self._json("GET", path), self._transport.url)
            if now.verdict is None or (now.verdict.target, now.verdict.why) != (target, why):
                raise
            return now  # the try without an answer did it

    def undo_row(self, name: str, seen: RowView, why: str = "") -> RowView:
        """Bring back what was said of the row before."""
        path = f"{_collection(name)}/rows/{part(seen.id)}/undo"
        answer = self._json("POST", path, again=False, json={"why": why}, headers=_if(seen.version))
        return view_of(RowView, answer, self._transport.url)

    def table_csv(self, name: str) -> str:
        """The whole table as CSV; cells that a spreadsheet would run are defused."""
        return self._transport.ask("GET", f"{_collection(name)}/table.csv").text

    def take_csv(self, name: str, table: str, why: str = "") -> int:
        """Take the verdicts of an edited table, all or none; how many of them were new."""
        answer = self._json(
            "PUT",
            f"{_collection(name)}/table.csv",
            again=False,
            content=table.encode(),
            params={"why": why},
            headers={"Content-Type": "text/csv"},
        )
        return int(answer["changed"])

    def _json(self, method: str, path: str, again: bool = True, **arguments: Any) -> Any:
        return decoded(self._transport.ask(method, path, again, **arguments), self._transport.url)

    def _pages(self, path: str, cursor: str, limit: int, query: Mapping[str, Any] | None = None) -> Iterator[Any]:
        asked = {"limit": limit, **(query or {})}
        while True:
            page = self._json("GET", path, params=asked)
            yield page
            if page["next"] is None:
                return
            asked[cursor] = page["next"]


def _model(model: str) -> str:
    return f"{_ROOT}/models/{part(model)}"


def _collection(name: str) -> str:
    return f"{_ROOT}/collections/{part(name)}"


def _if(version: int) -> dict[str, str]:
    return {"If-Match": f'"{version}"'}


def _sent(morph: MorphRef | None) -> object:
    if morph is None:
        return None
    return morph.name if morph.index == BARE else morph.model_dump()


def _says(record: RecordView, said: Said) -> bool:
    """Whether a record says just this; a bare name stands for whichever morph the farm has found for it."""
    if record.verdicts.keys() != said.keys():
        return False
    for target, (status, morph) in said.items():
        verdict = record.verdicts[target]
        found = verdict.morph
        if found is not None and morph is not None and morph.index == BARE:
            found = MorphRef(index=BARE, name=found.name)
        if (verdict.status, found) != (status, morph):
            return False
    return True
