"""KEDA, the HorizontalPodAutoscaler and the ReplicaSet as they are: what they do with the number that a policy gives them.

KEDA looks every `polling_seconds`; it alone goes from zero to one, and back to zero after `cooldown_seconds` in which nothing
was wanted, with all pods that are left. In between the HorizontalPodAutoscaler decides, every 15 s: it leaves small
differences alone, doubles at most, and goes down to the most that it wanted within `stabilization_seconds`, by one pod in
`removal_seconds`. The ReplicaSet picks the pods that go: those that are not ready, then the newer ones, else any. It does
not know who is busy.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, floor, log2
from typing import Protocol

from farm.simulation.constants import value


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """What a ScaledObject says. Seconds."""

    least: int = 0
    most: int = 64
    polling_seconds: float = value("chart", "polling_seconds")
    cooldown_seconds: float = value("chart", "cooldown_seconds")
    stabilization_seconds: float = value("chart", "stabilization_seconds")
    removal_seconds: float = value("chart", "removal_seconds")


@dataclass(slots=True)
class Autoscaler:
    """KEDA and the HorizontalPodAutoscaler over one Deployment."""

    settings: ControlSettings
    replicas: int = 0
    """That the Deployment is to have."""
    _active: float = float("-inf")
    """When something was wanted last."""
    _recommended: list[tuple[float, int]] = field(default_factory=list)
    _changes: list[tuple[float, int]] = field(default_factory=list)

    def poll(self, now: float, wanted: float) -> None:
        """KEDA looks."""
        if wanted > 0:
            self._active = now
            if self.replicas == 0:
                self.replicas = max(1, self.settings.least)
                self._recommended = [(now, self.replicas)]
        elif self.settings.least == 0 and now - self._active >= self.settings.cooldown_seconds:
            self.replicas = 0
        self.replicas = max(self.settings.least, self.replicas)

    def sync(self, now: float, wanted: float) -> None:
        """The HorizontalPodAutoscaler looks; one that is at zero is asleep."""
        if self.replicas == 0:
            return
        self._recommended = self._recommended or [(now, self.replicas)]
        desired = self.replicas
        if abs(1 - wanted / self.replicas) > value("kubernetes", "tolerance"):
            desired = ceil(wanted)
        desired = min(self.settings.most, max(1, self.settings.least, desired))
        self._recommended = [
            (at, count) for at, count in self._recommended if now - at < self.settings.stabilization_seconds
        ]
        self._recommended.append((now, desired))
        if desired < self.replicas:
            desired = min(self.replicas, max(count for _, count in self._recommended))
        self._change(now, self._bounded(now, desired))

    def _bounded(self, now: float, desired: int) -> int:
        """`desired`, as near as the policies of scaling let it come at once."""
        if desired > self.replicas:
            before = self.replicas - self._changed(now, value("kubernetes", "added_period_seconds"), 1)
            share = ceil(before * (1 + value("kubernetes", "added_share")))
            return max(self.replicas, min(desired, max(share, before + round(value("kubernetes", "added_pods")))))
        if desired < self.replicas:
            before = self.replicas - self._changed(now, self.settings.removal_seconds, -1)
            return min(self.replicas, max(desired, before - 1))
        return desired

    def _changed(self, now: float, seconds: float, sign: int) -> int:
        """Pods that were added (1) or taken away (-1) within the last seconds."""
        return sum(change for at, change in self._changes if now - at < seconds and change * sign > 0)

    def _change(self, now: float, replicas: int) -> None:
        longest = max(self.settings.removal_seconds, value("kubernetes", "added_period_seconds"))
        self._changes = [(at, change) for at, change in self._changes if now - at < longest]
        if replicas != self.replicas:
            self._changes.append((now, replicas - self.replicas))
        self.replicas = replicas


class Removable(Protocol):
    """A pod, as the ReplicaSet sees it."""

    lot: float
    """Decides where nothing else does."""

    @property
    def ready_since(self) -> float | None:
        """None while it starts."""


def first_to_go[P: Removable](pods: Iterable[P], now: float) -> list[P]:
    """The pods in the order in which a ReplicaSet would take them away."""

    def order(pod: P) -> tuple[float, float, float]:
        if pod.ready_since is None:
            return (0, 0, pod.lot)
        return (1, floor(log2(max(now - pod.ready_since, 1e-9))), pod.lot)

    return sorted(pods, key=order)
