"""What is to be drawn, and when it comes."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from farm.simulation.constants import value

_DAY_SECONDS = 86_400.0
_LONG_MODELS, _LONG_SAMPLES = 24, 20_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """A batch: when it is submitted, and the images of each of its models."""

    at: float
    images: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """All that comes, in order, and for how long a farm is kept for it at least (seconds)."""

    arrivals: tuple[Arrival, ...]
    seconds: float

    @property
    def models(self) -> int:
        """How many there are."""
        return sum(len(arrival.images) for arrival in self.arrivals)

    @property
    def images(self) -> int:
        """How many there are."""
        return sum(sum(arrival.images) for arrival in self.arrivals)


def _collection(models: int, seed: int) -> list[int]:
    """Images of so many models: the share of AnimeCeleb's that have 100 samples, and the others 20, by lot."""
    known, samples = round(value("collection", "models")), round(value("collection", "samples"))
    many, few = round(value("collection", "samples_many")), round(value("collection", "samples_few"))
    rich = round(models * (samples - known * few) / (many - few) / known)
    each = round(value("collection", "images_sample"))
    drawn = [many * each] * rich + [few * each] * (models - rich)
    Random(f"{seed}:models").shuffle(drawn)
    return drawn


def at_once(models: int, seed: int) -> Workload:
    """One batch at the beginning."""
    return Workload((Arrival(0.0, tuple(_collection(models, seed))),), 0.0)


def over_a_day(models: int, seed: int) -> Workload:
    """Twelve batches of unequal size, whenever people send them, within a day for which the farm is kept."""
    lot, drawn = Random(f"{seed}:day"), _collection(models, seed)
    times = sorted(lot.uniform(0, 0.8 * _DAY_SECONDS) for _ in range(12))
    ends = sorted(lot.sample(range(1, models), min(len(times), models) - 1)) if models > 1 else []
    pieces = [tuple(drawn[a:b]) for a, b in zip([0, *ends], [*ends, models], strict=True)]
    return Workload(tuple(Arrival(at, piece) for at, piece in zip(times, pieces, strict=False)), _DAY_SECONDS)


def long_models(models: int, seed: int) -> Workload:
    """A few models with very many samples each, in one batch: a job takes minutes."""
    images = _LONG_SAMPLES * round(value("collection", "images_sample"))
    return Workload((Arrival(0.0, (images,) * min(models, _LONG_MODELS)),), 0.0)


ARRIVALS: dict[str, Callable[[int, int], Workload]] = {"at-once": at_once, "day": over_a_day, "long": long_models}
"""By name: of a number of models and a seed."""
