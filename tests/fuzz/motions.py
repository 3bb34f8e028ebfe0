"""Bad motion files through all that is done with one: read, evaluated, brought onto characters of both kinds, and posed."""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from farm.errors import FarmError
from farm.models.description import Character
from farm.models.package import read_character
from farm.models.posing.armature import Armature
from farm.models.posing.turns import NO_TURN
from farm.models.skeleton import turning_bones
from farm.models.vrm.writer import vrm_bytes
from farm.motion.reading import read_motion
from farm.motion.retargeting import Instant, Retargeted
from tests.farm.models import made_files as made
from tests.farm.motion import made_motions
from tests.fuzz.mutation import File

_TIMES = np.array([0.01, 1.0, 90_000.0])
_ANNOTATION: Mapping[str, int] = {"eye/closed/both": 0, "mouth/a": 1}


@cache
def seeds() -> tuple[File, ...]:
    """The good files."""
    return (
        ("a.vmd", made_motions.dance(1, ("センター", "左腕", "左足", "首"))),
        ("a.vmd", made_motions.dance(2, ("全ての親", "右ひじ"))),
        ("a.vrma", made_motions.walk(1)),
        ("a.vrma", made_motions.walk(2)),
    )


@cache
def _stages() -> tuple[Character, ...]:
    vrm = vrm_bytes(made.vrm_character())
    return made_motions.body(), read_character(".vrm", vrm)


def take_in(name: str, data: bytes) -> str:
    """Do what is done with a motion; the outcome in a word."""
    try:
        motion = read_motion(f".{name.rpartition('.')[2]}", data)
    except FarmError as error:
        str(error).encode()
        return error.code
    made_motions.assert_sound(motion)
    for text in (motion.format, motion.made_for, *motion.warnings, *(track.name for track in motion.bones)):
        text.encode()
    for character in _stages():
        retargeted = Retargeted(motion, character, _ANNOTATION)
        _assert_posed(character, retargeted, retargeted.at(_TIMES))
    return "taken"


def _assert_posed(character: Character, retargeted: Retargeted, moments: Sequence[Instant]) -> None:
    world = np.array(character.axes.to_world, np.float32)
    rest = (character.positions @ world.T).astype(np.float32)
    skeleton, skin = Armature(character, turning_bones(character)[0], world).bind(retargeted.moved, rest)
    for moment in moments:
        assert set(moment.bones) <= retargeted.moved
        assert set(moment.weights) <= retargeted.played
        assert all(0 < weight <= 1 for weight in moment.weights.values())
        positions = rest.copy()
        skin.take(positions, skeleton.pose(moment.bones, NO_TURN))
        assert np.isfinite(positions).all()
