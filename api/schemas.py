"""What goes over HTTP, as JSON."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from farm.jobs.batches import PRIORITIES
from farm.jobs.states import WENT_WRONG, Retriable, State
from farm.jobs.submission import MAX_MODELS
from farm.jobs.webhooks import DeliveryState
from farm.models.inventory import Inventory
from farm.models.package import MAX_MODEL_BYTES
from farm.morphs.provenance import Provenance
from farm.morphs.refs import MorphRef
from farm.spec import RenderSpec

_HASH = "^[0-9a-f]{64}$"
_TEXT = r"^[^\x00]*$"
"""Any text that can be stored and shown."""
MAX_MAPPING_CHARACTERS = 16 * 2**20
MAX_OFFERS = 1000
MAX_OBJECTS = 100
MAX_PROPOSALS = 1000
MAX_PREVIEW_SAMPLES = 20


def _number(value: object) -> object:
    if isinstance(value, (bool, str)):
        raise ValueError("give a whole number")  # noqa: TRY004 - which pydantic takes for an answer
    return value


WholeNumber = Annotated[int, BeforeValidator(_number)]
"""What JSON Schema means by an integer: 7 and 7.0, neither "7" nor true."""
type ModelId = Annotated[str, Field(pattern=_HASH)]
type ModelPath = Annotated[str, Path(pattern=_HASH, description="A model's content hash")]
type BackgroundPath = Annotated[str, Path(pattern=_HASH, description="A background's content hash")]
type MotionPath = Annotated[str, Path(pattern=_HASH, description="A motion's content hash")]
type BatchPath = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="A batch's id")]
type JobPath = Annotated[str, Path(pattern="^[0-9a-f]{16}-[0-9]{1,6}$", description="A job's id")]
type WorkerPath = Annotated[str, Path(pattern="^[^\\x00-\\x1f\\x7f]{1,400}$", description="A worker's name")]
Priority = Annotated[int, Field(ge=PRIORITIES.start, le=PRIORITIES.stop - 1), BeforeValidator(_number)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ModelView(BaseModel):
    """A model that the farm has taken in."""

    id: str
    name: str
    inventory: Inventory
    pictured: bool = Field(
        False,
        description="Whether its proposals are by pictures of its morphs, as a render's are; false: these are not drawn yet",
    )


class RefusedModel(BaseModel):
    """A model of an upload that cannot be used."""

    name: str
    code: str
    message: str


class UploadAnswer(BaseModel):
    """What became of an upload."""

    models: list[ModelView]
    refused: list[RefusedModel]


class UploadFile(_Request):
    """A file to be uploaded."""

    name: str = Field(min_length=1, max_length=255, pattern=_TEXT)
    bytes: WholeNumber = Field(ge=1, le=MAX_MODEL_BYTES, description="Its length; the address takes no other")


class UploadsRequest(_Request):
    """Files that want addresses to be uploaded to."""

    files: list[UploadFile] = Field(min_length=1, max_length=MAX_OFFERS)


class UploadOffer(BaseModel):
    """Where to put one file."""

    name: str
    object: str = Field(description="To be named in POST /v1/models/register once the file is there")
    url: str = Field(description="Takes the file by PUT, without a key, once")
    headers: dict[str, str] = Field(description="To be sent with it, as they are: the server refuses other ones")
    expires: datetime


class UploadsAnswer(BaseModel):
    """Where to put the files, in their order."""

    uploads: list[UploadOffer]


class RegisterRequest(_Request):
    """Objects of an S3 server to be taken in as models."""

    objects: list[Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,62}/[^\x00-\x1f\x7f]{1,1024}$")]] = Field(
        min_length=1, max_length=MAX_OBJECTS
    )


class ModelEntry(BaseModel):
    """A model of the list."""

    id: str


class ModelsPage(BaseModel):
    """A page of the models, sorted by id."""

    models: list[ModelEntry]
    next: str | None = Field(description="`after` for the next page; null: there is no more")


class BackgroundView(BaseModel):
    """A background that the farm has taken in."""

    id: str
    width: int
    height: int


class BatchEntry(_Request):
    """A model of a batch."""

    id: ModelId
    name: str = Field("", max_length=200, pattern=_TEXT, description="A label for people; the model's hash if empty")


class WebhookRequest(_Request):
    """Where to tell that the batch has ended."""

    url: str = Field(max_length=2000, pattern=r"^https?://[^\s/?#\x00-\x1f\x7f]+[^\s\x00-\x1f\x7f]*$")
    secret: str = Field(min_length=16, max_length=200, pattern=_TEXT, description="Signs what is sent")


class BatchRequest(_Request):
    """A batch to render."""

    name: str = Field("", max_length=200, pattern=_TEXT)
    models: list[BatchEntry] = Field(min_length=1, max_length=MAX_MODELS)
    spec: RenderSpec = RenderSpec()
    mapping: str | None = Field(
        None,
        max_length=MAX_MAPPING_CHARACTERS,
        description="CSV text of an edited mapping table; without it names are matched alone",
    )
    priority: Priority = Field(0, description="Jobs of a higher one go first; above 0 is for operators")
    paused: StrictBool = Field(False, description="Keep the jobs back until the batch is resumed")
    webhook: WebhookRequest | None = None


class PreviewRequest(_Request):
    """The first samples of a model, to look at before a full run."""

    model: ModelId
    samples: WholeNumber = Field(4, ge=1, le=MAX_PREVIEW_SAMPLES)
    spec: RenderSpec = Field(RenderSpec(), description="As for the full run; its `samples` does not count")
    mapping: str | None = Field(None, max_length=MAX_MAPPING_CHARACTERS)


class RetryRequest(_Request):
    """Which jobs of a batch to try again."""

    states: list[Retriable] = Field(list(WENT_WRONG), min_length=1, max_length=3)


class PriorityRequest(_Request):
    """A new priority."""

    priority: Priority


class BatchView(BaseModel):
    """A batch and how far it is."""

    id: str
    name: str
    created: datetime
    owner: str = Field(description="The name of the key that asked for it; others need the role operate to change it")
    spec: RenderSpec
    priority: int
    paused: bool
    jobs: dict[State, int]
    images_total: int
    images_done: int
    errors: dict[str, int] = Field(
        description="Failed and quarantined jobs by error code, and those whose model was withdrawn"
    )
    rate: float = Field(description="Images a second over the last minute")
    eta_seconds: float | None = Field(description="Until it ends at that rate; null when that cannot be said")
    ended: bool
    ended_at: datetime | None


class BatchesPage(BaseModel):
    """A page of the batches, newest first. It may be empty although there is a next one."""

    batches: list[BatchView]
    next: str | None = Field(description="`cursor` for the next page; null: there is no more")


class WebhookView(BaseModel):
    """How it went to tell that a batch has ended."""

    state: DeliveryState
    tries: int
    last: str = Field(description="What came of the last try; empty before the first")


class RetryAnswer(BaseModel):
    """What a retry did."""

    retried: int
    batch: BatchView


class AttemptView(BaseModel):
    """An attempt that ended without a result."""

    number: int
    worker: str
    code: str
    error: str
    at: datetime
    counted: bool = Field(description="Whether it counts towards quarantine: a worker that was told to stop does not")


class JobView(BaseModel):
    """One model in one batch."""

    id: str
    batch: str
    model: str
    name: str
    state: State
    attempt: int
    worker: str
    samples: int
    images_total: int
    images_done: int
    annotation: dict[str, MorphRef] = Field(
        description="Target to the morph that plays it; index -1: ordered before an update, so the name alone is kept"
    )
    provenance: Provenance = Field(description="Whose word the annotation is, and which version of it")
    render_key: str
    error_code: str
    error: str
    warnings: list[str]
    attempts: list[AttemptView]


class JobsPage(BaseModel):
    """A page of a batch's jobs, in the order of submission."""

    jobs: list[JobView]
    next: str | None = Field(description="`cursor` for the next page; null: there is no more")


