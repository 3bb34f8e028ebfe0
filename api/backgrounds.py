"""Routes for backgrounds."""

from threading import BoundedSemaphore

from fastapi import APIRouter, UploadFile
from fastapi.concurrency import run_in_threadpool

from api.auth import needs
from api.schemas import BackgroundPath, BackgroundView
from api.services import ServicesOf
from farm.backgrounds import normalise, size_of
from farm.keys import Role

router = APIRouter(prefix="/v1/backgrounds", tags=["backgrounds"])
_DECODING = BoundedSemaphore(2)
"""Pictures being decoded at a time: each may take half a GiB for a moment."""


@router.post("", status_code=201, dependencies=[needs(Role.SUBMIT)])
async def upload(file: UploadFile, services: ServicesOf) -> BackgroundView:
    """Take in a PNG, JPEG, WebP or BMP file to compose pictures over.

    Backgrounds are known by the hash of their pixels: uploading one again changes nothing. Large ones are reduced; the
    answer has the size of what is kept. A specification names them in `backgrounds`.
    """
    data = await file.read()

    def take_in() -> BackgroundView:
        with _DECODING:
            background = normalise(data, file.filename or "The upload")
        services.catalog.add_background(background)
        return BackgroundView(id=background.id, width=background.width, height=background.height)

    return await run_in_threadpool(take_in)


@router.get("/{background_id}", dependencies=[needs(Role.READ)])
def show(background_id: BackgroundPath, services: ServicesOf) -> BackgroundView:
    """A background that was taken in."""
    width, height = size_of(services.catalog.background(background_id))
    return BackgroundView(id=background_id, width=width, height=height)
