"""Routes for motions."""

from fastapi import APIRouter, UploadFile
from fastapi.concurrency import run_in_threadpool

from api.auth import needs
from api.schemas import MotionPath
from api.services import ServicesOf, pieces
from farm.keys import Role
from farm.reading.messages import MotionAbout

router = APIRouter(prefix="/v1/motions", tags=["motions"])


@router.post("", status_code=201, dependencies=[needs(Role.SUBMIT)])
async def upload(file: UploadFile, services: ServicesOf) -> MotionAbout:
    """Take in a VMD or VRMA file, whose frames are to be drawn.

    Motions are known by the hash of their file: uploading one again changes nothing. A specification names one in `motion`,
    with its rate, start and number of frames.
    """

    def take_in() -> MotionAbout:
        with services.readers.motion(file.filename or "The upload", pieces(file)) as motion:
            services.catalog.add_motion(motion.about, motion.file)
        return motion.about

    return await run_in_threadpool(take_in)


@router.get("/{motion_id}", dependencies=[needs(Role.READ)])
def show(motion_id: MotionPath, services: ServicesOf) -> MotionAbout:
    """A motion that was taken in."""
    return services.catalog.about_motion(motion_id)
