"""The client of one farm's REST API."""

import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import BaseModel

from farm.client.annotations import AnnotationsClient
from farm.client.answers import decoded, part, view_of
from farm.client.download import download
from farm.client.events import EventStream
from farm.client.transport import PATIENCE_SECONDS, RefusedError, Transport
from farm.client.views import BatchView, JobView, ModelRef, RefusedModel, UploadedModel, WorkerView
from farm.client.watch import Source, Update, watch
from farm.dataset.manifest import CONTACT_SHEET, MANIFEST, ImageRecord, Manifest, read_manifest
from farm.errors import StorageError, WithdrawnModelError
from farm.jobs.batches import Webhook
from farm.jobs.states import WENT_WRONG, State
from farm.local_keys import known
from farm.models.inventory import Inventory
from farm.models.package import upload_form
from farm.settings import Settings
from farm.spec import RenderSpec

_PAGE = 1000
_BATCH_PAGE = 100
_NAME_CHARACTERS = 200
_NOT_FOUND, _CONFLICT = 404, 409


def _silent(_: str) -> None:
    """Nobody wants to know."""


class FarmClient:
    """Talks to the API at `url`, as the bearer of `key` (default: the setting FARM_API_KEY). May be used by several threads.

    Every method raises ServiceError when the API does not answer and RefusedError, with the API's own sentence, when it
    refuses. Lost connections and passing refusals (429, 502, 503, 504) are tried again for `patience` seconds, wherever
    a repetition does no harm; `tell` is then called with a sentence for the user.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        patience: float = PATIENCE_SECONDS,
        tell: Callable[[str], None] = _silent,
    ) -> None:
        self.url = url.rstrip("/")
        if key is None:
            key = Settings().api_key.get_secret_value() or known(self.url)
        self._transport = Transport(self.url, key, patience, tell)
        self.annotations = AnnotationsClient(self._transport)
        """Says which morph plays which target."""

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Models, backgrounds and motions

    def upload(self, path: Path, within: Path | None = None) -> tuple[list[UploadedModel], list[RefusedModel]]:
        """Upload the model file at `path` with its textures, or a zip of several.

        Textures are looked for in the folder `within`; None: in the model's own.
        Returns the models that the farm took and those that it refused; when it takes none, RefusedError.
        """
        name, data = upload_form(path, within)
        answer = self._json("POST", "/v1/models", files={"file": (_sendable(name), data)})
        taken, refused = _taken(answer)
        if len(taken) + len(refused) == 1:
            taken = [UploadedModel(model.id, _sendable(path.stem), model.inventory) for model in taken]
        return taken, refused

    def register(self, objects: Sequence[str]) -> tuple[list[UploadedModel], list[RefusedModel]]:
        """Take in models that stand in the farm's object store already: ``s3://bucket/key``, at most 100."""
        return _taken(self._json("POST", "/v1/models/register", again=False, json={"objects": list(objects)}))

    def models(self) -> Iterator[str]:
        """The ids of all models, sorted."""
        for page in self._pages("/v1/models", "after", {"limit": _PAGE}):
            yield from (str(model["id"]) for model in page["models"])

    def model(self, model: str) -> UploadedModel:
        """A model that the farm has."""
        return _uploaded(self._json("GET", f"/v1/models/{part(model)}"))

    def delete_model(self, model: str) -> None:
        """Forget a model; RefusedError while jobs that have not ended need it."""
        try:
            self._transport.ask("DELETE", f"/v1/models/{part(model)}")
        except RefusedError as error:
            if not (error.repeated and error.status == _NOT_FOUND):  # the try without an answer deleted it
                raise

    def withdraw_model(self, model: str, why: str) -> tuple[int, int]:
        """Take a model back for good: it, its jobs and its results go, and the farm keeps it out. For operators.

        Returns how many jobs were cancelled and how many results removed.
        """
        answer = self._json("POST", f"/v1/models/{part(model)}/withdrawal", json={"why": why})
        return int(answer["jobs_cancelled"]), int(answer["results_removed"])

    def upload_background(self, path: Path) -> str:
        """Upload a picture to compose over; its id, for `RenderSpec.backgrounds`."""
        answer = self._json("POST", "/v1/backgrounds", files={"file": (_sendable(path.name), path.read_bytes())})
        return str(answer["id"])

    def upload_motion(self, path: Path) -> str:
        """Upload a VMD or VRMA file whose frames are to be drawn; its id, for `RenderSpec.motion`."""
        answer = self._json("POST", "/v1/motions", files={"file": (_sendable(path.name), path.read_bytes())})
        return str(answer["id"])

    # Batches

    def submit(
        self,
        models: Sequence[ModelRef],
        spec: RenderSpec,
        mapping: str | None = None,
        name: str = "",
        *,
        priority: int = 0,
        paused: bool = False,
        webhook: Webhook | None = None,
        idempotency_key: str = "",
    ) -> BatchView:
        """Make a batch. However often the connection is lost, it is made once.

        `mapping` is the text of a mapping table. Under an `idempotency_key` that was used for the same request before,
        the answer is the batch of then, and `replayed`.
        """
        body: dict[str, Any] = {
            "name": name,
            "models": [{"id": model.id, "name": model.name[:_NAME_CHARACTERS]} for model in models],
            "spec": _asked(spec),
            "mapping": mapping,
            "priority": priority,
            "paused": paused,
        }
        if webhook is not None:
            body["webhook"] = {"url": webhook.url, "secret": webhook.secret}
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        response = self._transport.ask("POST", "/v1/batches", json=body, headers=headers)
        # Only a key of the caller's own can have been used before; with ours, it was a lost answer.
        replayed = bool(idempotency_key) and response.headers.get("Idempotent-Replayed") == "true"
        return self._view(BatchView, {**self._decoded(response), "replayed": replayed})

    def preview(
        self, model: str, samples: int = 4, spec: RenderSpec | None = None, mapping: str | None = None
    ) -> BatchView:
        """Render the first 1 to 20 samples of what a full run would give, ahead of everything else."""
        body = {
            "model": model,
            "samples": samples,
            "spec": _asked(spec or RenderSpec()),
            "mapping": mapping,
        }
        return self._view(BatchView, self._json("POST", "/v1/previews", again=False, json=body))

    def batch(self, batch: str) -> BatchView:
        """A batch and how far it is."""
        return self._view(BatchView, self._json("GET", f"/v1/batches/{part(batch)}"))

    def batches(self, state: str = "", name: str = "") -> Iterator[BatchView]:
        """All batches, newest first: those in `state` ("active", "paused", "ended"), those with `name` in their name."""
        query = {"limit": _BATCH_PAGE, **({"state": state} if state else {}), **({"name": name} if name else {})}
        for page in self._pages("/v1/batches", "cursor", query):
            yield from (self._view(BatchView, batch) for batch in page["batches"])

    def cancel(self, batch: str) -> BatchView:
        """Take back every job of the batch that has not ended."""
        return self._steer(batch, "cancel")

    def pause(self, batch: str) -> BatchView:
        """Stop the batch's jobs; what is drawn is kept."""
        return self._steer(batch, "pause")

    def resume(self, batch: str) -> BatchView:
        """Let the batch's jobs go on."""
        return self._steer(batch, "resume")

    def retry(self, batch: str, states: Iterable[State] = WENT_WRONG) -> int:
        """Try the batch's jobs in `states` (of failed, quarantined, cancelled) again; how many there were."""
        answer = self._json("POST", f"/v1/batches/{part(batch)}/retry", json={"states": list(states)})
        return int(answer["retried"])

    def set_priority(self, batch: str, priority: int) -> BatchView:
        """Let the batch go before those of lower priority (-10 to 10)."""
        answer = self._json("PUT", f"/v1/batches/{part(batch)}/priority", json={"priority": priority})
        return self._view(BatchView, answer)

    def events(self, batch: str | None = None, after: str | None = None) -> EventStream:
        """The changes of a batch until it ends, or of all for ever: from now on, or behind the event `after`."""
        if batch is None:
            return EventStream(self._transport, "/v1/events", after, None)
        return EventStream(self._transport, f"/v1/batches/{part(batch)}/events", after, lambda: self.batch(batch).ended)

    def watch(self, batch: str, jobs: bool = False) -> Iterator[Update]:
        """How far the batch is, several times a second until it has ended; with `jobs`, also which jobs ended."""
        source = Source(
            partial(self.batch, batch),
            partial(self.jobs, batch),
            self.job,
            partial(self.events, batch),
        )
        return watch(source, jobs)

    # Jobs and results

    def jobs(self, batch: str, states: Iterable[State] = ()) -> Iterator[JobView]:
        """The batch's jobs in order of submission: those in one of `states`, or all."""
        for page in self._pages(f"/v1/batches/{part(batch)}/jobs", "cursor", {"limit": _PAGE, "state": list(states)}):
            yield from (self._view(JobView, job) for job in page["jobs"])

    def job(self, job: str) -> JobView:
        """One job."""
        return self._view(JobView, self._json("GET", f"/v1/jobs/{part(job)}"))

    def retry_job(self, job: str) -> JobView:
        """Try a job again that failed, was quarantined or cancelled."""
        try:
            return self._view(JobView, self._json("POST", f"/v1/jobs/{part(job)}/retry"))
        except RefusedError as error:
            if error.repeated and error.status == _CONFLICT:  # the try without an answer did it
                return self.job(job)
            raise

    def log(self, job: str) -> str:
        """The end of Blender's log of the job's last attempt that ended badly; empty when none did."""
        return self._transport.ask("GET", f"/v1/jobs/{part(job)}/log").text

    def manifest(self, job: str) -> Manifest:
        """The manifest of a finished job. Raises WithdrawnModelError when its model was withdrawn since."""
        try:
            answer = self._transport.ask("GET", _file(job, MANIFEST))
        except RefusedError as error:
            if error.code == WithdrawnModelError.code:
                raise WithdrawnModelError(str(error)) from error
            raise
        return read_manifest(answer.content, f"The manifest of job {job}")

    def fetch(self, job: str, file: str, path: Path, size: int | None = None, sha256: str | None = None) -> None:
        """Bring a file of a finished job's result to `path`, whole or not at all.

        Goes on where it was when the connection is cut. Raises StorageError when what came is not of `size` (bytes) and
        `sha256`, where these are given.
        """
        download(self._transport, _file(job, file), path, size, sha256)

    def contact_sheet(self, job: str) -> bytes:
        """The contact sheet of a finished job, PNG."""
        return self._transport.ask("GET", f"/v1/jobs/{part(job)}/{CONTACT_SHEET.removesuffix('.png')}").content

    def image(self, job: str, image: ImageRecord) -> bytes:
        """One picture of a finished job, PNG, as its manifest lists it. Raises StorageError when it comes damaged."""
        path = f"/v1/jobs/{part(job)}/images/{image.style}/{image.partition}/{part(image.file)}"
        data = self._transport.ask("GET", path).content
        if hashlib.sha256(data).hexdigest() != image.sha256:
            raise StorageError(f"{path} came damaged: its SHA-256 is not that of the manifest. Fetch it again.")
        return data

    # Workers

    def workers(self) -> list[WorkerView]:
        """Every worker that was heard of within a day."""
        return [self._view(WorkerView, worker) for worker in self._json("GET", "/v1/workers")["workers"]]

    def drain_worker(self, name: str, reason: str) -> WorkerView:
        """Give the worker no more jobs; it finishes what it has."""
        return self._view(WorkerView, self._json("POST", f"/v1/workers/{part(name)}/drain", json={"reason": reason}))

    def resume_worker(self, name: str) -> WorkerView:
        """Give the worker jobs again."""
        return self._view(WorkerView, self._json("POST", f"/v1/workers/{part(name)}/resume"))

    def _steer(self, batch: str, what: str) -> BatchView:
        return self._view(BatchView, self._json("POST", f"/v1/batches/{part(batch)}/{what}"))

    def _json(self, method: str, path: str, again: bool = True, **arguments: Any) -> Any:
        return self._decoded(self._transport.ask(method, path, again, **arguments))

    def _decoded(self, response: httpx.Response) -> Any:
        return decoded(response, self.url)

    def _pages(self, path: str, cursor: str, query: dict[str, Any]) -> Iterator[Any]:
        while True:
            page = self._json("GET", path, params=query)
            yield page
            if page["next"] is None:
                return
            query = {**query, cursor: page["next"]}

    def _view[V: BaseModel](self, kind: type[V], answer: Any) -> V:
        return view_of(kind, answer, self.url)


def _sendable(name: str) -> str:
    """A file name as text: one that is no UTF-8 (from old archives) gets a question mark for every odd byte."""
    return name.encode("utf-8", "replace").decode()


def _asked(spec: RenderSpec) -> dict[str, Any]:
    """A specification as JSON. Which annotations count is left to the farm where the caller did not say it."""
    return spec.model_dump(mode="json", exclude={"annotation"} - spec.model_fields_set)


def _file(job: str, file: str) -> str:
    return f"/v1/jobs/{part(job)}/files/{part(file)}"


def _uploaded(answer: Any) -> UploadedModel:
    return UploadedModel(str(answer["id"]), str(answer["name"]), Inventory.model_validate(answer["inventory"]))


def _taken(answer: Any) -> tuple[list[UploadedModel], list[RefusedModel]]:
    refused = [RefusedModel(str(model["name"]), str(model["message"])) for model in answer["refused"]]
    return [_uploaded(model) for model in answer["models"]], refused
