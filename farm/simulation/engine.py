"""The simulated farm, event by event. One thread, one seed: the same run to the byte.

What holds of the farm holds here: a model goes to whoever is idle, first come, first served; one handed back or lost goes to
the front; a pod that is to go finishes its model if its grace lets it, else hands it back with what is drawn, else is killed
and its model's lease runs out; three losses put a model into quarantine.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from farm.jobs.scaling import SLOT_SECONDS, SLOTS_KEPT, Demand, Slot, pace
from farm.simulation.constants import Machine, value
from farm.simulation.control import Autoscaler, ControlSettings, first_to_go
from farm.simulation.fleet import Moment, Outcome, Pod, SimulatedAttempt, SimulatedModel
from farm.simulation.policies import Outlook, Policy
from farm.simulation.work import Workload

_LONGEST_SECONDS = 60 * 86_400.0
_REPORT_SECONDS = 10.0
"""As `farm.worker.pacing` has it."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the farm runs. Seconds."""

    machine: Machine
    cold_start_seconds: float = value("cluster", "cold_start_seconds")
    spot_losses: float = 0.0
    """Of a machine, in an hour."""
    notice_seconds: float = value("cluster", "spot_notice_seconds")
    drain_seconds: float = value("chart", "drain_seconds")
    shutdown_seconds: float = value("chart", "shutdown_seconds")
    assumed_rate: float = value("chart", "assumed_rate")
    control: ControlSettings = field(default_factory=ControlSettings)

    @property
    def grace_seconds(self) -> float:
        """That a pod has, from the wish for its end to its kill."""
        return self.drain_seconds + self.shutdown_seconds + value("chart", "store_seconds")


def simulate(work: Workload, cluster: Cluster, policy: Policy | None, seed: int, fixed: int = 0) -> Outcome:
    """What comes of `work`. Without a policy, `fixed` workers are there all the time."""
    return _Run(work, cluster, policy, seed, fixed).outcome()


