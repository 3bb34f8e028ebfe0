"""Answers with stored bytes: whole, or the one range that a client asks for (RFC 9110, section 14)."""

import re
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header, Request, Response
from fastapi.responses import StreamingResponse

from api.etags import not_modified
from api.problems import problem
from farm.results import Stored
from farm.storage import ObjectStore, content_type

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.ASCII)
_MAX_DIGITS = 18
"""Of a place in an object; no store holds longer ones."""

type RangeHeader = Annotated[str | None, Header(alias="Range", description="One range of bytes, such as bytes=0-1023")]

_CONTENT_RANGE = {"Content-Range": {"schema": {"type": "string"}}}
RANGE_RESPONSES: dict[int | str, dict[str, Any]] = {
    206: {"description": "The range that was asked for", "headers": _CONTENT_RANGE},
    416: {
        "description": "No such range in what is there",
        "headers": _CONTENT_RANGE,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}
"""What `ranged` answers with beside 200, for `responses` of a route."""


def wanted_range(header: str, size: int) -> range | None:
    """The bytes that a Range header asks for, of `size` that there are; empty when there are none of them.

    None for what the standard wants ignored: other units, several ranges, no range.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or max(map(len, match.groups())) > _MAX_DIGITS:
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return range(min(int(first), size), min(int(last) + 1, size) if last else size)


def ranged(request: Request, store: ObjectStore, stored: Stored, name: str) -> Response:
    """The bytes of `stored` as the request wants them; `name` tells their media type."""
    etag = f'"{stored.sha256}"' if stored.sha256 else ""
    if etag and (unchanged := not_modified(request, etag)):
        return unchanged
    headers = {"Accept-Ranges": "bytes", **({"ETag": etag, "Cache-Control": "private, no-cache"} if etag else {})}
    span, status = range(stored.size), HTTPStatus.OK
    # With If-Range the client says of which version it has the rest.
    if request.headers.get("if-range", etag) == etag and (asked := request.headers.get("range")):
        found = wanted_range(asked, stored.size)
        if found is not None and not found:
            return problem(
                HTTPStatus.RANGE_NOT_SATISFIABLE,
                "range-not-satisfiable",
                f"There are {stored.size} bytes; ask for some of them.",
                {"Content-Range": f"bytes */{stored.size}"},
            )
        if found is not None:
            span, status = found, HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{stored.size}"
    headers["Content-Length"] = str(len(span))
    pieces = store.stream(stored.key, stored.start + span.start, len(span))
    return StreamingResponse(pieces, status, headers, content_type(name))
