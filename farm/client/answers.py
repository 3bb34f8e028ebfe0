"""Answers of the API as values."""

from typing import Any
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from farm.errors import ServiceError
from farm.wording import mistake


def part(text: str) -> str:
    """A name as one part of a path, whatever it holds."""
    return quote(text, safe="@")


def decoded(response: httpx.Response, url: str) -> Any:
    """The JSON of an answer of the API at `url`. Raises ServiceError when it is none."""
    try:
        return response.json()
    except ValueError as error:
        raise ServiceError(f"What answers at {url} is no farm's API: it sends no JSON. Set FARM_API_URL.") from error


def view_of[V: BaseModel](kind: type[V], answer: Any, url: str) -> V:
    """An answer of the API at `url` as a `kind`. Raises ServiceError when it is of another form."""
    try:
        return kind.model_validate(answer)
    except ValidationError as error:
        raise ServiceError(
            f"What the API at {url} answers is not understood; is it of another version than this program? "
            f"({error.errors()[0]['loc']}: {mistake(error.errors()[0])})"
        ) from error
