"""What goes over HTTP, as JSON."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from farm.jobs.states import Job, State
from farm.jobs.store import Batch
from farm.jobs.submission import MAX_MODELS
from farm.models.inventory import Inventory
from farm.models.package import Package, Refusal
from farm.spec import RenderSpec

_MODEL_ID = r"^[0-9a-f]{64}$"


class Problem(BaseModel):
    """An error, as application/problem+json (RFC 9457)."""

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: int
    detail: str
    """A sentence that says what is wrong and what to do."""
    code: str
    """Stable, for programs."""


class ModelView(BaseModel):
    """A model that the farm has taken in."""

    id: str
    name: str
    inventory: Inventory


class RefusedModel(BaseModel):
    """A model of an upload that cannot be used."""

    name: str
    code: str
    message: str


class UploadAnswer(BaseModel):
    """What became of an upload."""

    models: list[ModelView]
    refused: list[RefusedModel]


class BackgroundView(BaseModel):
    """A background that the farm has taken in."""

    id: str
    width: int
    height: int


class BatchEntry(BaseModel):
    """A model of a batch."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=_MODEL_ID)
    name: str = Field("", max_length=200, description="A label for people; the model's hash if empty")


class BatchRequest(BaseModel):
    """A batch to render."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("", max_length=200)
    models: list[BatchEntry] = Field(min_length=1, max_length=MAX_MODELS)
    spec: RenderSpec = RenderSpec()
    mapping: str | None = Field(
        None,
        max_length=16 * 2**20,
        description="CSV text of an edited mapping table; without it names are matched alone",
    )


class BatchView(BaseModel):
    """A batch and how far it is."""

    id: str
    name: str
    created: str
    spec: RenderSpec
    jobs: dict[State, int]
    images_total: int
    images_done: int
    ended: bool


class JobView(BaseModel):
    """One model in one batch."""

    id: str
    batch: str
    model: str
    name: str
    state: State
    attempt: int
    samples: int
    images_total: int
    images_done: int
    annotation: dict[str, str]
    render_key: str
    error_code: str
    error: str
    warnings: list[str]


class Autoscale(BaseModel):
    """The numbers that an autoscaler needs; running work counts, or it would stop workers in the middle of a model."""

    backlog_images: int
    queued_jobs: int
    running_jobs: int


def model_view(package: Package) -> ModelView:
    """A model as HTTP shows it."""
    return ModelView(id=package.id, name=package.name, inventory=package.inventory)


def refused_model(refusal: Refusal) -> RefusedModel:
    """A refused model as HTTP shows it."""
    return RefusedModel(name=refusal.name, code=refusal.error.code, message=str(refusal.error))


def batch_view(batch: Batch) -> BatchView:
    """A batch as HTTP shows it."""
    return BatchView(
        id=batch.id,
        name=batch.name,
        created=batch.created,
        spec=batch.spec,
        jobs=batch.counts,
        images_total=batch.images_total,
        images_done=batch.images_done,
        ended=batch.ended,
    )


def job_view(job: Job) -> JobView:
    """A job as HTTP shows it."""
    return JobView.model_validate(job.to_json())
