"""What a run measured, and what it had to reach."""

from dataclasses import asdict, dataclass
from typing import Any

SUBMITTED = 100_000 / 60
"""Models a second."""
COMPLETED = 500.0
"""Jobs a second."""
MEMORY = 2048.0
"""Bytes of Redis' memory a queued job."""
ANSWERED = 0.050
"""Seconds within which 99 % of the requests for a batch are answered."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured number, and its goal."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        if self.at_most is not None:
            return self.value <= self.at_most
        return None

    @property
    def goal(self) -> str:
        """The goal for people; empty where there is none."""
        if self.at_least is not None:
            return f"at least {_readable(self.at_least)}"
        return f"at most {_readable(self.at_most)}" if self.at_most is not None else ""

    @property
    def shown(self) -> str:
        """The value for people."""
        return _readable(self.value)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**asdict(self), "met": self.met}


def _readable(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def middle_rate(course: list[tuple[float, int]], total: int) -> float:
    """Jobs a second between the first tenth of `total` and the last, from (seconds, jobs ended so far) in order."""
    return 0.8 * total / (_moment(course, 0.9 * total) - _moment(course, 0.1 * total))


def _moment(course: list[tuple[float, int]], count: float) -> float:
    """When `count` jobs had ended, taken to be a straight line between two looks."""
    before = course[0]
    for point in course:
        if point[1] >= count:
            if point[1] == before[1]:
                return point[0]
            return before[0] + (point[0] - before[0]) * (count - before[1]) / (point[1] - before[1])
        before = point
    raise ValueError(f"{count} jobs never ended")
