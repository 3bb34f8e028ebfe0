"""Routes for group annotation: one verdict on all morphs of a name in a collection."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from api.annotation_schemas import (
    ChangedAnswer,
    CollectionPath,
    CollectionRequest,
    CollectionsAnswer,
    CollectionView,
    GroupHistoryPage,
    GroupVerdictRequest,
    IfMatch,
    NextAnswer,
    Reason,
    RowPath,
    RowView,
    TablePage,
    VerdictsRequest,
    Why,
)
from api.annotation_views import CsvResponse, change_view, collection_view, row_view
from api.auth import PrincipalOf, needs
from api.etags import of_version, version_in
from api.problems import OF_VERSIONS
from api.services import Services, ServicesOf
from farm.annotations.collections import Change
from farm.annotations.groups import Collection, GroupState
from farm.annotations.tables import Row, changes_in, group_csv
from farm.annotations.verdicts import Saying
from farm.errors import MappingError, NotFoundError
from farm.jobs.store import utc_now
from farm.keys import Role
from farm.morphs.annotation import table_text
from farm.morphs.names import normalise
from farm.morphs.vocabulary import all_targets

router = APIRouter(prefix="/v1/annotations/collections", tags=["annotations"])

type After = Annotated[str, Query(pattern="^([0-9a-f]{16})?$", description="A row's id: those behind it")]


@router.post("", status_code=201, dependencies=[needs(Role.ANNOTATE)])
def create(request: CollectionRequest, services: ServicesOf, who: PrincipalOf) -> CollectionView:
    """Make a collection of models that the farm has. The same models under the same name make nothing new."""
    models = tuple(sorted(set(request.models)))
    for model in models:
        services.catalog.inventory(model)
    collection = Collection(name=request.name, models=models, who=who.name, when=utc_now())
    return _view(services.annotations.collections.create(collection), services)


@router.get("", dependencies=[needs(Role.READ)])
def collections(services: ServicesOf) -> CollectionsAnswer:
    """All collections and how far they are."""
    kept = services.annotations.collections
    return CollectionsAnswer(collections=[_view(kept.read(name), services) for name in kept.names()])


@router.get("/{collection}", dependencies=[needs(Role.READ)])
def show(collection: CollectionPath, services: ServicesOf) -> CollectionView:
    """A collection and how far it is."""
    return _view(services.annotations.collections.read(collection), services)


@router.get("/{collection}/table", dependencies=[needs(Role.READ)])
def table(
    collection: CollectionPath,
    services: ServicesOf,
    after: After = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    undecided: Annotated[bool, Query(description="Only rows that nobody has decided")] = False,
    since: Annotated[
        int | None, Query(ge=0, lt=10**8, description="Only rows that somebody has changed after this version")
    ] = None,
) -> TablePage:
    """The morph names of a collection, those that most models have first, and what is said of each."""
    rows, state = services.annotations.rows(collection), services.annotations.collections.state(collection)
    page: list[Row] = []
    for row in rows.behind(after):
        if undecided and rows.is_decided(row, state):
            continue
        if since is not None and ((verdict := state.of(row.key)) is None or verdict.version <= since):
            continue
        page.append(row)
        if len(page) > limit:
            break
    return TablePage(
        rows=[row_view(row, state) for row in page[:limit]],
        next=page[limit - 1].id if len(page) > limit else None,
        version=state.version,
        edition=rows.edition,
    )


@router.get("/{collection}/table.csv", response_class=CsvResponse, dependencies=[needs(Role.READ)])
def table_as_csv(collection: CollectionPath, services: ServicesOf) -> CsvResponse:
    """The whole table as CSV, for a spreadsheet; also a mapping table for batches.

    Cells that a spreadsheet would run as formulas have an apostrophe before them, which is taken off when the table comes
    back.
    """
    rows, state = services.annotations.rows(collection), services.annotations.collections.state(collection)
    return CsvResponse(group_csv(rows, state))


@router.put("/{collection}/table.csv", dependencies=[needs(Role.ANNOTATE)], responses=OF_VERSIONS)
def take_csv(
    collection: CollectionPath,
    table: Annotated[bytes, Body(media_type="text/csv")],
    services: ServicesOf,
    who: PrincipalOf,
    why: Annotated[Why, Query()] = "",
) -> ChangedAnswer:
    """Take the verdicts of an edited table: all of them, or none.

    Rows that are open and whose target is the proposal say nothing. A row whose `version` is no longer that of the name's
    verdict is somebody else's work: then nothing is written, and the answer (412) tells whose. Without the column
    `version`, the table has the last word.
    """
    rows, state = services.annotations.rows(collection), services.annotations.collections.state(collection)
    changes, unknown = changes_in(table_text(table), rows, state)
    return _changed(services, collection, changes, unknown, Saying(who=who.name, when=utc_now(), why=why))


@router.post("/{collection}/verdicts", dependencies=[needs(Role.ANNOTATE)], responses=OF_VERSIONS)
def take_json(
    collection: CollectionPath, request: VerdictsRequest, services: ServicesOf, who: PrincipalOf
) -> ChangedAnswer:
    """Take verdicts on many names: all of them, or none. `version` is as `If-Match` of a single row."""
    rows = services.annotations.rows(collection)
    changes: dict[tuple[str, str], Change] = {}
    unknown = 0
    for said in request.verdicts:
        _check_target(said.target)
        key = normalise(said.source_morph), said.panel.lower()
        if key in changes:
            raise MappingError(f"'{said.source_morph}' ({said.panel}) stands twice; leave one of them out.")
        row = rows.by_key.get(key)
        if row is None:
            unknown += 1
        else:
            changes[key] = _change(row, said.version, said.target, said.exceptions)
    saying = Saying(who=who.name, when=utc_now(), why=request.why)
    return _changed(services, collection, list(changes.values()), unknown, saying)


@router.get("/{collection}/next", dependencies=[needs(Role.READ)])
def next_undecided(collection: CollectionPath, services: ServicesOf, after: After = "") -> NextAnswer:
    """The first row behind `after` that nobody has decided."""
    rows, state = services.annotations.rows(collection), services.annotations.collections.state(collection)
    row = next((row for row in rows.behind(after) if not rows.is_decided(row, state)), None)
    return NextAnswer(row=row_view(row, state) if row else None, decided=rows.decided(state), names=len(rows.sorted))


@router.get("/{collection}/history", dependencies=[needs(Role.READ)])
def history(
    collection: CollectionPath,
    services: ServicesOf,
    before: Annotated[int, Query(ge=0, lt=10**8, description="`next` of the page before; 0: the youngest")] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> GroupHistoryPage:
    """Every change of a collection's verdicts, youngest first."""
    page = services.annotations.collections.history(collection, before, limit)
    more = bool(page) and page[-1].version > 1
    return GroupHistoryPage(changes=[change_view(entry) for entry in page], next=page[-1].version if more else None)


