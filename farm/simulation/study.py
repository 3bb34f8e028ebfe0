"""What `farm simulate` finds out: every policy under every combination of arrivals, cold start and spot losses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from farm.simulation.engine import Cluster, simulate
from farm.simulation.fleet import Outcome
from farm.simulation.policies import Policy, PolicyName, farm_policy, list_length_policy
from farm.simulation.work import ARRIVALS, Workload, at_once

COLLECTION_WORKERS = (1, 8, 64)


@dataclass(frozen=True, slots=True)
class Question:
    """One run."""

    arrivals: str
    cold_start_seconds: float
    spot_losses: float
    """Of a machine, in an hour."""
    policy: PolicyName


@dataclass(frozen=True, slots=True)
class Study:
    """What is varied, and what is not."""

    cluster: Cluster
    models: int
    target_seconds: float
    fixed: int
    """Workers of the policy of that name."""
    seed: int
    arrivals: Sequence[str] = tuple(ARRIVALS)
    cold_starts: Sequence[float] = (60.0, 300.0)
    spot_losses: Sequence[float] = (0.0, 2.0)
    policies: Sequence[PolicyName] = tuple(PolicyName)

    def questions(self) -> Iterator[Question]:
        """All of them, those that are to be compared beside each other."""
        for arrivals in self.arrivals:
            for cold_start in self.cold_starts:
                for losses in self.spot_losses:
                    for policy in self.policies:
                        yield Question(arrivals, cold_start, losses, policy)

    def answer(self, question: Question) -> Outcome:
        """What comes of one run."""
        work = ARRIVALS[question.arrivals](self.models, self.seed)
        cluster = replace(
            self.cluster, cold_start_seconds=question.cold_start_seconds, spot_losses=question.spot_losses
        )
        return simulate(work, cluster, self._policy(question.policy, work), self.seed, self._always(question.policy))

    def _policy(self, name: PolicyName, work: Workload) -> Policy | None:
        match name:
            case PolicyName.FARM:
                return farm_policy(self.target_seconds)
            case PolicyName.LIST_LENGTH:
                # As many a worker as it draws within the target: at first both ask for the same.
                drawing = sum(self.cluster.machine.seconds(each) for batch in work.arrivals for each in batch.images)
                return list_length_policy(max(1.0, self.target_seconds * work.models / drawing))
            case PolicyName.FIXED:
                return None

    def _always(self, policy: PolicyName) -> int:
        return self.fixed if policy is PolicyName.FIXED else 0


def collection(cluster: Cluster, models: int, seed: int) -> dict[int, Outcome]:
    """The whole collection at once on fixed fleets of `COLLECTION_WORKERS`, by their size."""
    return {count: simulate(at_once(models, seed), cluster, None, seed, count) for count in COLLECTION_WORKERS}
