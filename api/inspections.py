"""Routes of the page for annotation: a collection in short, and the pictures to decide by."""

import json
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.annotation_schemas import CollectionPath
from api.annotation_views import record_view
from api.auth import needs
from api.inspection_schemas import DigestPage, InspectionView, PicturesView
from api.ranges import RANGE_RESPONSES, RangeHeader, ranged
from api.schemas import ModelPath
from api.services import ServicesOf
from farm.errors import NotFoundError
from farm.inspection.page import Inspected, pictures_of
from farm.inspection.pictures import SPRITE, PictureStanding
from farm.keys import Role
from farm.results import Stored

router = APIRouter(prefix="/v1/annotations", tags=["annotations"])
_SPRITE = "/v1/annotations/models/{model}/pictures/sprite.webp?version={version}"


@router.get("/collections/{collection}/models", response_model=DigestPage, dependencies=[needs(Role.READ)])
def digest(
    collection: CollectionPath,
    services: ServicesOf,
    after: Annotated[str, Query(pattern="^([0-9a-f]{64})?$", description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """The models of a collection in short: their morphs, and what people have said of them."""
    rows = services.annotations.rows(collection)
    begin = rows.model_places.get(after, -1) + 1
    page = rows.digest.models[begin : begin + limit]
    records = services.annotations.records.read_all([model.id for model in page])
    morphs = [model.morphs for model in page]
    used = {judgement for of_model in morphs for _, _, judgement, _ in of_model}
    judgements = {number: rows.digest.judgements[number] for number in sorted(used)}
    # Written as it is: to be checked by pydantic, five thousand morphs cost more than all the rest.
    answer = {
        "models": [
            {
                "id": model.id,
                "name": model.name,
                "morphs": of_model,
                "names": model.names,
                "record": record_view(records[model.id]).model_dump(mode="json") if model.id in records else None,
            }
            for model, of_model in zip(page, morphs, strict=True)
        ],
        "judgements": {
            number: (one.shows, one.side, one.target, dict(one.denied), one.parts, dict(one.sides))
            for number, one in judgements.items()
        },
        "next": page[-1].id if begin + limit < len(rows.digest.models) else None,
        "edition": rows.edition,
    }
    return Response(json.dumps(answer, separators=(",", ":")), media_type="application/json")


@router.get("/collections/{collection}/pictures", dependencies=[needs(Role.READ)])
def pictures(collection: CollectionPath, services: ServicesOf) -> PicturesView:
    """How far the pictures of a collection are."""
    models = services.annotations.collections.read(collection).models
    return _view(services.picture_orders.standing(collection, models))


@router.post("/collections/{collection}/pictures", dependencies=[needs(Role.ANNOTATE)])
def have_drawn(collection: CollectionPath, services: ServicesOf) -> PicturesView:
    """Have the pictures drawn that are missing, before everything else that waits; asked again, it changes nothing."""
    models = services.annotations.collections.read(collection).models
    return _view(services.picture_orders.ask(collection, models))


@router.get(
    "/models/{model_id}/pictures",
    dependencies=[needs(Role.READ)],
    response_model=InspectionView,
    responses={204: {"description": "The pictures are not drawn yet"}},
)
def inspection(model_id: ModelPath, services: ServicesOf) -> InspectionView | Response:
    """What each morph of a model changes in its picture."""
    inventory = services.catalog.proposals(model_id)
    if not services.pictures.drawn([model_id]):
        return Response(status_code=204)
    record = services.pictures.record(model_id)
    shown = pictures_of(Inspected(model_id[:8], inventory, record))
    address = _SPRITE.format(model=model_id, version=record.version)
    return InspectionView(**{**shown, "src": address}, version=record.version)


@router.get(
    "/models/{model_id}/pictures/sprite.webp",
    dependencies=[needs(Role.READ)],
    responses=RANGE_RESPONSES,
    response_class=Response,
)
def sprite(
    request: Request,
    model_id: ModelPath,
    services: ServicesOf,
    version: Annotated[str, Query(max_length=40, description="Of what drew it: another one, another address")] = "",
    _range: RangeHeader = None,
) -> Response:
    """The pixels, as WebP: the neutral picture, and what each morph changes of it."""
    key = services.pictures.sprite(model_id)
    try:
        stored = Stored(key, 0, services.store.size(key), "")
    except NotFoundError as error:
        raise NotFoundError(f"The pictures of model {model_id} are not drawn yet.") from error
    answer = ranged(request, services.store, stored, SPRITE)
    if version and answer.status_code == 200:
        answer.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    return answer


def _view(standing: PictureStanding) -> PicturesView:
    batch = standing.batch
    return PicturesView(
        models=standing.models,
        missing=len(standing.missing),
        batch=batch.id if batch else None,
        ended=batch is None or batch.ended,
        images_done=batch.images_done if batch else 0,
        images_total=batch.images_total if batch else 0,
        eta_seconds=batch.eta_seconds if batch else None,
    )