class WorkerJob(BaseModel):
    """What a worker is at."""

    id: str
    name: str
    images_done: int
    images_total: int
    state: State


class WorkerView(BaseModel):
    """A worker and what it does."""

    name: str
    alive: bool = Field(description="Heard of within the last 30 s")
    seen_seconds: float = Field(description="How long ago it was heard of")
    started: datetime
    concurrency: int
    renderer: str = Field(description="What it draws with; empty before its first model")
    done: int
    lost: int
    blamed: int = Field(description="Attempts since its last success that other workers then finished")
    drained: str = Field(description="Why it gets no jobs; empty: it gets some")
    jobs: list[WorkerJob]


class WorkersAnswer(BaseModel):
    """Every worker that was heard of within the last day."""

    workers: list[WorkerView]


class DrainRequest(_Request):
    """Why a worker is to get no more jobs."""

    reason: str = Field(min_length=1, max_length=500, pattern=r"^[^\x00]*\S[^\x00]*$")


class ProposalsRequest(_Request):
    """Models whose morph names are to be mapped."""

    models: list[ModelId] = Field(min_length=1, max_length=MAX_PROPOSALS)


class CheckedTable(BaseModel):
    """A mapping table that can be used."""

    rows: int
    mapped: int = Field(description="Rows with a target; the others reject their names")


class Status(BaseModel):
    """That all is well."""

    status: Literal["ok"] = "ok"


class Readiness(Status):
    """That all that the API needs is well."""

    redis: str = Field(description="Name and version of the server")


class TotalsView(BaseModel):
    """The whole farm in numbers."""

    jobs: dict[State, int]
    backlog_images: int
    rate: float = Field(description="Images a second over the last minute")
    workers_alive: int
