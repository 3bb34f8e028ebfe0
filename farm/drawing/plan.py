"""What to draw for an assignment: every shot, in order, from the seed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from farm import pipe
from farm.drawing.assignment import Assignment
from farm.labels import LabelName
from farm.morphs.annotation import sampled_targets
from farm.morphs.expressions import Rule, effective
from farm.morphs.refs import Annotation
from farm.poses import NEUTRAL, Partition, Sample, draw, sample_count
from farm.views import draw_views


@dataclass(frozen=True, slots=True)
class Plan:
    """All shots of an assignment, and the sample behind each."""

    samples: list[Sample]
    shots: list[pipe.Shot]
    morphs: list[int]
    """Indices of the source morphs that the samples move."""
    annotation: Annotation
    """What the samples' labels are said in."""
    unseen: Annotation
    """What was annotated besides, and changes nothing in this model's pictures: no sample plays it, no label tells it."""


def plan(assignment: Assignment, rules: Mapping[int, Rule], unseen: Collection[int] = ()) -> Plan:
    """What to draw for `assignment`: the basis image first, then every sample from every view in every partition.

    The partitions stand next to each other: what Blender works out for the morphs of a sample serves both.
    `rules` are those of the model's inventory, by the morphs' indices: a weight that they change is changed in the sample,
    so in its label too. `unseen` are the morphs that change nothing in the model's neutral picture: they count for nothing,
    so that without them there may be fewer samples than were ordered, of the same heads, lights and views.
    """
    model, spec = assignment.model, assignment.spec
    annotation = {target: morph for target, morph in assignment.annotation.items() if morph.index not in unseen}
    targets = sampled_targets(annotation)
    count = spec.samples_of(sample_count(targets))
    drawn = [draw(spec.seed, model, index, targets) for index in range(count)]
    samples = [_as_shown(sample, annotation, rules) for sample in drawn] if rules else drawn
    shots = [_shot(NEUTRAL, Partition.FRONTAL, annotation)]
    shots += [
        _shot(sample, partition, annotation, view, LabelName.FLOW in spec.labels)
        for sample in samples
        for view in draw_views(spec.seed, model, sample.index, spec.camera)
        for partition in spec.partitions
    ]
    return Plan(
        samples=samples,
        shots=shots,
        morphs=sorted({annotation[target.name].index for target in targets}),
        annotation=annotation,
        unseen={target: morph for target, morph in assignment.annotation.items() if target not in annotation},
    )


def _as_shown(sample: Sample, annotation: Annotation, rules: Mapping[int, Rule]) -> Sample:
    shown = effective({annotation[target]: weight for target, weight in sample.weights.items()}, rules)
    return replace(sample, weights={target: round(shown[annotation[target]], 6) for target in sample.weights})


def _shot(
    sample: Sample,
    partition: Partition,
    annotation: Annotation,
    view: pipe.View | None = None,
    flows: bool = False,
) -> pipe.Shot:
    other = Partition.FRONTAL if partition is Partition.ROTATED else Partition.ROTATED
    weights: dict[int, float] = {}
    for target, weight in sample.weights.items():
        index = annotation[target].index
        weights[index] = weights.get(index, 0.0) + weight
    return pipe.Shot(
        sample=sample.index,
        partition=partition,
        weights=weights,
        rotation=sample.rotation_in(partition),
        light=sample.light,
        view=view or pipe.View(),
        other_rotation=sample.rotation_in(other) if flows else None,
    )
