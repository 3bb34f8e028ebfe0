"""What an expression binds costs no more than it may, however often a file says it."""

import time
from dataclasses import replace

import numpy as np

from blender_worker.importers.morphs import take_apart
from farm.models.description import Character, Expression, TransformBind
from farm.models.posing.morphs import UVEffect
from farm.models.posing.taking import MOST_STEPS
from tests.farm.models import made_files as made

_VERTICES, _BINDS = 50_000, 5_000


def bound_often() -> Character:
    """One material of many triangles, which an expression moves the texture of thousands of times."""
    base = made.vrm_character()
    places = np.zeros((_VERTICES, 3), np.float32)
    triangles = np.arange(12 * _VERTICES, dtype=np.int32).reshape(-1, 3) % _VERTICES
    binds = tuple(TransformBind(0, (1.0, 1.0), (n / _BINDS, 0.0)) for n in range(_BINDS))
    return replace(
        base,
        positions=places,
        uvs=np.zeros((_VERTICES, 2), np.float32),
        triangles=triangles,
        materials=(replace(base.materials[0], first_triangle=0, triangle_count=len(triangles)),),
        morphs=(Expression("x", (), transforms=binds),),
    )


def test_thousands_of_texture_binds_of_one_large_material_are_cut_off() -> None:
    character, warnings = bound_often(), list[str]()
    started = time.process_time()

    morph = take_apart(character, [0], np.eye(3, dtype=np.float32), (character.uvs, None), warnings)[0]

    moved = [len(effect.vertices) for effect, _ in morph.effects if isinstance(effect, UVEffect)]
    assert 1 < len(moved) < _BINDS
    assert sum(moved) <= MOST_STEPS
    assert any("too many" in warning for warning in warnings)
    assert time.process_time() - started < 20  # each bind looks up fifty thousand places; its triangles, once
