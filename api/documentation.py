"""The page that shows the routes and tries them out. Swagger's files come from a package, never from another host."""

from importlib.resources import files
from pathlib import PurePosixPath

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from farm.errors import NotFoundError

router = APIRouter(prefix="/docs", include_in_schema=False)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Addresses from /docs on: a proxy may show the farm under a path.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Facefarm: REST API</title>
<link rel="icon" href="static/icon.svg">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = b"""SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_PACKAGED = ("swagger-ui.css", "swagger-ui-bundle.js")


@router.get("")
def page() -> Response:
    """The page; open, as the code is."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@router.get("/{name}")
def file(name: str) -> Response:
    """A script or a style sheet of the page."""
    if name == "start.js":
        body = _START
    elif name in _PACKAGED:
        body = files("fastapi_swagger.resources").joinpath(name).read_bytes()
    else:
        raise NotFoundError(f"There is no file '{name}'.")
    return Response(body, media_type=_KINDS[PurePosixPath(name).suffix], headers={"Cache-Control": "max-age=86400"})
