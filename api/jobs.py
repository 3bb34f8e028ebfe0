"""Routes for jobs and their results."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import PlainTextResponse

from api.auth import needs
from api.ownership import OWN_JOB
from api.ranges import RANGE_RESPONSES, RangeHeader, ranged
from api.schemas import JobPath, JobView
from api.services import Services, ServicesOf
from api.views import job_view
from farm.dataset.manifest import CONTACT_SHEET
from farm.errors import ConflictError, NotFoundError
from farm.jobs.states import Job, State
from farm.keys import Role
from farm.poses import Partition

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILE_TYPES: dict[str, Any] = {
    "application/json": {"schema": {}},
    "application/octet-stream": _BINARY,
    "application/x-tar": _BINARY,
    "image/png": _BINARY,
    "video/mp4": _BINARY,
}
_FILE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": _FILE_TYPES},
    **RANGE_RESPONSES,
    206: {**RANGE_RESPONSES[206], "content": _FILE_TYPES},
}
_PICTURE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The picture", "content": {"image/png": _BINARY}},
    **RANGE_RESPONSES,
    206: {**RANGE_RESPONSES[206], "content": {"image/png": _BINARY}},
}


@contextmanager
def _kept(services: Services, job: Job) -> Iterator[None]:
    """Of a file that is gone because the model was withdrawn that is said, and not that the file is missing."""
    try:
        yield
    except NotFoundError:
        services.catalog.check_admitted(job.model)
        raise


def _finished(services: Services, job_id: str) -> Job:
    job = services.jobs.job(job_id)
    if job.state is not State.DONE:
        raise ConflictError(f"Job {job_id} is {job.state}; it has files when it is done.")
    return job


@router.get("/{job_id}", dependencies=[needs(Role.READ)])
def show(job_id: JobPath, services: ServicesOf) -> JobView:
    """One job."""
    return job_view(services.jobs.job(job_id))


@router.get("/{job_id}/log", response_class=PlainTextResponse, dependencies=[needs(Role.READ)])
def log(job_id: JobPath, services: ServicesOf) -> PlainTextResponse:
    """The end of what Blender said in the last attempt that ended badly; empty when none did."""
    return PlainTextResponse(services.jobs.log(job_id))


@router.post("/{job_id}/retry", dependencies=[needs(Role.SUBMIT), OWN_JOB])
def retry(job_id: JobPath, services: ServicesOf) -> JobView:
    """Try a job again that failed, was quarantined or cancelled."""
    return job_view(services.batches.retry_job(job_id))


@router.get(
    "/{job_id}/files/{name}", response_class=Response, responses=_FILE_RESPONSES, dependencies=[needs(Role.READ)]
)
def file(
    job_id: JobPath,
    name: Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")],
    request: Request,
    services: ServicesOf,
    _range: RangeHeader = None,
) -> Response:
    """A file of the job's result: manifest.json, contact-sheet.png, <style>-<partition>.tar, basis-<style>.png;
    of a clip, clip.mp4."""
    job = _finished(services, job_id)
    with _kept(services, job):
        return ranged(request, services.store, services.results.file(job.render_key, name), name)


@router.get(
    "/{job_id}/contact-sheet", response_class=Response, responses=_PICTURE_RESPONSES, dependencies=[needs(Role.READ)]
)
def contact_sheet(job_id: JobPath, request: Request, services: ServicesOf, _range: RangeHeader = None) -> Response:
    """The job's pictures at a glance."""
    job = _finished(services, job_id)
    with _kept(services, job):
        return ranged(request, services.store, services.results.file(job.render_key, CONTACT_SHEET), CONTACT_SHEET)


@router.get(
    "/{job_id}/images/{style}/{partition}/{name}",
    response_class=Response,
    responses=_PICTURE_RESPONSES,
    dependencies=[needs(Role.READ)],
)
def image(
    job_id: JobPath,
    style: Annotated[str, Path(pattern="^[a-z0-9_-]{1,32}$")],
    partition: Partition,
    name: Annotated[str, Path(pattern=r"^[0-9a-z_]{1,64}\.png$", description="`file` of an image in the manifest")],
    request: Request,
    services: ServicesOf,
    _range: RangeHeader = None,
) -> Response:
    """One picture, read out of its shard."""
    job = _finished(services, job_id)
    with _kept(services, job):
        return ranged(request, services.store, services.results.picture(job.render_key, style, partition, name), name)
