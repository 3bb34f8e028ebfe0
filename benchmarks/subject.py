"""A model as the benchmarks ask for it: read, unpacked, its whole job planned."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from farm import pipe
from farm.drawing.assignment import Assignment
from farm.drawing.plan import plan
from farm.drawing.request import request_for
from farm.labels import LabelName
from farm.models.package import Package, read_model, to_bytes, unfold
from farm.spec import RenderSpec
from tests.support.fixtures import assignment_for


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, unpacked, and the shots of its whole AnimeCeleb job."""

    path: Path
    package: Package
    assignment: Assignment
    request: pipe.Render
    """Without shots."""
    shots: list[pipe.Shot]


def subject(path: Path, room: Path, labels: Sequence[LabelName] = ()) -> Subject:
    """Read the model at `path` and plan its job, with these labels."""
    package = read_model(path)
    assignment = assignment_for(package, RenderSpec(labels=tuple(labels)))
    todo = plan(assignment, package.inventory.rules)
    character, textures = unfold(to_bytes(package), room / package.id[:8])
    request = request_for(assignment, todo, character, textures).model_copy(update={"shots": []})
    return Subject(path, package, assignment, request, todo.shots)
