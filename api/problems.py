"""Errors as application/problem+json: a status, a stable code and a sentence."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.schemas import Problem
from farm import errors

_STATUS: tuple[tuple[type[errors.FarmError], HTTPStatus], ...] = (
    (errors.NotFoundError, HTTPStatus.NOT_FOUND),
    (errors.ConflictError, HTTPStatus.CONFLICT),
    (errors.ServiceError, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.StorageError, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.FarmError, HTTPStatus.UNPROCESSABLE_CONTENT),
)


def problem(status: HTTPStatus, code: str, detail: str) -> Response:
    """The response for one problem."""
    body = Problem(title=status.phrase, status=status, detail=detail, code=code)
    return Response(body.model_dump_json(), status, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every error of `app` as a problem."""

    @app.exception_handler(errors.FarmError)
    def _farm_error(_: Request, error: errors.FarmError) -> Response:
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
        return problem(status, error.code, str(error))

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, error: RequestValidationError) -> Response:
        lines = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()[:10]]
        return problem(HTTPStatus.UNPROCESSABLE_CONTENT, "request-invalid", "; ".join(lines))

    @app.exception_handler(HTTPException)
    def _http(_: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        return problem(status, status.name.lower().replace("_", "-"), str(error.detail))
