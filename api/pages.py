"""The operators' page: what the farm does, why jobs failed, and buttons to change it.

Pages are made here, whole, and work without JavaScript: links, and forms that are posted and lead back to where they
stand. The one script asks for the same page again when `/v1/events` tells of a change, and puts in what differs.

Whether another site's page makes the browser post a form is asked by `auth.Gate` wherever the browser shows the key by
itself.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api import auth
from api.auth import needs
from api.framing import STATIC, Page, framed, root_of, sign_in_page
from api.ownership import NO_PREVIEW_AGAIN, OWN_BATCH, OWN_JOB
from api.schemas import BatchPath, JobPath, WorkerPath
from api.services import ServicesOf
from farm.errors import NotFoundError, UnauthorizedError
from farm.jobs import overview
from farm.jobs.listing import BatchState, jobs_by_worker, page_of_batches, page_of_jobs
from farm.jobs.states import WENT_WRONG, State, Work
from farm.keys import Role

BATCHES = 25
"""Batches on a page."""
JOBS = 50
"""Jobs on a page."""
SHEETS = 24
"""Contact sheets on a page."""


def _own_path(address: str, otherwise: str) -> str:
    """The path and query of `address`: a place on this server, wherever the address points."""
    split = urlsplit(address)
    if not split.path.startswith("/") or split.path[1:2] in ("/", "\\"):  # browsers take these for another host
        return otherwise
    return split.path + (f"?{split.query}" if split.query else "")


def _back(request: Request, otherwise: str, element: str = "") -> Response:
    """To the page whose form was posted, where `element` stands."""
    path = _own_path(request.headers.get("referer", ""), root_of(request) + otherwise)
    return RedirectResponse(path + (f"#{element}" if element else ""), HTTPStatus.SEE_OTHER)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.reasons = overview.Reasons(app.state.services.jobs)
    yield


router = APIRouter(include_in_schema=False, route_class=Page, lifespan=_lifespan)

type _Cursor = Annotated[str, Query(pattern="^([0-9]{1,15})?$")]


@router.get("/", dependencies=[needs(Role.READ)])
def home(
    request: Request,
    services: ServicesOf,
    cursor: _Cursor = "",
    state: BatchState | Literal[""] = "",
    name: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The farm: totals, batches, workers."""
    totals, workers = services.jobs.totals(), services.workers.all()
    return framed(
        request,
        "home.html",
        totals=totals,
        trouble=overview.trouble(totals, workers),
        page=page_of_batches(services.jobs, BATCHES, int(cursor) if cursor else None, state or None, name),
        state=state,
        name=name,
        cursor=cursor,
        workers=workers,
        work=jobs_by_worker(services.jobs, services.queue),
    )