@router.get("/{collection}/rows/{row_id}", dependencies=[needs(Role.READ)])
def show_row(collection: CollectionPath, row_id: RowPath, services: ServicesOf, response: Response) -> RowView:
    """One row of the table."""
    row = _row(services, collection, row_id)
    return _shown(row, services.annotations.collections.state(collection), response)


@router.put("/{collection}/rows/{row_id}", dependencies=[needs(Role.ANNOTATE)], responses=OF_VERSIONS)
def decide(
    collection: CollectionPath,
    row_id: RowPath,
    request: GroupVerdictRequest,
    services: ServicesOf,
    who: PrincipalOf,
    response: Response,
    if_match: IfMatch = "",
) -> RowView:
    """Decide what all morphs of a name play, in every model that the evidence lets pass; the answer lists the others.

    Where somebody has decided since the version in `If-Match`, nothing is written, and the answer (412) tells who and what.
    """
    row = _row(services, collection, row_id)
    _check_target(request.target)
    change = _change(row, version_in(if_match), request.target, request.exceptions, request.decided)
    saying = Saying(who=who.name, when=utc_now(), why=request.why)
    state, _ = services.annotations.collections.change(collection, [change], saying)
    return _shown(row, state, response)


@router.post("/{collection}/rows/{row_id}/undo", dependencies=[needs(Role.ANNOTATE)], responses=OF_VERSIONS)
def undo(
    collection: CollectionPath,
    row_id: RowPath,
    services: ServicesOf,
    who: PrincipalOf,
    response: Response,
    request: Reason | None = None,
    if_match: IfMatch = "",
) -> RowView:
    """Bring back what was said of a name before; done again, what was said before that. 409: nothing is left."""
    row, seen = _row(services, collection, row_id), version_in(if_match)
    saying = Saying(who=who.name, when=utc_now(), why=request.why if request else "")
    return _shown(row, services.annotations.collections.undo(collection, row.key, seen, saying), response)


def _view(collection: Collection, services: Services) -> CollectionView:
    annotations = services.annotations
    inspected = len(annotations.records.inspected(collection.models))
    return collection_view(
        collection, annotations.rows(collection.name), annotations.collections.state(collection.name), inspected
    )


def _row(services: Services, collection: str, row_id: str) -> Row:
    rows = services.annotations.rows(collection)
    if row_id not in rows.places:
        raise NotFoundError(f"Collection '{collection}' has no row {row_id}; its table lists them.")
    return rows.sorted[rows.places[row_id]]


def _shown(row: Row, state: GroupState, response: Response) -> RowView:
    view = row_view(row, state)
    response.headers["ETag"] = of_version(view.version, view)
    return view


def _check_target(target: str | None) -> None:
    if target is not None and target not in all_targets():
        raise MappingError(f"'{target}' is no target morph; the known ones are {', '.join(all_targets())}.")


def _change(row: Row, seen: int | None, target: str | None, exceptions: Sequence[str], decided: bool = True) -> Change:
    if others := set(exceptions) - row.morphs.keys():
        raise MappingError(
            f"Model {min(others)} has no morph '{row.name}' here, so it can be no exception; leave it out."
        )
    return Change(row.key, seen, target if decided else None, tuple(exceptions) if decided else (), decided)


def _changed(
    services: Services, collection: str, changes: Sequence[Change], unknown: int, saying: Saying
) -> ChangedAnswer:
    kept = services.annotations.collections
    _, changed = kept.change(collection, changes, saying)
    return ChangedAnswer(
        changed=changed,
        unchanged=len(changes) - changed,
        unknown=unknown,
        collection=_view(kept.read(collection), services),
    )
