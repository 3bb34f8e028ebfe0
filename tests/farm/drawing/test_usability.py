"""The usability filter: the rules on measures, and the measures of real pictures."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from farm.catalog import Catalog
from farm.dataset.manifest import MANIFEST, Manifest, result_object
from farm.dataset.usability import reasons_against
from farm.drawing.blender import Blender
from farm.drawing.render import Reporter, render
from farm.errors import UnusableModelError
from farm.models.description import Character, VertexMorph
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import Package, read_character, read_model
from farm.pipe import BodySurvey
from farm.spec import AnnotationRule, RenderSpec
from farm.storage import LocalStore
from tests.support.fixtures import GOOD_SURVEY, assignment_for

QUIET = Reporter(images=lambda count: None, stage=lambda name, seconds: None, drawn=lambda style, partition: None)
SPEC = RenderSpec(samples=1, size=64)


def test_an_ordinary_picture_is_usable() -> None:
    assert reasons_against(GOOD_SURVEY) == []


def test_a_body_with_arms_and_legs_is_usable() -> None:
    whole = GOOD_SURVEY.model_copy(update={"body": BodySurvey(lacking=[], limbs=0.2)})

    assert reasons_against(whole) == []
    assert "body" not in GOOD_SURVEY.model_dump(mode="json")


def test_a_model_without_annotated_morphs_is_not_judged_by_its_face() -> None:
    unknown = GOOD_SURVEY.model_copy(update={"face_vertices": 0, "face_changed": None, "face_ahead": None})

    assert reasons_against(unknown) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"head_vertices": 0, "head_inside": 0.0}, "stage"),
        ({"head_inside": 0.2}, "outside the frame"),
        ({"coverage": 0.001}, "empty"),
        ({"face_changed": 0.0}, "covered"),
        ({"face_changed": 0.0, "face_ahead": None}, "covered"),
        ({"face_changed": 0.0, "face_ahead": -0.2}, "from the front"),
        ({"body": BodySurvey(lacking=["arms", "legs"], limbs=0.3)}, "no humanoid arms and legs: .*左ひじ"),
        ({"body": BodySurvey(lacking=["legs"], limbs=0.3)}, "no humanoid legs:"),
        ({"body": BodySurvey(lacking=[], limbs=0.001)}, "Nothing of its body is seen: 0.10%"),
        ({"bare": 0.4, "bare_texture": "face.png"}, "Textures of its head are missing: 40%.*'face.png'"),
    ],
)
def test_each_rule_gives_its_sentence(change: dict[str, Any], word: str) -> None:
    (reason,) = reasons_against(GOOD_SURVEY.model_copy(update=change))

    assert re.search(word, reason)


def test_a_model_of_which_nothing_is_confirmed_is_not_drawn_where_only_that_counts(
    mascots: dict[str, Path], tmp_path: Path, fresh_blender: Blender
) -> None:
    store, package = LocalStore(tmp_path), read_model(mascots["momo"])
    Catalog(store).add(package)
    spec = SPEC.model_copy(update={"annotation": AnnotationRule.CONFIRMED})
    assignment = replace(assignment_for(package, spec), annotation={})

    with pytest.raises(UnusableModelError, match="Nobody has confirmed"):
        render(assignment, store, fresh_blender, QUIET)

    assert fresh_blender.renderer == "", "it need not be loaded to know that"


def masked(character: Character) -> Character:
    """The character behind a large plate, drawn with its first material."""
    neck = next(bone for bone in character.bones if bone.name == "首")
    x, y, z = neck.position
    corners = np.array([[-9, -9, -6], [9, -9, -6], [9, 9, -6], [-9, 9, -6]], np.float32) + np.array(
        [x, y, z], np.float32
    )
    first = len(character.positions)

    def longer(values: np.ndarray, row: np.ndarray) -> np.ndarray:
        return np.concatenate([values, np.repeat(row[None].astype(values.dtype), 4, axis=0)])

    material = replace(character.materials[0], name="plate", first_triangle=len(character.triangles), triangle_count=2)
    body = next(i for i, bone in enumerate(character.bones) if bone.name == "上半身")
    return replace(
        character,
        positions=np.concatenate([character.positions, corners]),
        normals=longer(character.normals, np.array([0, 0, -1], np.float32)),
        uvs=longer(character.uvs, np.zeros(2)),
        bone_indices=longer(character.bone_indices, np.array([body, -1, -1, -1])),
        bone_weights=longer(character.bone_weights, np.array([1, 0, 0, 0])),
        edge_scales=longer(character.edge_scales, np.array(1.0)),
        triangles=np.concatenate([character.triangles, np.array([[0, 2, 1], [0, 3, 2]], np.int32) + first]),
        materials=(*character.materials, material),
    )


def turned_away(character: Character) -> Character:
    """The character looking the other way."""
    back = np.array([-1, 1, -1], np.float32)
    return replace(
        character,
        positions=character.positions * back,
        normals=character.normals * back,
        bones=tuple(replace(b, position=(-b.position[0], b.position[1], -b.position[2])) for b in character.bones),
        morphs=tuple(
            replace(m, offsets=m.offsets * back) if isinstance(m, VertexMorph) else m for m in character.morphs
        ),
    )


@pytest.mark.blender
@pytest.mark.parametrize(("spoil", "word"), [(masked, "covered"), (turned_away, "from the front")])
def test_a_face_that_cannot_be_seen_fails_the_model_unless_it_is_wanted(
    mascots: dict[str, Path], tmp_path: Path, spoil: object, word: str
) -> None:
    assert callable(spoil)
    path = tmp_path / "spoiled.pmx"
    path.write_bytes(pmx_bytes(spoil(read_character(".pmx", mascots["nagi"].read_bytes()))))
    package: Package = read_model(path)
    store = LocalStore(tmp_path / "store")
    Catalog(store).add(package)
    blender = Blender()
    try:
        with pytest.raises(UnusableModelError, match=word):
            render(assignment_for(package, SPEC), store, blender, QUIET)

        wanted = SPEC.model_copy(update={"keep_unusable": True})
        assignment = assignment_for(package, wanted)
        warnings = render(assignment, store, blender, QUIET).warnings
    finally:
        blender.stop()

    assert any(word in warning for warning in warnings)
    manifest = Manifest.model_validate_json(store.get(result_object(assignment.render_key, MANIFEST)))
    assert reasons_against(manifest.survey)
