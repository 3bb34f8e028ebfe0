"""What bones have from the bones above them."""

from collections.abc import Mapping, Sequence


def inherited[T](parents: Sequence[int], own: Mapping[int, T], none: T) -> list[T]:
    """For each bone what `own` has for it, or for the nearest bone above that it knows; `none` where there is none.

    `parents` are indices, -1 for none. They may run in a circle, and be as long a chain as a file likes.
    """
    found = dict(own)
    for start in range(len(parents)):
        line: dict[int, None] = {}
        bone = start
        while bone >= 0 and bone not in found and bone not in line:
            line[bone] = None
            bone = parents[bone]
        found |= dict.fromkeys(line, found.get(bone, none) if bone >= 0 else none)
    return [found[bone] for bone in range(len(parents))]
