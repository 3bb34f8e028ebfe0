"""What to draw for an assignment: every shot, in order, from the seed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from farm import pipe
from farm.drawing.assignment import Assignment
from farm.labels import LabelName
from farm.morphs.annotation import sampled_targets
from farm.morphs.combinations import Combination, combinations, halves
from farm.morphs.expressions import Rule, effective
from farm.morphs.refs import Annotation
from farm.morphs.understudies import recast
from farm.morphs.vocabulary import all_targets
from farm.poses import NEUTRAL, Partition, Sample, draw, sample_count
from farm.spec import RenderSpec
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
    replaced: Annotation
    """Of that which was annotated and changes nothing, those whose targets others play."""
    combinations: dict[str, Combination]
    """What the samples play besides what is annotated."""

    def beyond(self, other: "Plan") -> bool:
        """Whether it takes morphs, or halves of them, that `other` does not."""
        return not (
            set(self.morphs) <= set(other.morphs)
            and halves(self.combinations).keys() <= halves(other.combinations).keys()
        )


def plan(assignment: Assignment, rules: Mapping[int, Rule], unseen: Collection[int] = ()) -> Plan:
    """What to draw for `assignment`: the basis image first, then every sample from every view in every partition.

    The partitions stand next to each other: what Blender works out for the morphs of a sample serves both.
    `rules` are those of the model's inventory, by the morphs' indices: a weight that they change is changed in the sample,
    so in its label too. `unseen` are the morphs that change nothing in the model's neutral picture: their targets go to
    those that stand in, or count for nothing, so that without them there may be fewer samples than were ordered, of the same
    heads, lights and views. So do halves of morphs, by their numbers.
    """
    model, spec = assignment.model, assignment.spec
    annotation = recast(assignment.annotation, assignment.understudies, unseen)
    count = spec.samples_of(sample_count(sampled_targets(annotation)))
    made = _combinations(annotation, spec, unseen)
    cast = {target: Combination(of=(morph,)) for target, morph in annotation.items()} | made
    targets = tuple(
        target for name, target in all_targets().items() if name in cast and (target.sampled or name in spec.extended)
    )
    drawn = [draw(spec.seed, model, index, targets) for index in range(count)]
    samples = [_as_shown(sample, cast, rules) for sample in drawn] if rules else drawn
    shots = [_shot(NEUTRAL, Partition.FRONTAL, cast)]
    shots += [
        _shot(sample, partition, cast, view, LabelName.FLOW in spec.labels)
        for sample in samples
        for view in draw_views(spec.seed, model, sample.index, spec.camera)
        for partition in spec.partitions
    ]
    return Plan(
        samples=samples,
        shots=shots,
        morphs=sorted({ref.index for target in targets for ref in cast[target.name].of}),
        annotation=annotation,
        unseen={target: morph for target, morph in assignment.annotation.items() if target not in annotation},
        replaced={t: morph for t, morph in assignment.annotation.items() if annotation.get(t, morph) != morph},
        combinations=made,
    )


def _combinations(annotation: Annotation, spec: RenderSpec, unseen: Collection[int]) -> dict[str, Combination]:
    if not spec.combinations:
        return {}
    wanted = {name for name, target in all_targets().items() if target.sampled or name in spec.extended}
    found = combinations(annotation, wanted)
    return {target: each for target, each in found.items() if not set(each.numbers) & set(unseen)}


def _as_shown(sample: Sample, cast: Mapping[str, Combination], rules: Mapping[int, Rule]) -> Sample:
    shown = effective({ref: weight for target, weight in sample.weights.items() for ref in cast[target].of}, rules)
    # Of two that play one target the weaker counts for both: a label has one weight for them.
    least = {target: min(shown[ref] for ref in cast[target].of) for target in sample.weights}
    return replace(sample, weights={target: round(weight, 6) for target, weight in least.items()})


def _shot(
    sample: Sample,
    partition: Partition,
    cast: Mapping[str, Combination],
    view: pipe.View | None = None,
    flows: bool = False,
) -> pipe.Shot:
    other = Partition.FRONTAL if partition is Partition.ROTATED else Partition.ROTATED
    weights: dict[int, float] = {}
    for target, weight in sample.weights.items():
        for number in cast[target].numbers:
            weights[number] = weights.get(number, 0.0) + weight
    return pipe.Shot(
        sample=sample.index,
        partition=partition,
        weights=weights,
        rotation=sample.rotation_in(partition),
        light=sample.light,
        view=view or pipe.View(),
        other_rotation=sample.rotation_in(other) if flows else None,
    )
