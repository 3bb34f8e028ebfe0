"""What the API answers, as typed values. Fields that a later farm adds are passed over."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from farm.jobs.states import State
from farm.models.inventory import Inventory
from farm.morphs.provenance import NOBODYS, Provenance
from farm.morphs.refs import MorphRef
from farm.spec import RenderSpec

ENDED = tuple(state for state in State if state.ended)


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model that the farm has, and the label that its results are to carry for people."""

    id: str
    """Its content hash."""
    name: str


@dataclass(frozen=True, slots=True)
class UploadedModel(ModelRef):
    """A model that the farm took in."""

    inventory: Inventory


@dataclass(frozen=True, slots=True)
class RefusedModel:
    """A model of an upload that the farm refused, and its sentence."""

    name: str
    message: str


class _View(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class BatchView(_View):
    """A batch and how far it is."""

    id: str
    name: str
    created: str
    """ISO 8601."""
    owner: str = ""
    """The name of the key that asked for it."""
    spec: RenderSpec
    priority: int
    paused: bool
    jobs: dict[State, int]
    """Jobs by state."""
    images_total: int
    images_done: int
    errors: dict[str, int]
    """Failed and quarantined jobs by error code, and as "model-withdrawn" those whose model was withdrawn since."""
    rate: float
    """Images a second over the last minute."""
    eta_seconds: float | None
    """None when that cannot be said."""
    ended: bool
    """Whether every job has ended."""
    ended_at: str | None
    """ISO 8601."""
    replayed: bool = False
    """Only from `FarmClient.submit`: the batch was there already, under the same idempotency key."""

    def count(self, states: Iterable[State]) -> int:
        """How many of its jobs are in one of `states`."""
        return sum(self.jobs.get(state, 0) for state in states)


class AttemptView(_View):
    """An attempt that ended without a result."""

    number: int
    worker: str
    code: str
    error: str
    at: str
    """ISO 8601."""
    counted: bool
    """Whether it counts towards quarantine."""


class JobView(_View):
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
    annotation: dict[str, MorphRef]
    """Target name to the morph that plays it."""
    provenance: Provenance = NOBODYS
    """Whose word the annotation is, and which version of it."""
    render_key: str
    error_code: str
    error: str
    warnings: tuple[str, ...]
    attempts: tuple[AttemptView, ...]
    """Those that ended without a result, oldest first."""


class WorkerJob(_View):
    """A job that a worker has now."""

    id: str
    name: str
    state: State
    images_done: int
    images_total: int


class WorkerView(_View):
    """One worker, with all its Blenders."""

    name: str
    alive: bool
    seen_seconds: float
    """How long ago it was heard of."""
    started: str
    """ISO 8601."""
    concurrency: int
    renderer: str
    """What it draws with; empty before its first model."""
    done: int
    lost: int
    """Attempts of its that broke down."""
    blamed: int
    """Those in a row that another worker then finished."""
    drained: str
    """Why it gets no jobs; empty: it gets some."""
    jobs: tuple[WorkerJob, ...]
