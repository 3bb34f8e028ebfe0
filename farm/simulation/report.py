"""The answers as rows, for tables and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from farm.simulation.constants import constants
from farm.simulation.fleet import Outcome
from farm.simulation.study import Question, Study

COLUMNS = (
    "arrivals", "cold start", "losses/h", "policy", "all done", "slowest batch", "worker hours", "idle", "most pods",
    "busy asked away", "handed back", "renders killed", "models twice", "images twice", "given up",
)  # fmt: skip


def shown(seconds: float) -> str:
    """Hours, minutes and seconds for people."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"


def row(question: Question, outcome: Outcome) -> tuple[str, ...]:
    """One run, in the order of `COLUMNS`."""
    return (
        question.arrivals,
        f"{question.cold_start_seconds:.0f} s",
        f"{question.spot_losses:g}",
        question.policy,
        shown(outcome.seconds),
        shown(outcome.slowest_batch_seconds),
        f"{outcome.worker_hours:.2f}",
        f"{outcome.idle_share:.0%}",
        str(outcome.most_pods),
        str(outcome.busy_removed),
        str(outcome.handed_back),
        str(outcome.killed),
        str(outcome.models_twice),
        str(outcome.images_twice),
        str(outcome.quarantined + outcome.unfinished),
    )


def collection_row(count: int, outcome: Outcome) -> tuple[str, ...]:
    """The collection on so many workers: workers, hours until it is done, hours of all workers, images a second."""
    hours = outcome.seconds / 3600
    return (str(count), f"{hours:.2f}", f"{outcome.worker_hours:.2f}", f"{outcome.idle_share:.0%}")


def as_json(
    study: Study, answers: Sequence[tuple[Question, Outcome]], fleets: Mapping[int, Outcome]
) -> str:  # fmt: skip
    """All numbers, the constants and their sources among them."""
    content = {
        "seed": study.seed,
        "models": study.models,
        "target_seconds": study.target_seconds,
        "fixed_workers": study.fixed,
        "cluster": asdict(study.cluster),
        "constants": [asdict(known) for known in constants()],
        "runs": [{**asdict(question), **_numbers(outcome)} for question, outcome in answers],
        "collection": [{"workers": count, **_numbers(outcome)} for count, outcome in fleets.items()],
    }
    return json.dumps(content, indent=1) + "\n"


def _numbers(outcome: Outcome) -> dict[str, Any]:
    values = asdict(outcome)
    del values["course"], values["batch_seconds"]
    return {
        **values,
        "worker_hours": outcome.worker_hours,
        "idle_share": outcome.idle_share,
        "slowest_batch_seconds": outcome.slowest_batch_seconds,
    }
