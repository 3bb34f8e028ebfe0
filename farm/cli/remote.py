"""What the commands that talk to a farm share: where it is, and what their arguments mean there."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from farm.cli.console import note
from farm.client import FarmClient
from farm.errors import NotFoundError
from farm.settings import Settings

_BATCH_ID = re.compile(r"[0-9a-f]{16}")
_NEWEST = 100
"""Batches among which the beginning of an id is looked for."""


def connect(url: str) -> FarmClient:
    """A client that tells the user when it has to wait for the API."""
    return FarmClient(url, tell=lambda sentence: note("waiting", "yellow", sentence))


def remote[R](command: Callable[..., R]) -> Callable[..., R]:
    """The option --api; `command` gets the API as `client`, a FarmClient."""

    @click.option(
        "--api", "url", default=lambda: Settings().api_url, show_default="FARM_API_URL", help="The farm's API."
    )
    @wraps(command)
    def connected(url: str, **values: Any) -> R:
        with connect(url) as client:
            return command(client=client, **values)

    return connected


def batch_id(client: FarmClient, text: str) -> str:
    """The id of the batch that a user means: an id, or the beginning of the id of one of the newest batches.

    Raises NotFoundError when there is none or more than one.
    """
    if _BATCH_ID.fullmatch(text):
        return text
    newest = [batch.id for batch, _ in zip(client.batches(), range(_NEWEST), strict=False)]
    found = [batch for batch in newest if text and batch.startswith(text.lower())]
    if not found:
        raise NotFoundError(
            f"None of the newest {_NEWEST} batches has an id that begins with '{text}'; `farm status` lists them."
        )
    if len(found) > 1:
        raise NotFoundError(f"'{text}' is the beginning of several ids: {', '.join(found)}. Type more of it.")
    return found[0]


def is_job(text: str) -> bool:
    """Whether the text names a job and not a batch."""
    return "-" in text


def job_id(client: FarmClient, text: str) -> str:
    """The id of the job that a user means: ``<batch>-<place>``, the batch as in `batch_id`. Raises NotFoundError."""
    batch, _, place = text.rpartition("-")
    if not place.isascii() or not place.isdigit():
        raise NotFoundError(f"'{text}' is no job; jobs are named BATCH-NUMBER, as `farm status BATCH` lists them.")
    return f"{batch_id(client, batch)}-{place}"
