"""Finds the bones that a face picture needs: the neck (camera and rotation) and the head (framing)."""

from collections.abc import Sequence
from dataclasses import dataclass

from farm.errors import NoNeckBoneError
from farm.morphs.names import normalise

# By rule: (name of the rule, neck names, head names). Names are compared after NFKC and without case and spaces.
_RULES = (
    ("MMD", ("首",), ("頭",)),
    ("English", ("neck", "bip01neck", "neck1", "neck_01"), ("head", "bip01head", "head_01")),
    ("Mixamo", ("mixamorig:neck", "mixamorig_neck"), ("mixamorig:head", "mixamorig_head")),
)


@dataclass(frozen=True, slots=True)
class NeckAndHead:
    """The two bones by name, and the rule that found them."""

    neck: str
    head: str
    rule: str


def find_neck_and_head(names: Sequence[str]) -> NeckAndHead:
    """Find the neck and the head among bone names, Japanese before English.

    A model without a head bone uses its neck for both. Raises NoNeckBoneError when there is no neck.
    """
    by_name: dict[str, str] = {}
    for name in names:
        by_name.setdefault(normalise(name), name)
    for rule, necks, heads in _RULES:
        neck = next((by_name[name] for name in necks if name in by_name), None)
        if neck is not None:
            head = next((by_name[name] for name in heads if name in by_name), neck)
            return NeckAndHead(neck, head, rule)
    raise NoNeckBoneError(
        "The model has no neck bone (首, neck, or the humanoid bone of a VRM), so neither the camera nor the head's "
        "rotation has a place. Name the bone 首 in an editor such as PMX Editor, or leave the model out."
    )
