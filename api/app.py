"""The application: `make` is what uvicorn runs (``uvicorn --factory api.app:make``)."""

import gc
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from api import (
    annotate,
    annotations,
    auth,
    autoscale,
    backgrounds,
    batches,
    bodies,
    collections,
    documentation,
    etags,
    events,
    inspections,
    jobs,
    limits,
    log_context,
    models,
    motions,
    operations,
    pages,
    policy,
    prefix,
    previews,
    problems,
    records,
    timing,
    uploads,
    withdrawals,
    workers,
)
from api.exposition import Exposition
from api.services import make_services
from farm import __version__, logs
from farm.keys import keys_for_api
from farm.settings import Settings

log = logging.getLogger(__name__)
_SWITCH_SECONDS = 0.0005
"""How long a thread may keep the interpreter while others wait (Python's own: 5 ms). A question about a batch changes
hands some ten times until it is answered, so beside a submission of thousands of models it would wait as often."""


def make() -> FastAPI:
    """The application for the settings of the environment. Raises KeysError when nobody could be kept out."""
    settings = Settings()
    logs.configure(settings.log_format, settings.secrets)
    keys = keys_for_api(settings)
    services = make_services(settings)
    sys.setswitchinterval(_SWITCH_SECONDS)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        services.keeper.start()
        services.messenger.start()
        log.info("Facefarm %s serves; Redis is at %s", __version__, services.connection.address)
        try:
            yield
        finally:
            services.messenger.stop()
            services.keeper.stop()
            services.readers.close()

    app = FastAPI(
        title="Facefarm",
        version=__version__,
        summary="Anime characters in, exactly annotated face images out",
        license_info={"name": "GPL-3.0-or-later"},
        lifespan=lifespan,
        responses=problems.RESPONSES,
        docs_url=None,  # the framework's page loads its script from another host
        redoc_url=None,
    )
    app.state.services = services
    app.state.exposition = Exposition(settings)
    app.state.keys = keys
    app.state.sessions = services.sessions
    for module in (
        models, withdrawals, uploads, backgrounds, motions, batches, previews, jobs, events, workers, annotations, records,
        collections, inspections, operations, autoscale, annotate, documentation, pages,
    ):  # fmt: skip
        app.include_router(module.router)
    problems.install(app)
    _tell_of_not_modified(app)

    # From the inside to the outside.
    app.add_middleware(timing.Inside)
    app.add_middleware(prefix.Inside, path=settings.api_path)
    app.add_middleware(etags.ETags)
    app.add_middleware(bodies.BodyLimit)
    app.add_middleware(limits.Share)
    app.add_middleware(limits.RateLimit, rate=settings.rate_limit)
    app.add_middleware(auth.Gate, keys=keys, sessions=services.sessions)
    app.add_middleware(problems.LastResort)
    app.add_middleware(log_context.LogContext)
    app.add_middleware(policy.Policy)
    app.add_middleware(timing.Outside)
    app.add_middleware(prefix.Outside, path=settings.api_path)
    # None of this is ever garbage, and looking through it took a quarter of a second, now and then, of somebody's answer.
    gc.collect()
    gc.freeze()
    return app


def _tell_of_not_modified(app: FastAPI) -> None:
    """Say in the OpenAPI document what `etags` does."""
    document = app.openapi

    def with_not_modified() -> dict[str, Any]:
        made = document()
        for operations_of_path in made["paths"].values():
            if "get" in operations_of_path:
                operations_of_path["get"]["responses"].setdefault(
                    "304", {"description": "Nothing has changed since the answer that `If-None-Match` names"}
                )
        return made

    app.openapi = with_not_modified  # type: ignore[method-assign]
