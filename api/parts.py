"""What the routes work with: made once for the application, given to each route by FastAPI."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from farm.catalog import Catalog
from farm.jobs.store import JobStore
from farm.storage import ObjectStore


@dataclass(frozen=True, slots=True)
class Parts:
    """The services behind the routes."""

    catalog: Catalog
    jobs: JobStore
    store: ObjectStore
    enqueue: Callable[[str], None]


def _parts(request: Request) -> Parts:
    parts = request.app.state.parts
    assert isinstance(parts, Parts)
    return parts


type PartsOf = Annotated[Parts, Depends(_parts)]
