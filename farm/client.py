"""The REST client that the command line uses; Python programs can too."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from farm.dataset.manifest import MANIFEST, Manifest
from farm.errors import FarmError, ServiceError
from farm.models.inventory import Inventory
from farm.models.package import upload_form
from farm.spec import RenderSpec

_TIMEOUT = httpx.Timeout(60, connect=5)


class RefusedError(FarmError):
    """The API refused a request; the message is its own sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class UploadedModel:
    """A model that the farm took in."""

    id: str
    name: str
    inventory: Inventory


@dataclass(frozen=True, slots=True)
class RefusedModel:
    """A model of an upload that the farm refused, and its sentence."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is."""

    images_done: int
    images_total: int
    jobs: dict[str, int]
    """Jobs by state."""
    ended: bool


@dataclass(frozen=True, slots=True)
class JobSummary:
    """One job of a batch."""

    id: str
    model: str
    name: str
    state: str
    images_total: int
    error_code: str
    error: str
    warnings: list[str]


def _sendable(name: str) -> str:
    """A file name as text: one that is no UTF-8 (from old archives) gets a question mark for every odd byte."""
    return name.encode("utf-8", "replace").decode()


class FarmClient:
    """Talks to one API. Every method raises ServiceError when it does not answer and RefusedError when it refuses."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _ask(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            response = self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise self._away(error) from error
        self._check(response)
        return response.json()

    def _away(self, error: Exception) -> ServiceError:
        return ServiceError(
            f"The API at {self._url} does not answer ({error}). Start one with `farm up`, or set FARM_API_URL."
        )

    @staticmethod
    def _check(response: httpx.Response) -> None:
        if response.is_success:
            return
        try:
            body = response.json()
            raise RefusedError(response.status_code, str(body["code"]), str(body["detail"]))
        except (ValueError, KeyError, TypeError) as error:
            text = response.text[:200]
            raise RefusedError(response.status_code, "http", f"HTTP {response.status_code}: {text}") from error

    def upload(self, path: Path) -> tuple[list[UploadedModel], list[RefusedModel]]:
        """Upload the model file at `path` with its textures, or a zip of several.

        Returns the models that the farm took and those that it refused; when it takes none, RefusedError.
        """
        name, data = upload_form(path)
        answer = self._ask("POST", "/v1/models", files={"file": (_sendable(name), data)})
        alone = len(answer["models"]) + len(answer["refused"]) == 1
        taken = [
            UploadedModel(
                model["id"],
                _sendable(path.stem) if alone else model["name"],
                Inventory.model_validate(model["inventory"]),
            )
            for model in answer["models"]
        ]
        return taken, [RefusedModel(model["name"], model["message"]) for model in answer["refused"]]

    def upload_background(self, path: Path) -> str:
        """Upload a picture to compose over; its id, for `RenderSpec.backgrounds`."""
        answer = self._ask("POST", "/v1/backgrounds", files={"file": (_sendable(path.name), path.read_bytes())})
        return str(answer["id"])

    def submit(self, models: list[UploadedModel], spec: RenderSpec, mapping: str | None, name: str = "") -> str:
        """Make a batch; its id."""
        body = {
            "name": name,
            "models": [{"id": model.id, "name": model.name[:200]} for model in models],
            "spec": spec.model_dump(mode="json"),
            "mapping": mapping,
        }
        return str(self._ask("POST", "/v1/batches", json=body)["id"])

    def progress(self, batch: str) -> Progress:
        """How far the batch is."""
        answer = self._ask("GET", f"/v1/batches/{batch}")
        return Progress(answer["images_done"], answer["images_total"], answer["jobs"], answer["ended"])

    def jobs(self, batch: str) -> list[JobSummary]:
        """All jobs of the batch."""
        found: list[JobSummary] = []
        while True:
            page = self._ask("GET", f"/v1/batches/{batch}/jobs", params={"first": len(found), "limit": 1000})
            names = JobSummary.__dataclass_fields__
            found += [JobSummary(**{name: job[name] for name in names}) for job in page]
            if len(page) < 1000:
                return found

    def cancel(self, batch: str) -> None:
        """Take back every job of the batch that has not ended."""
        self._ask("POST", f"/v1/batches/{batch}/cancel")

    def manifest(self, job: str) -> Manifest:
        """The manifest of a finished job."""
        return Manifest.model_validate(self._ask("GET", f"/v1/jobs/{job}/files/{MANIFEST}"))

    def fetch(self, job: str, file: str, path: Path) -> None:
        """Bring a file of a finished job's result to `path`."""
        try:
            with self._http.stream("GET", f"/v1/jobs/{job}/files/{file}") as response:
                if not response.is_success:
                    response.read()
                    self._check(response)
                with path.open("wb") as sink:
                    for piece in response.iter_bytes(2**20):
                        sink.write(piece)
        except httpx.HTTPError as error:
            raise self._away(error) from error
