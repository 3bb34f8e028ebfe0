"""Routes for models."""

from typing import Annotated

from fastapi import APIRouter, Path, UploadFile
from fastapi.concurrency import run_in_threadpool

from api.parts import PartsOf
from api.schemas import ModelView, UploadAnswer, model_view, refused_model
from farm.models.package import receive

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.post("", status_code=201)
async def upload(file: UploadFile, parts: PartsOf) -> UploadAnswer:
    """Take in a .vrm, .pmx or .pmd file, or a .zip of a folder with models and their textures.

    Models are known by the hash of their content: uploading one again changes nothing. When none of the upload can be
    used the answer is 422; when some can, the others are listed under `refused`.
    """
    data = await file.read()

    def take_in() -> UploadAnswer:
        packages, refusals = receive(file.filename or "unnamed", data)
        if not packages:
            raise refusals[0].error
        for package in packages:
            parts.catalog.add(package)
        return UploadAnswer(
            models=[model_view(package) for package in packages],
            refused=[refused_model(refusal) for refusal in refusals],
        )

    return await run_in_threadpool(take_in)


@router.get("/{model_id}")
def show(model_id: Annotated[str, Path(pattern="^[0-9a-f]{64}$")], parts: PartsOf) -> ModelView:
    """What a model holds."""
    return ModelView(id=model_id, name=model_id[:8], inventory=parts.catalog.inventory(model_id))
