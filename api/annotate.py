"""The page for annotation: `/annotate` lists collections and makes them, `/annotate/NAME/` is the page of one.

The page is that of `farm annotate --html`, file for file. Where a page on the disk finds its data, one here finds the script
that asks the farm for them.
"""

import json
from http import HTTPStatus
from importlib.resources import files
from pathlib import PurePath
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.annotation_schemas import COLLECTION_NAME, CollectionPath
from api.auth import PrincipalOf, needs
from api.framing import HEADERS, Page, framed, root_of
from api.services import Services, ServicesOf
from farm.annotations.collections import MAX_MODELS
from farm.annotations.groups import Collection
from farm.errors import NotFoundError, SpecError
from farm.inspection.page import ASSETS
from farm.jobs.store import utc_now
from farm.keys import Role
from farm.morphs.vocabulary import all_targets
from farm.poses import MANY_TARGETS, SAMPLES_FEW, SAMPLES_MANY

router = APIRouter(prefix="/annotate", include_in_schema=False, route_class=Page)
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HOME = files("farm.inspection").joinpath("assets")
_FILES = {name: _HOME.joinpath(name).read_bytes() for name in (*ASSETS, "farm.js", "index.html")}
_LISTED = 1000
"""Models asked for at a time."""


@router.get("", dependencies=[needs(Role.READ)])
def collections(request: Request, services: ServicesOf) -> Response:
    """The collections, and a form for a new one."""
    kept = services.annotations.collections
    return framed(request, "annotate.html", collections=[kept.read(name) for name in kept.names()])


@router.post("", dependencies=[needs(Role.ANNOTATE)])
def create(
    request: Request,
    services: ServicesOf,
    who: PrincipalOf,
    name: Annotated[str, Form(pattern=COLLECTION_NAME)],
    which: Annotated[Literal["new", "all"], Form()],
) -> Response:
    """Make a collection of all models that the farm has, or of those that are in none, and open it."""
    models = _models(services)
    kept = services.annotations.collections
    if which == "new":
        inside = {model for other in kept.names() if other != name for model in kept.read(other).models}
        models = [model for model in models if model not in inside]
    if not models:
        raise SpecError(
            "There are no such models: upload some (farm submit, POST /v1/models), or take all of the farm's."
        )
    kept.create(Collection(name=name, models=tuple(models), who=who.name, when=utc_now()))
    services.annotations.rows(name)  # digests it, so that its page need not wait
    return RedirectResponse(f"{root_of(request)}/annotate/{name}/", HTTPStatus.SEE_OTHER)


def _models(services: Services) -> list[str]:
    """All models of the farm. Raises SpecError when they are too many for a collection."""
    found: list[str] = []
    while more := services.catalog.models(found[-1] if found else "", _LISTED):
        found += more
        if len(found) > MAX_MODELS:
            raise SpecError(
                f"The farm has more than {MAX_MODELS} models, the limit of a collection; choose some with "
                "POST /v1/annotations/collections."
            )
    return found


@router.get("/{collection}/", dependencies=[needs(Role.READ)])
def show(collection: CollectionPath, services: ServicesOf) -> Response:
    """The page of a collection."""
    services.annotations.collections.read(collection)
    return _file("index.html")


@router.get("/{collection}/data/index.js", dependencies=[needs(Role.READ)])
def data(collection: CollectionPath, services: ServicesOf, who: PrincipalOf) -> Response:
    """The script that fills the page: that it is the farm's, who looks at it, and what a decision may be."""
    services.annotations.collections.read(collection)
    told = {
        "collection": collection,
        "may": [role.value for role in Role if who.may(role)],
        "targets": [[name, target.part, target.sampled] for name, target in all_targets().items()],
        "rule": {"many": MANY_TARGETS, "samples_many": SAMPLES_MANY, "samples_few": SAMPLES_FEW},
    }
    return _file("farm.js", f"\ninspection.begin({json.dumps(told)});\n".encode())


@router.get("/{collection}/assets/{name}")
def asset(name: str) -> Response:
    """A style sheet or script; open, as the code is."""
    if name not in ASSETS:
        raise NotFoundError(f"There is no file '{name}'.")
    return _file(name)


def _file(name: str, more: bytes = b"") -> Response:
    return Response(_FILES[name] + more, media_type=_KINDS[PurePath(name).suffix], headers=HEADERS)
