"""The application: `make` is what uvicorn runs (``uvicorn --factory api.app:make``)."""

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from api import backgrounds, batches, jobs, limits, models, operations, problems
from api.parts import Parts
from farm import __version__
from farm.catalog import Catalog
from farm.jobs.store import JobStore
from farm.settings import Settings
from farm.storage import open_store
from farm.worker.celery_app import enqueue, make_app


def make() -> FastAPI:
    """The application for the settings of the environment."""
    settings = Settings()
    store = open_store(settings)
    celery = make_app(settings)
    app = FastAPI(
        title="Facefarm",
        version=__version__,
        summary="Anime characters in, exactly annotated face images out",
        license_info={"name": "GPL-3.0-or-later"},
    )
    app.state.parts = Parts(
        catalog=Catalog(store),
        jobs=JobStore(settings.redis_url),
        store=store,
        enqueue=lambda job_id: enqueue(celery, job_id),
    )
    for routes in (models.router, backgrounds.router, batches.router, jobs.router, operations.router):
        app.include_router(routes)
    problems.install(app)
    app.add_middleware(limits.BodyLimit)

    @app.get("/", include_in_schema=False)
    def home() -> RedirectResponse:
        return RedirectResponse("/docs")

    return app
