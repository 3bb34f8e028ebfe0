"""What a batch is: what was asked for once, and how far it is."""

from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from farm.jobs.states import State
from farm.spec import RenderSpec

PRIORITIES = range(-10, 11)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where to tell that a batch has ended."""

    url: str
    secret: str = field(repr=False)
    """Signs what is sent, so that the receiver can tell it from a stranger's."""

    @property
    def host(self) -> str:
        """The host's name or address in the URL, in small letters; empty where the URL cannot be read."""
        try:
            return urlsplit(self.url).hostname or ""
        except ValueError:
            return ""


@dataclass(frozen=True, slots=True)
class Told:
    """That the end of a batch was told, or given up, for good: how it went, and of what."""

    state: str
    """A `farm.jobs.webhooks.DeliveryState`, not "pending"."""
    tries: int
    last: str
    counts: dict[State, int]
    """Jobs by state, as they were told. A batch that ended otherwise since has ended anew."""


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """What is said once about a batch, when it is submitted."""

    name: str
    spec: RenderSpec
    created: str
    """ISO 8601, UTC; for people and pages, never in a result."""
    request: str = ""
    """Hash of the request that made it, to tell a repetition from another request under the same idempotency key."""
    webhook: Webhook | None = None
    owner: str = ""
    """The name of the key that asked for it; empty: nobody's, so that only operators change what becomes of it."""
    preview: bool = False
    """It goes before everything else, and its price counts against what its owner may have at a time."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "name": self.name,
            "spec": self.spec.model_dump(mode="json"),
            "created": self.created,
            "request": self.request,
            "webhook": self.webhook and asdict(self.webhook),
            "owner": self.owner,
            "preview": self.preview,
        }

    @staticmethod
    def from_json(values: dict[str, Any]) -> "BatchRecord":
        """The inverse of `to_json`."""
        return BatchRecord(
            name=values["name"],
            spec=RenderSpec.model_validate(values["spec"]),
            created=values["created"],
            request=values["request"],
            webhook=Webhook(**values["webhook"]) if values["webhook"] else None,
            owner=values.get("owner", ""),
            preview=values.get("preview", False),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """One submission and how far it is."""

    id: str
    record: BatchRecord
    sequence: int
    """Its place in the order of submission; later batches have higher numbers."""
    priority: int
    """In `PRIORITIES`; jobs of a higher one go first."""
    paused: bool
    counts: dict[State, int]
    images_total: int
    images_done: int
    errors: dict[str, int]
    """Failed and quarantined jobs by error code, and those whose model was withdrawn since."""
    rate: float
    """Images a second over the last minute."""
    ended_at: float | None
    """Seconds since the epoch; None while a job has not ended."""

    @property
    def ended(self) -> bool:
        """Whether every job has ended."""
        return self.ended_at is not None

    @property
    def eta_seconds(self) -> float | None:
        """Seconds until it ends if it goes on as in the last minute; None when that cannot be said."""
        if self.ended or self.paused or self.rate <= 0:
            return None
        return (self.images_total - self.images_done) / self.rate


@dataclass(frozen=True, slots=True)
class Totals:
    """The whole farm in numbers."""

    counts: dict[State, int]
    backlog_images: int
    """Images of jobs that have not ended and are not drawn yet; those of paused batches need no worker and do not count."""
    rate: float
    """Images a second over the last minute."""
