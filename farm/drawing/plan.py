"""What to draw for an assignment: every shot, in order, from the seed."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from farm import pipe
from farm.drawing.assignment import Assignment
from farm.drawing.clips import frames_of, played_whole
from farm.labels import LabelName
from farm.morphs.combinations import Combination, combinations, halves
from farm.morphs.expressions import Rule, effective
from farm.morphs.refs import Annotation, MorphRef
from farm.morphs.understudies import recast
from farm.morphs.vocabulary import Side, all_targets
from farm.occluders import OccluderName, worn
from farm.poses import NEUTRAL, Partition, Sample, draw, draw_in, values_in
from farm.spaces.casting import Cast, Played, cast, every_way
from farm.spaces.space import DEFAULT, BoneMove, Space
from farm.spec import RenderSpec
from farm.views import draw_views


@dataclass(frozen=True, slots=True)
class Plan:
    """All shots of an assignment, and the sample behind each."""

    samples: list[Sample]
    shots: list[pipe.Shot]
    morphs: list[int]
    """Indices of the source morphs that the samples move, or may, should others show nothing."""
    halves: dict[int, tuple[int, Side]]
    """Likewise the numbers of halves, with the morph and the side."""
    movements: dict[int, tuple[BoneMove, ...]]
    """Likewise the numbers of movements of bones."""
    annotation: Annotation
    """What the samples' labels are said in."""
    unseen: Annotation
    """What was annotated besides, and changes nothing in this model's pictures: no sample plays it, no label tells it."""
    replaced: Annotation
    """Of that which was annotated and changes nothing, those whose targets others play."""
    combinations: dict[str, Combination]
    """What the samples play besides what is annotated, in the default pose space."""
    cast: Cast = field(default_factory=dict)
    """How the keys of another pose space are played."""
    unworn: tuple[OccluderName, ...] = ()
    """Of the occluders that are asked for, those that the character cannot wear."""

    def beyond(self, other: "Plan") -> bool:
        """Whether it takes morphs, or halves of them, that `other` does not."""
        return not (
            set(self.morphs) <= set(other.morphs)
            and self.halves.keys() <= other.halves.keys()
            and self.movements.keys() <= other.movements.keys()
        )


def plan(
    assignment: Assignment,
    rules: Mapping[int, Rule],
    unseen: Collection[int] = (),
    clip: Sequence[pipe.ClipFrame] | None = None,
    unworn: Collection[OccluderName] = (),
) -> Plan:
    """What to draw for `assignment`: the basis image first, then every sample from every view in every partition.

    The partitions stand next to each other: what Blender works out for the morphs of a sample serves both.
    `rules` are those of the model's inventory, by the morphs' indices: a weight that they change is changed in the sample,
    so in its label too. `unseen` are the morphs that change nothing in the model's neutral picture: their targets go to
    those that stand in, or count for nothing, so that without them there may be fewer samples than were ordered, of the same
    heads, lights and views. So do halves of morphs and movements of bones, by their numbers. `unworn` are the occluders that
    the character cannot wear: its samples wear the others. `clip` is what the motion of a clip makes of the model; None where
    nobody has looked yet.
    """
    model, spec = assignment.model, assignment.spec
    annotation = recast(assignment.annotation, assignment.understudies, unseen)
    count = spec.samples_by_rule(annotation)
    made = _combinations(annotation, spec, unseen)
    if spec.pose_space == DEFAULT:
        playing: Cast = {
            **{target: Played(of=(morph,)) for target, morph in annotation.items()},
            **{target: Played(of=each.of, half=each.half) for target, each in made.items()},
        }
        targets = tuple(
            target
            for name, target in all_targets().items()
            if name in playing and (target.sampled or name in spec.extended)
        )
        drawn = [] if spec.motion else [draw(spec.seed, model, index, targets) for index in range(count)]
        playing = {target.name: playing[target.name] for target in targets}
        asked: Iterable[Played] = [playing[target.name] for target in targets]
        own: Cast = {}
        movements = {}
        numbered = halves(made)
    else:
        playing = own = _cast(assignment, annotation, unseen)
        drawn = (
            [] if spec.motion else [draw_in(spec.space, spec.seed, model, index, list(own)) for index in range(count)]
        )
        asked = list(own.values()) if assignment.cast is not None else _ways(assignment, annotation)
        movements = {number: movement.moves for number, movement in spec.space.movements.items()}
        if spec.motion:
            playing = own = played_whole(own)
            asked, movements = list(own.values()), {}
        numbered = {number: found for each in asked for number, found in each.halves().items()}
    samples = [_as_shown(sample, playing, rules) for sample in drawn] if rules else drawn
    if spec.motion:
        views = list(_views(assignment, spec.drawn_as(0), unworn))
        frames = frames_of(assignment, playing, clip, views)
        samples, rest = frames.samples, frames.shots
    else:
        rest = [
            _shot(spec.space, sample, partition, playing, view, LabelName.FLOW in spec.labels)
            for sample in samples
            for view in _views(assignment, sample.index, unworn)
            for partition in spec.partitions
        ]
    return Plan(
        samples=samples,
        shots=[_shot(spec.space, NEUTRAL, Partition.FRONTAL, playing), *rest],
        morphs=sorted({ref.index for each in asked for ref in (*each.of, *each.against)}),
        halves=numbered,
        movements=movements,
        annotation=annotation,
        unseen={target: morph for target, morph in assignment.annotation.items() if target not in annotation},
        replaced={t: morph for t, morph in assignment.annotation.items() if annotation.get(t, morph) != morph},
        combinations=made,
        cast=own,
        unworn=tuple(name for name in spec.occluders if name in unworn),
    )


