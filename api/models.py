"""Routes for models."""

from typing import Annotated

from fastapi import APIRouter, Query, UploadFile
from fastapi.concurrency import run_in_threadpool

from api.auth import needs
from api.schemas import ModelEntry, ModelPath, ModelsPage, ModelView, UploadAnswer
from api.services import ServicesOf, pieces
from api.views import model_view, refused_model
from farm.keys import Role

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.post("", status_code=201, dependencies=[needs(Role.SUBMIT)])
async def upload(file: UploadFile, services: ServicesOf) -> UploadAnswer:
    """Take in a .vrm, .pmx or .pmd file, or a .zip of a folder with models and their textures.

    Models are known by the hash of their content: uploading one again changes nothing. When none of the upload can be
    used the answer is 422; when some can, the others are listed under `refused`.
    """

    def take_in() -> UploadAnswer:
        taken = services.intake.take_file(file.filename or "unnamed", pieces(file))
        return UploadAnswer(
            models=[model_view(model) for model in taken.models],
            refused=[refused_model(refusal) for refusal in taken.refusals],
        )

    return await run_in_threadpool(take_in)


@router.get("", dependencies=[needs(Role.READ)])
def models(
    services: ServicesOf,
    after: Annotated[str, Query(pattern="^([0-9a-f]{64})?$", description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ModelsPage:
    """The models that the farm has, sorted by id."""
    ids = services.catalog.models(after, limit + 1)
    return ModelsPage(
        models=[ModelEntry(id=model_id) for model_id in ids[:limit]], next=ids[limit - 1] if len(ids) > limit else None
    )


@router.get("/{model_id}", dependencies=[needs(Role.READ)])
def show(model_id: ModelPath, services: ServicesOf) -> ModelView:
    """What a model holds."""
    inventory = services.catalog.proposals(model_id)
    return ModelView(id=model_id, name=model_id[:8], inventory=inventory, pictured=inventory.pictured)


@router.delete("/{model_id}", status_code=204, dependencies=[needs(Role.OPERATE)])
def delete(model_id: ModelPath, services: ServicesOf) -> None:
    """Forget a model that no job needs any more. Its results stay."""
    services.catalog.remove(model_id, lambda: services.jobs.uses_of(model_id) > 0)
    services.annotations.forget(model_id)
