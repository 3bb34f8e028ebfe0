"""Routes for backgrounds."""

from threading import BoundedSemaphore
from typing import Annotated

from fastapi import APIRouter, Path, UploadFile
from fastapi.concurrency import run_in_threadpool

from api.parts import PartsOf
from api.schemas import BackgroundView
from farm.backgrounds import normalise, size_of

router = APIRouter(prefix="/v1/backgrounds", tags=["backgrounds"])
_DECODING = BoundedSemaphore(2)
"""Pictures being decoded at a time: each may take half a GiB for a moment."""


@router.post("", status_code=201)
async def upload(file: UploadFile, parts: PartsOf) -> BackgroundView:
    """Take in a PNG, JPEG, WebP or BMP file to compose pictures over.

    Backgrounds are known by the hash of their pixels: uploading one again changes nothing. Large ones are reduced; the
    answer has the size of what is kept. A specification names them in `backgrounds`.
    """
    data = await file.read()

    def take_in() -> BackgroundView:
        with _DECODING:
            background = normalise(data, file.filename or "The upload")
        parts.catalog.add_background(background)
        return BackgroundView(id=background.id, width=background.width, height=background.height)

    return await run_in_threadpool(take_in)


@router.get("/{background_id}")
def show(background_id: Annotated[str, Path(pattern="^[0-9a-f]{64}$")], parts: PartsOf) -> BackgroundView:
    """A background that was taken in."""
    width, height = size_of(parts.catalog.background(background_id))
    return BackgroundView(id=background_id, width=width, height=height)
