"""Routes for jobs and their results."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse

from api.parts import PartsOf
from api.schemas import JobView, job_view
from farm.dataset.manifest import result_object
from farm.errors import ConflictError
from farm.jobs.states import State
from farm.storage import content_type

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get("/{job_id}")
def show(job_id: str, parts: PartsOf) -> JobView:
    """One job."""
    return job_view(parts.jobs.job(job_id))


@router.get("/{job_id}/files/{name}", response_class=StreamingResponse)
def file(
    job_id: str, name: Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")], parts: PartsOf
) -> StreamingResponse:
    """A file of the job's result: manifest.json, contact-sheet.png, <style>-<partition>.tar, basis-<style>.png."""
    job = parts.jobs.job(job_id)
    if job.state is not State.DONE:
        raise ConflictError(f"Job {job_id} is {job.state}; it has files when it is done.")
    return StreamingResponse(parts.store.stream(result_object(job.render_key, name)), media_type=content_type(name))
