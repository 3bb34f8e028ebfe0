"""The bones of VRM's humanoid as objects, and which of MikuMikuDance's they are; the facts stand in ``humanoid.toml``."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

_SIDES = (("left", "左"), ("right", "右"))
_OLD_THUMBS = {"Proximal": "Metacarpal", "Intermediate": "Proximal", "Distal": "Distal"}
"""What VRM 0.x calls the three bones of a thumb, and what VRM 1.0 does."""


@dataclass(frozen=True, slots=True)
class HumanoidBone:
    """A bone of the humanoid."""

    name: str
    above: str
    """The humanoid bone that turns before it; "" for the hips."""
    bones: tuple[str, ...]
    """MikuMikuDance's whose turns together are its own, from the outermost to the innermost."""
    rooted: bool
    """Whether it turns with the root alone in MikuMikuDance."""
    arm: bool
    """Whether it hangs at an angle at rest in MikuMikuDance and is level in VRM."""

    @property
    def side(self) -> int:
        """1 on the character's left, -1 on its right, 0 in the middle."""
        return {"left": 1, "righ": -1}.get(self.name[:4], 0)


@dataclass(frozen=True, slots=True)
class Standard:
    """How characters for MikuMikuDance are built, in its unit."""

    arms: float
    """Degrees below the level."""
    hips: float
    """Height of the joints of the legs."""
    root: Mapping[str, float]
    """The bones that move the whole body, from the outermost, and the height at which each turns."""
    lower_body: float
    """The height at which the lower body turns."""


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads(files("farm.motion").joinpath("humanoid.toml").read_text("utf-8"))


def _roles() -> Iterator[HumanoidBone]:
    for entry in _file()["bone"]:
        for english, japanese in _SIDES if "{}" in entry["name"] else (("", ""),):
            yield HumanoidBone(
                name=entry["name"].format(english),
                above=entry["above"].format(english),
                bones=tuple(name.format(japanese) for name in entry["bones"]),
                rooted=entry.get("rooted", False),
                arm=entry.get("arm", False),
            )


ROLES = {role.name: role for role in _roles()}
"""By name, what is above before what is below."""
STANDARD = Standard(**_file()["standard"])
HUMANOID_BONES = (*ROLES, "jaw")
"""All names of bones in VRM 1.0."""


def roles_of(humanoid: Mapping[str, int]) -> dict[str, int]:
    """The bones of a VRM's humanoid by VRM 1.0's names, whatever its version."""
    if not any(name.endswith("ThumbIntermediate") for name in humanoid):
        return dict(humanoid)
    found: dict[str, int] = {}
    for name, bone in humanoid.items():
        hand, thumb, joint = name.partition("Thumb")
        found[f"{hand}Thumb{_OLD_THUMBS.get(joint, joint)}" if thumb else name] = bone
    return found