def _views(assignment: Assignment, sample: int, unworn: Collection[OccluderName]) -> Iterator[pipe.View]:
    """The views of a sample; with occluders, each of the camera's without one, and then with one."""
    spec, model = assignment.spec, assignment.model
    worn_here = [name for name in spec.occluders if name not in unworn]
    for view in draw_views(spec.seed, model, sample, spec.camera):
        if not spec.occluders:
            yield view
            continue
        occluder = worn(worn_here, spec.seed, model, sample, view.index)
        yield view.model_copy(update={"index": 2 * view.index})
        yield view.model_copy(update={"index": 2 * view.index + 1, "occluder": occluder})


def _combinations(annotation: Annotation, spec: RenderSpec, unseen: Collection[int]) -> dict[str, Combination]:
    if not spec.combinations or spec.pose_space != DEFAULT:
        return {}
    wanted = {name for name, target in all_targets().items() if target.sampled or name in spec.extended}
    found = combinations(annotation, wanted)
    return {target: each for target, each in found.items() if not set(each.numbers) & set(unseen)}


def _named(assignment: Assignment, annotation: Annotation) -> dict[str, MorphRef]:
    """Without those that stand in for others by now: no morph plays two things."""
    taken = {ref.index for ref in annotation.values()}
    return {key: ref for key, ref in assignment.named.items() if ref.index not in taken}


def _cast(assignment: Assignment, annotation: Annotation, unseen: Collection[int]) -> Cast:
    if assignment.cast is not None:
        return assignment.cast
    spec = assignment.spec
    return cast(spec.space, annotation, _named(assignment, annotation), unseen, spec.combinations)


def _ways(assignment: Assignment, annotation: Annotation) -> list[Played]:
    """Every way to play something: which of them show is known once all are loaded."""
    spec = assignment.spec
    return every_way(spec.space, annotation, _named(assignment, annotation), spec.combinations)


def _as_shown(sample: Sample, playing: Cast, rules: Mapping[int, Rule]) -> Sample:
    asked: dict[MorphRef, float] = {}
    for key, value in sample.weights.items():
        for ref in playing[key].refs(value):
            # Two halves of one morph may play at weights of their own: its rule goes by the greater.
            asked[ref] = max(asked.get(ref, 0.0), abs(value))
    shown = effective(asked, rules)
    return replace(
        sample, weights={key: _shown_value(value, playing[key], asked, shown) for key, value in sample.weights.items()}
    )


def _shown_value(
    value: float, played: Played, asked: Mapping[MorphRef, float], shown: Mapping[MorphRef, float]
) -> float:
    refs = played.refs(value)
    if not refs:
        return value
    size = abs(value)
    # Of two that play one thing the weaker counts for both: a label has one weight for them.
    least = min(shown[ref] if asked[ref] == size else min(1.0, size * shown[ref] / asked[ref]) for ref in refs)
    return round(least if value >= 0 else -least, 6)


def _shot(
    space: Space,
    sample: Sample,
    partition: Partition,
    playing: Cast,
    view: pipe.View | None = None,
    flows: bool = False,
) -> pipe.Shot:
    other = Partition.FRONTAL if partition is Partition.ROTATED else Partition.ROTATED
    weights, elsewhere = (_weights(space, values_in(space, sample, each), playing) for each in (partition, other))
    return pipe.Shot(
        sample=sample.index,
        partition=partition,
        weights=weights,
        rotation=sample.rotation_in(partition),
        light=sample.light,
        view=view or pipe.View(),
        other_rotation=sample.rotation_in(other) if flows else None,
        other_weights=elsewhere if flows and elsewhere != weights else None,
    )


def _weights(space: Space, values: Mapping[str, float], playing: Cast) -> dict[int, float]:
    weights: dict[int, float] = {}
    for key, value in values.items():
        for number, weight in playing[key].weights(key, space, value).items():
            weights[number] = weights.get(number, 0.0) + weight
    return weights
