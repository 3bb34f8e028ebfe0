"""A motion on the model that is drawn: what plays and which bones move in each frame of a clip.

Physics stands still, so no frame depends on another: they can be drawn in any order, by any number of workers.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from farm import pipe
from farm.cameras import Framing
from farm.errors import MotionFormatError
from farm.models.description import Character, Expression
from farm.models.posing.morphs import Vector
from farm.models.posing.skeleton import Skeleton
from farm.models.posing.turns import Turn, matrix_of
from farm.models.skeleton import turning_bones
from farm.morphs.expressions import effective
from farm.morphs.refs import MorphRef
from farm.motion.description import Motion
from farm.motion.reading import open_motion
from farm.motion.retargeting import Instant, Retargeted
from farm.poses import angles_of
from farm.spec import MotionSpec
from farm.wording import clean

_CHUNK = 64
"""Frames that are worked out together, always the same ones: what a frame is must not depend on who asks for which."""
_MOST_WEIGHTS = 1_000_000
"""Of all frames together: more is no motion of a face, and every one is told to the worker."""
_FEW = 40
"""Names that are told of what the model lacks."""
_NAME = 60
_DIGITS = 6


class Clip:
    """One motion on one character."""

    def __init__(self, order: pipe.Clip, character: Character, annotation: Mapping[str, int], framing: Framing) -> None:
        """`annotation` says by index which source morph plays which target morph. Raises MotionError."""
        self._motion: Motion = open_motion(Path(order.file))
        self._spec: MotionSpec = order.motion
        self._character = character
        self._retargeted = Retargeted(self._motion, character, annotation)
        neck, self._head, _ = turning_bones(character)
        hips = self._retargeted.hips
        self.anchor = hips if framing is Framing.BODY and hips is not None else neck
        """The bone with which the camera goes along."""
        self._chunk = -1
        self._instants: list[Instant] = []

    @property
    def stirred(self) -> frozenset[int]:
        """The bones that have to be able to move."""
        return self._retargeted.moved | {self.anchor, self._head}

    @property
    def played(self) -> frozenset[int]:
        """The source morphs that play in it, or may."""
        return self._retargeted.played

    def bones(self, frame: int) -> Mapping[int, tuple[Vector, Turn]]:
        """What bones do in a frame by themselves, as `Actor.pose` takes it."""
        return self._instant(frame).bones

    def found(self, skeleton: Skeleton) -> pipe.ClipFound:
        """All frames, for the worker; `skeleton` is the character's. Raises MotionFormatError for what is too much."""
        frames, weights = [], 0
        for number in range(self._spec.frames):
            instant = self._instant(number)
            shown = self._shown(instant)
            weights += len(shown)
            if weights > _MOST_WEIGHTS:
                raise MotionFormatError(
                    f"The motion plays morphs {_MOST_WEIGHTS:,} times and more in the frames that are asked for. Ask for "
                    "fewer frames, or leave out tracks of morphs that the pictures do not need."
                )
            turn = matrix_of(skeleton.turn_of(self._head, instant.bones))
            frames.append(pipe.ClipFrame(weights=shown, rotation=angles_of(turn)))
        return pipe.ClipFound(
            format=self._motion.format,
            seconds=round(self._motion.seconds, _DIGITS),
            moved=len(self._retargeted.moved),
            absent_bones=_few(self._retargeted.absent_bones),
            absent_morphs=_few(self._retargeted.absent_morphs),
            frames=frames,
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader of the motion had to mend."""
        return self._motion.warnings

    def _shown(self, instant: Instant) -> dict[int, float]:
        """The weights that show: VRM expressions limit each other."""
        morphs = self._character.morphs
        refs = {MorphRef(index=index, name=morphs[index].name): weight for index, weight in instant.weights.items()}
        rules = {ref.index: m.rule for ref in refs if isinstance(m := morphs[ref.index], Expression)}
        shown = effective(refs, rules) if rules else refs
        return {ref.index: value for ref, weight in shown.items() if (value := round(weight, _DIGITS)) > 0}

    def _instant(self, frame: int) -> Instant:
        chunk, place = divmod(frame, _CHUNK)
        if chunk != self._chunk:
            numbers = np.arange(chunk * _CHUNK, (chunk + 1) * _CHUNK)
            self._instants = self._retargeted.at(self._spec.start + numbers / self._spec.rate)
            self._chunk = chunk
        return self._instants[place]


def _few(names: tuple[str, ...]) -> list[str]:
    return [clean(name)[:_NAME] for name in names[:_FEW]]
