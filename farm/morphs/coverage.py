"""What a collection's annotations add up to: which targets have morphs, and where names and evidence differ."""

from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from farm.morphs.annotation import SourceMorph, disagreements, sampled_targets
from farm.morphs.refs import Annotation
from farm.morphs.vocabulary import target_morphs


class Differing(BaseModel):
    """A morph of one model that plays another target than its name stands for, or none."""

    model: str
    index: int
    name: str
    said: str
    plays: str | None
    reason: str


class Coverage(BaseModel):
    """The report on a collection."""

    models: int
    targets: dict[str, int]
    """Each of the 23 to the models in which a morph plays it."""
    never: list[str]
    """Those that none plays."""
    by_count: dict[int, int]
    """Number of annotated targets to the models that have so many."""
    differing: list[Differing]


def coverage(models: Iterable[tuple[str, Sequence[SourceMorph], Annotation]]) -> Coverage:
    """The report on `models`: each its name, its morphs and its annotation."""
    targets = {target.name: 0 for target in target_morphs()}
    by_count: dict[int, int] = {}
    differing: list[Differing] = []
    for name, morphs, annotation in models:
        sampled = sampled_targets(annotation)
        by_count[len(sampled)] = by_count.get(len(sampled), 0) + 1
        for target in sampled:
            targets[target.name] += 1
        differing += [
            Differing(model=name, index=d.morph.index, name=d.morph.name, said=d.said, plays=d.plays, reason=d.reason)
            for d in disagreements(morphs)
        ]
    return Coverage(
        models=sum(by_count.values()),
        targets=targets,
        never=[target for target, count in targets.items() if not count],
        by_count=dict(sorted(by_count.items())),
        differing=differing,
    )
