"""What can be put on a character so that it hides some of it: the names, and which of them a sample wears."""

from collections.abc import Sequence
from enum import StrEnum

from farm.poses import uniform


class OccluderName(StrEnum):
    """The props, made by `blender_worker.occluders` to the measures of each head."""

    GLASSES = "glasses"
    """Two rims, a bridge, temples; nothing between the rims."""
    SUNGLASSES = "sunglasses"
    """The same with dark lenses that nothing shows through."""
    MASK = "mask"
    """Over nose, mouth and chin, held behind the cheeks."""
    SCARF = "scarf"
    """Around the neck, up over the chin."""


NOTHING, CHARACTER = 0, 1
"""What the label `occlusion` says of a pixel that shows no occluder: nothing is there, or the character is."""
CODES: dict[OccluderName, int] = {name: number for number, name in enumerate(OccluderName, CHARACTER + 1)}
"""What it says of one that shows an occluder."""


def worn(occluders: Sequence[OccluderName], seed: int, model: str, sample: int, view: int) -> OccluderName | None:
    """Which of `occluders` a sample wears, seen from its view of that number; None where there is none to choose from.

    It does not depend on how many views there are; both partitions share it.
    """
    if not occluders:
        return None
    return occluders[int(uniform(seed, model, sample, f"occluder/{view}") * len(occluders))]