@router.get("/batches/{batch_id}", dependencies=[needs(Role.READ)])
def batch(
    request: Request,
    batch_id: BatchPath,
    services: ServicesOf,
    cursor: _Cursor = "",
    sheets: _Cursor = "",
    state: State | Literal[""] = "",
    code: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """A batch: why jobs failed, its jobs, their pictures."""
    found = services.jobs.batch(batch_id)
    if code:
        page = overview.page_of_failures(services.jobs, batch_id, code, JOBS, int(cursor or 0))
    else:
        wanted = frozenset((state,)) if state else frozenset[State]()
        page = page_of_jobs(services.jobs, batch_id, JOBS, int(cursor or 0), wanted)
    return framed(
        request,
        "batch.html",
        batch=found,
        spec=json.dumps(found.record.spec.model_dump(mode="json"), indent=2, ensure_ascii=False),
        reasons=request.app.state.reasons.of(found),
        page=page,
        done=page_of_jobs(services.jobs, batch_id, SHEETS, int(sheets or 0), frozenset((State.DONE,))),
        state=state,
        code=code,
        cursor=cursor,
        sheets=sheets,
    )


@router.get("/jobs/{job_id}", dependencies=[needs(Role.READ)])
def job(request: Request, job_id: JobPath, services: ServicesOf) -> Response:
    """A job: its attempts, what Blender said, its pictures."""
    found = services.jobs.job(job_id)
    its_batch = services.jobs.batch(found.batch)
    shows = found.state is State.DONE and found.work is Work.RESULT and not found.withdrawn
    return framed(
        request,
        "job.html",
        job=found,
        batch=its_batch,
        log=services.jobs.log(job_id),
        pictures=overview.some_pictures(found, its_batch.record.spec) if shows else [],
    )


@router.post("/batches/{batch_id}/pause", dependencies=[needs(Role.SUBMIT), OWN_BATCH])
def pause(request: Request, batch_id: BatchPath, services: ServicesOf) -> Response:
    """As the API's route of this name; so are those below."""
    services.batches.set_paused(batch_id, True)
    return _back_to_batch(request, batch_id)


@router.post("/batches/{batch_id}/resume", dependencies=[needs(Role.SUBMIT), OWN_BATCH])
def resume(request: Request, batch_id: BatchPath, services: ServicesOf) -> Response:
    services.batches.set_paused(batch_id, False)
    return _back_to_batch(request, batch_id)


@router.post("/batches/{batch_id}/cancel", dependencies=[needs(Role.SUBMIT), OWN_BATCH])
def cancel(request: Request, batch_id: BatchPath, services: ServicesOf) -> Response:
    services.batches.cancel(batch_id)
    return _back_to_batch(request, batch_id)


@router.post("/batches/{batch_id}/retry", dependencies=[needs(Role.SUBMIT), OWN_BATCH, NO_PREVIEW_AGAIN])
def retry(
    request: Request,
    batch_id: BatchPath,
    services: ServicesOf,
    which: Annotated[Literal["failed", "cancelled"], Form()],
) -> Response:
    services.batches.retry(batch_id, frozenset(WENT_WRONG) if which == "failed" else frozenset((State.CANCELLED,)))
    return _back_to_batch(request, batch_id)


@router.post("/batches/{batch_id}/priority", dependencies=[needs(Role.OPERATE)])
def set_priority(
    request: Request, batch_id: BatchPath, services: ServicesOf, priority: Annotated[int, Form()]
) -> Response:
    services.batches.set_priority(batch_id, priority)
    return _back_to_batch(request, batch_id)


def _back_to_batch(request: Request, batch_id: str) -> Response:
    return _back(request, f"/batches/{batch_id}", f"batch-{batch_id}")


@router.post("/jobs/{job_id}/retry", dependencies=[needs(Role.SUBMIT), OWN_JOB])
def retry_job(request: Request, job_id: JobPath, services: ServicesOf) -> Response:
    services.batches.retry_job(job_id)
    return _back(request, f"/jobs/{job_id}", f"job-{job_id}")


@router.post("/workers/{name:path}/drain", dependencies=[needs(Role.OPERATE)])
def drain(request: Request, name: WorkerPath, services: ServicesOf) -> Response:
    services.workers.drain(name, f"{auth.principal(request).name} drained it on the operators' page.")
    return _back(request, "/", "workers")


@router.post("/workers/{name:path}/resume", dependencies=[needs(Role.OPERATE)])
def resume_worker(request: Request, name: WorkerPath, services: ServicesOf) -> Response:
    services.workers.resume(name)
    return _back(request, "/", "workers")


@router.get("/sign-in")
def show_sign_in(request: Request) -> Response:
    """Asks for a key."""
    if not request.app.state.keys.configured:
        return RedirectResponse(f"{root_of(request)}/", HTTPStatus.SEE_OTHER)
    return sign_in_page(request)


@router.post("/sign-in")
def sign_in(
    request: Request, key: Annotated[str, Form(max_length=200)], leads_to: Annotated[str, Form(max_length=2000)] = ""
) -> Response:
    """Begins a session."""
    welcome = RedirectResponse(_own_path(leads_to, f"{root_of(request)}/"), HTTPStatus.SEE_OTHER)
    try:
        auth.sign_in(request, welcome, key.strip())
    except UnauthorizedError as error:
        return sign_in_page(request, str(error), HTTPStatus.UNAUTHORIZED, leads_to)
    return welcome


@router.post("/sign-out", dependencies=[needs(Role.READ)])
def sign_out(request: Request) -> Response:
    """Ends the session. Only a browser that shows one is heard: no other site's page can ask for it."""
    gone = RedirectResponse(f"{root_of(request)}/sign-in", HTTPStatus.SEE_OTHER)
    auth.sign_out(request, gone)
    return gone


@router.get("/static/{name}")
def static(name: str) -> Response:
    """The style sheet, the script and the icon; open, as the code is."""
    if name not in STATIC:
        raise NotFoundError(f"There is no file '{name}'.")
    kind, body = STATIC[name]
    return Response(
        body, media_type=kind,
        headers={"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"},
    )  # fmt: skip
