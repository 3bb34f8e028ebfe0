"""Routes for backgrounds."""

from fastapi import APIRouter, UploadFile
from fastapi.concurrency import run_in_threadpool

from api.auth import needs
from api.schemas import BackgroundPath, BackgroundView
from api.services import ServicesOf, pieces
from farm.backgrounds import size_of
from farm.keys import Role

router = APIRouter(prefix="/v1/backgrounds", tags=["backgrounds"])


@router.post("", status_code=201, dependencies=[needs(Role.SUBMIT)])
async def upload(file: UploadFile, services: ServicesOf) -> BackgroundView:
    """Take in a PNG, JPEG, WebP or BMP file to compose pictures over.

    Backgrounds are known by the hash of their pixels: uploading one again changes nothing. Large ones are reduced; the
    answer has the size of what is kept. A specification names them in `backgrounds`.
    """

    def take_in() -> BackgroundView:
        with services.readers.background(file.filename or "The upload", pieces(file)) as picture:
            services.catalog.add_picture(picture)
        return BackgroundView(id=picture.about.id, width=picture.about.width, height=picture.about.height)

    return await run_in_threadpool(take_in)


@router.get("/{background_id}", dependencies=[needs(Role.READ)])
def show(background_id: BackgroundPath, services: ServicesOf) -> BackgroundView:
    """A background that was taken in."""
    width, height = size_of(services.catalog.background(background_id))
    return BackgroundView(id=background_id, width=width, height=height)
