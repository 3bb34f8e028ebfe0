"""Routes for workers."""

from fastapi import APIRouter

from api.auth import needs
from api.parts import Parts, PartsOf
from api.schemas import DrainRequest, WorkerPath, WorkersAnswer, WorkerView, worker_view
from farm.errors import NotFoundError
from farm.jobs.listing import jobs_by_worker
from farm.keys import Role

router = APIRouter(prefix="/v1/workers", tags=["workers"])


@router.get("", dependencies=[needs(Role.READ)])
def workers(parts: PartsOf) -> WorkersAnswer:
    """Who works, and at what."""
    jobs = jobs_by_worker(parts.jobs, parts.queue)
    return WorkersAnswer(workers=[worker_view(worker, jobs) for worker in parts.workers.all()])


@router.post("/{name}/drain", dependencies=[needs(Role.OPERATE)])
def drain(name: WorkerPath, request: DrainRequest, parts: PartsOf) -> WorkerView:
    """Give a worker no more jobs; it finishes those that it has."""
    parts.workers.drain(name, request.reason)
    return _view(parts, name)


@router.post("/{name}/resume", dependencies=[needs(Role.OPERATE)])
def resume(name: WorkerPath, parts: PartsOf) -> WorkerView:
    """Give a drained worker jobs again."""
    parts.workers.resume(name)
    return _view(parts, name)


def _view(parts: Parts, name: str) -> WorkerView:
    found = next((worker for worker in parts.workers.all() if worker.name == name), None)
    if found is None:
        raise NotFoundError(f"Worker '{name}' has left.")
    return worker_view(found, jobs_by_worker(parts.jobs, parts.queue))
