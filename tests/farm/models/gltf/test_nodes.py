"""The hierarchy of a glTF file: scenes, trees, matrices."""

from typing import Any

import numpy as np
import pytest

from tests.farm.models import made_files as made
from tests.farm.models.gltf.written import read_draft


def test_a_scene_shows_its_own_nodes_alone() -> None:
    draft = made.vrm()
    draft.add("nodes", {"mesh": 0, "translation": [1, 0, 0]})

    assert len(read_draft(draft).positions) == 6
    draft.content["scenes"] = []
    assert len(read_draft(draft).positions) == 12


@pytest.mark.parametrize(("visible", "vertices"), [(False, 6), (True, 12), ("no", 12)])
def test_a_node_that_is_switched_off_is_not_shown_nor_what_is_below_it(visible: object, vertices: int) -> None:
    draft = made.vrm()
    below = draft.add("nodes", {"mesh": 0, "translation": [1, 0, 0]})
    above = draft.add("nodes", {"children": [below], "extensions": {"KHR_node_visibility": {"visible": visible}}})
    draft.content["scenes"][0]["nodes"].append(above)

    assert len(read_draft(draft).positions) == vertices


@pytest.mark.parametrize(
    "children", [{0: [0]}, {0: [1], 1: [0]}, {0: [1, 1]}, {0: [1, 2], 1: [2]}, {2: [0]}, {0: [99, -1, "x", None, 1]}]
)
def test_nodes_that_are_no_tree_are_taken_apart(children: dict[int, list[Any]]) -> None:
    draft = made.vrm()
    for node, below in children.items():
        draft.content["nodes"][node]["children"] = below
    draft.content["scenes"] = []

    character = read_draft(draft)

    assert len(character.positions) == 6
    for place in range(len(character.bones)):
        walk, steps = character.bones[place].parent, 0
        while walk is not None:
            walk, steps = character.bones[walk].parent, steps + 1
            assert steps < 10


def test_a_matrix_is_what_translation_rotation_and_scale_are() -> None:
    draft = made.vrm()
    half = 0.5**0.5
    parts = {"translation": [1, 2, 3], "rotation": [0, half, 0, half], "scale": [2, 3, 4]}
    matrix = [0, 0, -2, 0, 0, 3, 0, 0, 4, 0, 0, 0, 1, 2, 3, 1]
    for node in (parts, {"matrix": matrix}):
        draft.content["scenes"][0]["nodes"].append(draft.add("nodes", {"mesh": 0} | node))

    character = read_draft(draft)

    np.testing.assert_allclose(character.positions[6:12], character.positions[12:], atol=1e-5)
    x, y, z = character.positions[:6].T
    np.testing.assert_allclose(character.positions[12:], np.column_stack([4 * z + 1, 3 * y + 2, -2 * x + 3]), atol=1e-5)


def test_transforms_out_of_all_measure_are_survived() -> None:
    draft = made.vrm()
    for node in draft.content["nodes"]:
        node |= {"scale": [1e6, 1e6, 1e6], "rotation": [0, 0, 0, 0]}

    read_draft(draft)
