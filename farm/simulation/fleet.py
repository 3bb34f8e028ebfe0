"""Models, attempts and pods of a simulated farm: what each is, without time passing."""

from dataclasses import dataclass, field
from math import floor

from farm.simulation.constants import Machine, value


@dataclass(slots=True)
class SimulatedModel:
    """One model of a batch, and what became of it."""

    batch: int
    images: int
    kept: int = 0
    """Images that are stored: drawn by attempts that were handed back, or in a checkpoint."""
    losses: int = 0
    ends: int = 0
    """How often it became done: once, in the end."""
    given_up: bool = False
    twice: int = 0
    """Images of it that were drawn again."""

    @property
    def left(self) -> int:
        """Images that nobody has drawn yet, as the queue knows it."""
        return self.images - self.kept


@dataclass(slots=True)
class SimulatedAttempt:
    """A pod's try at a model."""

    model: SimulatedModel
    since: float
    told_images: int = 0
    told_at: float = 0.0
    over: bool = False

    def drawn(self, now: float, machine: Machine) -> int:
        """Images that it has drawn itself, in whole shots but for the last."""
        seconds = max(0.0, now - self.since - machine.ready_seconds)
        shot = round(value("worker", "shot_images"))
        return min(self.model.left, floor(seconds * machine.images_per_second / shot) * shot)

    def stored(self, now: float, machine: Machine) -> int:
        """Those of them that a checkpoint has."""
        period = value("worker", "checkpoint_seconds")
        return self.drawn(self.since + floor((now - self.since) / period) * period, machine)


@dataclass(slots=True)
class Pod:
    """A worker's pod, on a machine of its own."""

    number: int
    lot: float
    created: float
    ready_since: float | None = None
    leaving: bool = False
    """It is told to end: it takes no new model."""
    gone: float | None = None
    attempt: SimulatedAttempt | None = None

    @property
    def idle(self) -> bool:
        """Whether it waits for a model."""
        return self.ready_since is not None and self.attempt is None and not self.leaving and self.gone is None


@dataclass(frozen=True, slots=True)
class Moment:
    """How the farm stood when the autoscaler looked."""

    at: float
    wanted: float
    pods: int
    ready: int
    busy: int
    images: int
    """Left to draw."""


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    models: int
    batch_seconds: list[float] = field(default_factory=list)
    """Of each batch, from its order to its last model."""
    seconds: float = 0.0
    """Until the last model was done."""
    paid_seconds: float = 0.0
    """Of all pods, from the wish for one to its end."""
    drawing_seconds: float = 0.0
    busy_removed: int = 0
    """Pods that were asked away by the autoscaler while they had a model."""
    handed_back: int = 0
    killed: int = 0
    """Renders that were killed in the middle."""
    lost_pods: int = 0
    """Spot machines that were taken away."""
    models_twice: int = 0
    """Models of which something was drawn again."""
    images_twice: int = 0
    done: int = 0
    quarantined: int = 0
    unfinished: int = 0
    most_pods: int = 0
    course: list[Moment] = field(default_factory=list)

    @property
    def worker_hours(self) -> float:
        """That are paid for."""
        return self.paid_seconds / 3600

    @property
    def idle_share(self) -> float:
        """Of the paid time, that in which nothing was drawn: starting, waiting, cooling down."""
        return 1 - self.drawing_seconds / self.paid_seconds if self.paid_seconds else 0.0

    @property
    def slowest_batch_seconds(self) -> float:
        """From an order to its last model."""
        return max(self.batch_seconds, default=0.0)
