"""One description for every motion, whatever file it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from farm.models.description import Axes
from farm.motion.channels import Channel


class Rest(StrEnum):
    """How a character stands that does not move."""

    A_POSE = "A-pose"
    """The arms hang down at an angle, as MikuMikuDance's characters do."""
    T_POSE = "T-pose"
    """The arms are level, as VRM has it."""


class Convention(StrEnum):
    """What a motion calls bones and morphs by."""

    MMD = "MMD"
    """Bones and morphs as models for MikuMikuDance call them, cut at 15 bytes."""
    HUMANOID = "humanoid"
    """Bones of VRM's humanoid, expressions of VRM 1.0."""


@dataclass(frozen=True, slots=True)
class BoneTrack:
    """How one bone moves: first turned about its head and moved, then with all that is above it."""

    name: str
    moves: Channel | None
    """(k, 3) away from where it rests, in the motion's axes and unit."""
    turns: Channel | None
    """(k, 4) away from how it rests, in the motion's axes."""


@dataclass(frozen=True, slots=True)
class MorphTrack:
    """How much of one morph plays."""

    name: str
    weights: Channel
    """(k, 1); files may go beyond [0, 1]."""


@dataclass(frozen=True, slots=True)
class Motion:
    """A motion as its file describes it."""

    format: str
    """For people, such as "VMD 0002"."""
    naming: Convention
    rest: Rest
    axes: Axes
    made_for: str
    """The model that a VMD names; "" where the file says nothing."""
    bones: tuple[BoneTrack, ...]
    """Each name once."""
    morphs: tuple[MorphTrack, ...]
    """Each name once."""
    rate: float | None = None
    """Frames a second that the file counts in; None for one that counts in seconds."""
    hips_height: float = 0.0
    """Of the skeleton that it was made with, in its unit; moves are scaled by it. 0 where the file has none."""
    look: Channel | None = None
    """VRMA: (k, 4) the turn of the gaze, from straight ahead."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """What the file has beside this, and how many keys of it: "camera", "light", "shadow", "display and IK"."""
    warnings: tuple[str, ...] = ()
    """What the reader had to mend or ignore, a sentence each."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """All of them."""
        bones = [channel for track in self.bones for channel in (track.moves, track.turns)]
        found = (*bones, *(track.weights for track in self.morphs), self.look)
        return tuple(channel for channel in found if channel is not None)

    @property
    def seconds(self) -> float:
        """When the last key is; 0 without any."""
        return max((channel.end for channel in self.channels), default=0.0)

    @property
    def keys(self) -> int:
        """Of all channels together."""
        return sum(len(channel.times) for channel in self.channels)

    def frames(self, rate: float) -> int:
        """How many frames it has at `rate` a second, the first at 0."""
        return int(np.floor(self.seconds * rate + 1e-6)) + 1
