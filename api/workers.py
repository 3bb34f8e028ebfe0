"""Routes for workers."""

from fastapi import APIRouter

from api.auth import needs
from api.schemas import DrainRequest, WorkerPath, WorkersAnswer, WorkerView
from api.services import Services, ServicesOf
from api.views import worker_view
from farm.errors import NotFoundError
from farm.jobs.listing import jobs_by_worker
from farm.keys import Role

router = APIRouter(prefix="/v1/workers", tags=["workers"])


@router.get("", dependencies=[needs(Role.READ)])
def workers(services: ServicesOf) -> WorkersAnswer:
    """Who works, and at what."""
    jobs = jobs_by_worker(services.jobs, services.queue)
    return WorkersAnswer(workers=[worker_view(worker, jobs) for worker in services.workers.all()])


@router.post("/{name:path}/drain", dependencies=[needs(Role.OPERATE)])
def drain(name: WorkerPath, request: DrainRequest, services: ServicesOf) -> WorkerView:
    """Give a worker no more jobs; it finishes those that it has."""
    services.workers.drain(name, request.reason)
    return _view(services, name)


@router.post("/{name:path}/resume", dependencies=[needs(Role.OPERATE)])
def resume(name: WorkerPath, services: ServicesOf) -> WorkerView:
    """Give a drained worker jobs again."""
    services.workers.resume(name)
    return _view(services, name)


def _view(services: Services, name: str) -> WorkerView:
    found = next((worker for worker in services.workers.all() if worker.name == name), None)
    if found is None:
        raise NotFoundError(f"Worker '{name}' has left.")
    return worker_view(found, jobs_by_worker(services.jobs, services.queue))
