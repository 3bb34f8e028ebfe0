"""Who plays a target when pictures show nothing of the morph that was to: the next that fits, or nobody."""

from collections.abc import Collection, Mapping, Sequence

from farm.morphs.refs import Annotation, MorphRef


def recast(
    annotation: Annotation, understudies: Mapping[str, Sequence[MorphRef]], unseen: Collection[int]
) -> Annotation:
    """`annotation` without the morphs of `unseen`, by their index; their targets go to the first understudy that is seen.

    `understudies` are by target, the best first. No morph plays two targets; targets stay in their order.
    """
    played = {ref.index for ref in annotation.values() if ref.index not in unseen}
    cast: Annotation = {}
    for target, ref in annotation.items():
        if ref.index not in unseen:
            cast[target] = ref
            continue
        ready = (each for each in understudies.get(target, ()) if each.index not in unseen and each.index not in played)
        if (found := next(ready, None)) is not None:
            cast[target] = found
            played.add(found.index)
    return cast