class _Run:
    def __init__(self, work: Workload, cluster: Cluster, policy: Policy | None, seed: int, fixed: int) -> None:
        self._work, self._cluster, self._machine, self._policy = work, cluster, cluster.machine, policy
        self._seed, self._lot = seed, Random(f"{seed}:pods")
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._scheduled = 0
        self._models = [
            SimulatedModel(number, images) for number, arrival in enumerate(work.arrivals) for images in arrival.images
        ]
        self._open = [len(arrival.images) for arrival in work.arrivals]
        self._queue: deque[SimulatedModel] = deque()
        self._waiting_images = 0
        self._later = 0
        """Models whose lease has not run out yet, or that wait to be tried again."""
        self._pods: list[Pod] = []
        """Those that are not gone."""
        self._created = 0
        self._slots: dict[int, Slot] = {}
        self._outcome = Outcome(len(self._models), [0.0] * len(work.arrivals))
        self._scaler = Autoscaler(cluster.control, fixed)

    def outcome(self) -> Outcome:
        """Run to the end."""
        ready = iter(self._models)
        for arrival in self._work.arrivals:
            some = [next(ready) for _ in arrival.images]
            self._at(arrival.at, lambda now, some=some: self._arrive(now, some))  # type: ignore[misc]
        if self._policy is not None:
            self._at(0.0, self._poll)
            self._at(0.0, self._sync)
        self._at(0.0, self._reconcile)
        self._at(self._work.seconds, lambda now: None)
        now = 0.0
        while self._events and not self._is_over(now):
            now, _, event = heapq.heappop(self._events)
            event(now)
        return self._summed_up(now)

    def _is_over(self, now: float) -> bool:
        if now >= _LONGEST_SECONDS:
            return True
        if any(self._open) or now < self._work.seconds:
            return False
        return self._policy is None or self._cluster.control.least > 0 or not self._pods

    def _at(self, when: float, event: Callable[[float], None]) -> None:
        self._scheduled += 1
        heapq.heappush(self._events, (when, self._scheduled, event))

    # The autoscaler

    def _poll(self, now: float) -> None:
        wanted = self._wanted(now)
        self._scaler.poll(now, wanted)
        self._reconcile(now)
        self._note(now, wanted)
        self._at(now + self._cluster.control.polling_seconds, self._poll)

    def _sync(self, now: float) -> None:
        self._scaler.sync(now, self._wanted(now))
        self._reconcile(now)
        self._at(now + value("kubernetes", "sync_seconds"), self._sync)

    def _wanted(self, now: float) -> float:
        assert self._policy is not None
        for pod in self._pods:
            if pod.attempt is not None and now - pod.attempt.told_at >= _REPORT_SECONDS:
                self._tell(pod.attempt, now)
        present = sum(pod.ready_since is not None and not pod.leaving for pod in self._pods)
        jobs = len(self._queue) + self._later + self._busy()
        demand = Demand(self._images_left(now), jobs, self._busy(), present)
        return self._policy(Outlook(demand, pace(self._slots, 1, self._cluster.assumed_rate), len(self._queue)))

    def _busy(self) -> int:
        return sum(pod.attempt is not None for pod in self._pods)

    def _images_left(self, now: float) -> int:
        running = [pod.attempt for pod in self._pods if pod.attempt is not None]
        return self._waiting_images + sum(each.model.left - each.drawn(now, self._machine) for each in running)

    def _tell(self, attempt: SimulatedAttempt, now: float) -> None:
        """The worker reports how fast it was, as `farm.worker.pacing` does."""
        drawn = attempt.drawn(now, self._machine)
        images, seconds = drawn - attempt.told_images, now - attempt.told_at
        attempt.told_images, attempt.told_at = drawn, now
        if images > 0:
            number = int(now // SLOT_SECONDS)
            before = self._slots.get(number, Slot(0.0, 0.0))
            self._slots[number] = Slot(before.images + images, before.seconds + seconds)
            for old in sorted(self._slots)[:-SLOTS_KEPT]:
                del self._slots[old]

    def _note(self, now: float, wanted: float) -> None:
        ready = sum(pod.ready_since is not None for pod in self._pods)
        moment = Moment(now, wanted, len(self._pods), ready, self._busy(), self._images_left(now))
        course = self._outcome.course
        if not course or replace(course[-1], at=now) != moment:
            course.append(moment)

    # Pods

    def _reconcile(self, now: float) -> None:
        """The ReplicaSet makes the pods as many as they should be."""
        there = [pod for pod in self._pods if not pod.leaving]
        for pod in first_to_go(there, now)[: max(0, len(there) - self._scaler.replicas)]:
            self._outcome.busy_removed += pod.attempt is not None
            self._ask_to_go(now, pod, self._cluster.grace_seconds)
        for _ in range(self._scaler.replicas - len(there)):
            self._add(now)
        self._outcome.most_pods = max(self._outcome.most_pods, len(self._pods))

    def _add(self, now: float) -> None:
        pod = Pod(self._created, self._lot.random(), now)
        self._created += 1
        self._pods.append(pod)
        self._at(
            now + self._cluster.cold_start_seconds + value("worker", "start_seconds"),
            lambda now: self._become_ready(now, pod),
        )

    def _become_ready(self, now: float, pod: Pod) -> None:
        if pod.gone is not None:
            return
        pod.ready_since = now
        if self._cluster.spot_losses > 0:
            lives = Random(f"{self._seed}:spot:{pod.number}").expovariate(self._cluster.spot_losses / 3600)
            self._at(now + lives, lambda now: self._lose(now, pod))
        self._dispatch(now)

    def _lose(self, now: float, pod: Pod) -> None:
        """The cloud takes the machine."""
        if pod.gone is not None:
            return
        self._outcome.lost_pods += 1
        self._ask_to_go(now, pod, min(self._cluster.grace_seconds, self._cluster.notice_seconds))
        self._reconcile(now)

    def _ask_to_go(self, now: float, pod: Pod, grace: float) -> None:
        """As the kubelet does: the drain, then SIGTERM, then SIGKILL when `grace` is over."""
        pod.leaving = True
        attempt = pod.attempt
        if attempt is None:
            self._go(now, pod)
            return
        hands_back = self._cluster.drain_seconds + self._cluster.shutdown_seconds

        def end(now: float) -> None:
            if attempt.over:
                return
            if hands_back < grace:
                self._hand_back(now, pod, attempt)
            else:
                self._kill(now, pod, attempt)

        self._at(now + min(hands_back, grace), end)

    def _go(self, now: float, pod: Pod) -> None:
        pod.gone = now
        self._pods.remove(pod)
        self._outcome.paid_seconds += now - pod.created

    # Models

    def _arrive(self, now: float, models: list[SimulatedModel]) -> None:
        self._queue.extend(models)
        self._waiting_images += sum(model.left for model in models)
        self._dispatch(now)

    def _dispatch(self, now: float) -> None:
        for pod in self._pods:
            if not self._queue:
                return
            if pod.idle:
                self._begin(now, pod)

    def _begin(self, now: float, pod: Pod) -> None:
        model = self._queue.popleft()
        self._waiting_images -= model.left
        attempt = pod.attempt = SimulatedAttempt(model, now, told_at=now)
        self._at(now + self._machine.seconds(model.left), lambda now: self._finish(now, pod, attempt))

    def _finish(self, now: float, pod: Pod, attempt: SimulatedAttempt) -> None:
        if attempt.over:
            return
        self._tell(attempt, now)
        self._end(now, pod, attempt)
        attempt.model.ends += 1
        self._close(now, attempt.model)
        if pod.leaving:
            self._go(now, pod)
        elif self._queue:
            self._begin(now, pod)

    def _close(self, now: float, model: SimulatedModel) -> None:
        self._open[model.batch] -= 1
        self._outcome.seconds = now
        if not self._open[model.batch]:
            self._outcome.batch_seconds[model.batch] = now - self._work.arrivals[model.batch].at

    def _end(self, now: float, pod: Pod, attempt: SimulatedAttempt) -> None:
        attempt.over, pod.attempt = True, None
        self._outcome.drawing_seconds += now - attempt.since

    def _hand_back(self, now: float, pod: Pod, attempt: SimulatedAttempt) -> None:
        """The worker stops, and stores what it has drawn."""
        model, drawn = attempt.model, attempt.drawn(now, self._machine)
        self._end(now, pod, attempt)
        self._outcome.handed_back += 1
        model.kept += drawn
        self._queue.appendleft(model)
        self._waiting_images += model.left
        self._go(now, pod)
        self._dispatch(now)

    def _kill(self, now: float, pod: Pod, attempt: SimulatedAttempt) -> None:
        """SIGKILL in the middle of a model: what no checkpoint has is drawn again, after the lease."""
        model, drawn, stored = attempt.model, attempt.drawn(now, self._machine), attempt.stored(now, self._machine)
        self._end(now, pod, attempt)
        self._go(now, pod)
        self._outcome.killed += 1
        model.kept += stored
        model.twice += drawn - stored
        model.losses += 1
        if model.losses >= value("worker", "attempts"):
            model.given_up = True
            self._close(now, model)
            return
        self._later += 1
        self._waiting_images += model.left
        self._at(now + value("worker", "lease_seconds") + 2.0**model.losses, lambda now: self._try_again(now, model))

    def _try_again(self, now: float, model: SimulatedModel) -> None:
        self._later -= 1
        self._queue.appendleft(model)
        self._dispatch(now)

    def _summed_up(self, now: float) -> Outcome:
        outcome = self._outcome
        outcome.paid_seconds += sum(now - pod.created for pod in self._pods)
        outcome.drawing_seconds += sum(now - pod.attempt.since for pod in self._pods if pod.attempt is not None)
        outcome.done = sum(model.ends == 1 for model in self._models)
        outcome.quarantined = sum(model.given_up for model in self._models)
        outcome.unfinished = sum(not model.ends and not model.given_up for model in self._models)
        outcome.images_twice = sum(model.twice for model in self._models)
        outcome.models_twice = sum(model.twice > 0 for model in self._models)
        assert all(model.ends + model.given_up <= 1 for model in self._models)
        return outcome
