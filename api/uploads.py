"""Routes for models that come by way of an S3 server."""

from fastapi import APIRouter

from api.auth import needs
from api.schemas import RegisterRequest, UploadAnswer, UploadOffer, UploadsAnswer, UploadsRequest
from api.services import ServicesOf
from api.views import model_view, refused_model
from farm.keys import Role

router = APIRouter(prefix="/v1/models", tags=["models"], dependencies=[needs(Role.SUBMIT)])


@router.post("/uploads", status_code=201)
def offer(request: UploadsRequest, services: ServicesOf) -> UploadsAnswer:
    """Get addresses that take model files by PUT, past this API. Only a farm on an S3 server has them."""
    offers = services.intake.offer([(file.name, file.bytes) for file in request.files])
    return UploadsAnswer(
        uploads=[
            UploadOffer(
                name=offer.name, object=offer.object, url=offer.url, headers=offer.headers, expires=offer.expires
            )
            for offer in offers
        ]
    )


@router.post("/register", status_code=201)
def register(request: RegisterRequest, services: ServicesOf) -> UploadAnswer:
    """Take in objects of an S3 server as models: those uploaded to an offered address, and those of other buckets.

    The farm's operator names the buckets in FARM_IMPORT_BUCKETS. What cannot be used is listed under `refused`, by its
    object.
    """
    taken = services.intake.take_in(request.objects)
    return UploadAnswer(
        models=[model_view(model) for model in taken.models],
        refused=[refused_model(refusal) for refusal in taken.refusals],
    )
