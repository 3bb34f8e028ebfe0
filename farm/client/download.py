"""Brings a file over, and goes on where it was when the connection is cut."""

import hashlib
from pathlib import Path
from typing import BinaryIO

import httpx

from farm.client.transport import Transport, is_passing, pause_of, refusal_of
from farm.errors import StorageError

_SILENCE_SECONDS = 60.0


def download(transport: Transport, url: str, path: Path, size: int | None, sha256: str | None) -> None:
    """Leave what `url` answers at `path`, whole or not at all; `size` (bytes) and `sha256` are checked where known.

    Raises ServiceError, RefusedError, and StorageError when something else came than was to come.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as sink:
            _fetch(transport, url, sink)
        _check(url, part, size, sha256)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _fetch(transport: Transport, url: str, sink: BinaryIO) -> None:
    patience = transport.patience()
    tag = ""  # names what the beginning of the file belongs to
    total: int | None = None
    while total is None or sink.tell() < total:
        have = sink.tell() if tag else 0
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": tag}
        try:
            with transport.stream(url, _SILENCE_SECONDS, headers=headers) as response:
                if not response.is_success:
                    response.read()
                    if not is_passing(response):
                        raise refusal_of(response)
                    patience.wait(refusal_of(response), pause_of(response))
                    continue
                if response.status_code != httpx.codes.PARTIAL_CONTENT:
                    have = 0
                    tag = _strong(response.headers.get("ETag", ""))
                    total = _number(response.headers.get("Content-Length", ""))
                sink.seek(have)
                sink.truncate()
                for (
                    piece
                ) in response.iter_raw():  # as it comes: what is collected to larger pieces is lost with the cut
                    sink.write(piece)
                    patience.renew()
                return
        except httpx.TransportError as error:
            transport.wait(patience, error)


def _strong(tag: str) -> str:
    return "" if tag.startswith("W/") else tag


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _check(url: str, path: Path, size: int | None, sha256: str | None) -> None:
    found = path.stat().st_size
    if size is not None and found != size:
        raise StorageError(f"{url} came with {found} bytes instead of {size}; fetch it again.")
    if sha256 is not None:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise StorageError(f"{url} came damaged: its SHA-256 is not that of the manifest. Fetch it again.")
