"""The frames of a clip as samples and shots: what a motion makes of the character, said in a pose space.

A frame's weights come from the motion, by the very morphs that play the space's keys, and the head's angles from its posed
bone. Light, views and background are those of the first frame, or a clip would flicker.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm import pipe
from farm.drawing.assignment import Assignment
from farm.errors import RenderError
from farm.labels import LabelName
from farm.morphs.vocabulary import Side
from farm.poses import LIGHT_RANGE, Partition, Sample, between
from farm.spaces.casting import Cast, Played

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Frames:
    """A clip's samples, one a frame, and its shots."""

    samples: list[Sample]
    shots: list[pipe.Shot]


def played_whole(cast: Cast) -> Cast:
    """What of `cast` a motion can play: it knows morphs as the file has them, no halves of them and no movements of bones."""
    return {key: played for key, played in cast.items() if not played.moves and played.half is None}


def frames_of(
    assignment: Assignment, cast: Cast, found: Sequence[pipe.ClipFrame] | None, views: Sequence[pipe.View]
) -> Frames:
    """The frames of the clip that is asked for, each from `views`; `cast` says which morphs play which keys.

    `found` is what the motion makes of the character; None where nobody knows yet: then nothing plays and nothing turns.
    """
    spec, model = assignment.spec, assignment.model
    motion = spec.motion
    assert motion is not None
    light = between(*LIGHT_RANGE, spec.seed, model, spec.drawn_as(0), "light")
    if found is None:
        found = [pipe.ClipFrame(weights={}, rotation=(0.0, 0.0, 0.0))] * motion.frames
    if len(found) != motion.frames:
        raise RenderError(f"Blender told of {len(found)} frames of a clip of {motion.frames}. Please report it.")
    samples = [Sample(index, _values(cast, frame.weights), frame.rotation, light) for index, frame in enumerate(found)]
    last = len(found) - 1
    flows = LabelName.FLOW in spec.labels
    shots = []
    for index, frame in enumerate(found):
        shot = pipe.Shot(
            sample=index,
            partition=Partition.ROTATED,
            weights=frame.weights,
            rotation=(0.0, 0.0, 0.0),  # the motion has the head's bones turn
            light=light,
            frame=index,
            flows_to=min(index + 1, last) if flows else None,
            other_weights=found[min(index + 1, last)].weights if flows else None,
        )
        shots += [shot.model_copy(update={"view": view}) for view in views]
    return Frames(samples, shots)


def _values(cast: Cast, weights: Mapping[int, float]) -> dict[str, float]:
    """Key to value. What plays both sides and what plays one of them add up there, as they do in the picture."""
    values = {key: value for key, played in cast.items() if (value := _value(played, weights))}
    for key in list(values):
        stem, _, side = key.rpartition("/")
        both = values.get(f"{stem}/{Side.BOTH}", 0.0)
        if side in (Side.LEFT, Side.RIGHT) and both:
            values[key] = round(min(1.0, values[key] + both), _DIGITS)
    # Both sides first: what is said of one of them then says more.
    return dict(sorted(values.items(), key=lambda item: not item[0].endswith(f"/{Side.BOTH}")))


def _value(played: Played, weights: Mapping[int, float]) -> float:
    """Of several morphs that play a key together the weakest counts; what plays values below 0 is taken away."""
    plus = min((weights.get(ref.index, 0.0) for ref in played.of), default=0.0)
    minus = min((weights.get(ref.index, 0.0) for ref in played.against), default=0.0)
    return round(plus - minus, _DIGITS)
