"""Routes for what people say of single models."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.annotation_schemas import AnnotationView, HistoryPage, IfMatch, Reason, RecordRequest, SavedView
from api.annotation_views import annotation_view, record_view, saved_view
from api.auth import PrincipalOf, needs
from api.etags import of_version, version_in
from api.problems import OF_VERSIONS
from api.schemas import ModelPath
from api.services import ServicesOf
from farm.annotations.verdicts import Saying, checked, checked_idle, with_verdicts
from farm.jobs.store import utc_now
from farm.keys import Role

router = APIRouter(prefix="/v1/annotations/models", tags=["annotations"])


@router.get("/{model_id}", dependencies=[needs(Role.READ)])
def show(model_id: ModelPath, services: ServicesOf, response: Response) -> AnnotationView:
    """What plays which target of a model, who says so, and how many samples that gives.

    `record` is what people have said of this model; `targets` is what comes of it together with the verdicts on its
    collections and the proposals.
    """
    record = services.annotations.records.read(model_id)
    view = annotation_view(model_id, record, services.annotations.effect(model_id, record))
    response.headers["ETag"] = of_version(record.version, view)
    return view


@router.put("/{model_id}", dependencies=[needs(Role.ANNOTATE)], responses=OF_VERSIONS)
def save(
    model_id: ModelPath,
    request: RecordRequest,
    services: ServicesOf,
    who: PrincipalOf,
    response: Response,
    if_match: IfMatch = "",
    save: Annotated[bool, Query(description="False: only tell what the change would do")] = True,
) -> SavedView:
    """Say all that is to be said of a model; it becomes the next version of its record.

    `before` and `rule` tell the samples before and after. Where somebody has changed the record since the version in
    `If-Match`, nothing is written, and the answer (412) tells who changed what.
    """
    annotations, seen = services.annotations, version_in(if_match)
    morphs = services.catalog.inventory(model_id).source_morphs()
    said = checked({target: (verdict.status, verdict.morph) for target, verdict in request.verdicts.items()}, morphs)
    idle = checked_idle(request.idle, said, morphs)
    before = annotations.effect(model_id)
    saying = Saying(who=who.name, when=utc_now(), why=request.why)
    if save:
        record = annotations.records.change(model_id, seen, said, saying, idle)
    else:
        record = with_verdicts(annotations.records.standing(model_id, seen), said, saying, idle)
    after = annotations.effect(model_id, record)
    if save:
        response.headers["ETag"] = of_version(record.version, annotation_view(model_id, record, after))
    return saved_view(model_id, record, before, after, save)


@router.get("/{model_id}/history", dependencies=[needs(Role.READ)])
def history(
    model_id: ModelPath,
    services: ServicesOf,
    before: Annotated[int, Query(ge=0, lt=10**8, description="`next` of the page before; 0: the youngest")] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> HistoryPage:
    """Every version of a model's record, youngest first."""
    services.catalog.inventory(model_id)
    page = services.annotations.records.history(model_id, before, limit)
    more = bool(page) and page[-1].version > 1
    return HistoryPage(versions=[record_view(record) for record in page], next=page[-1].version if more else None)


@router.post("/{model_id}/undo", dependencies=[needs(Role.ANNOTATE)], responses=OF_VERSIONS)
def undo(
    model_id: ModelPath,
    services: ServicesOf,
    who: PrincipalOf,
    response: Response,
    request: Reason | None = None,
    if_match: IfMatch = "",
) -> SavedView:
    """Bring back what was said before, as a new version; done again, what was said before that. 409: nothing is left."""
    annotations, before = services.annotations, services.annotations.effect(model_id)
    saying = Saying(who=who.name, when=utc_now(), why=request.why if request else "")
    record = annotations.records.undo(model_id, version_in(if_match), saying)
    after = annotations.effect(model_id, record)
    response.headers["ETag"] = of_version(record.version, annotation_view(model_id, record, after))
    return saved_view(model_id, record, before, after, saved=True)
