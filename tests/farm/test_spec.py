"""The render specification: the paper's defaults, its limits, and the key that names a result."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from farm import spec as spec_module
from farm.morphs.columns import extended_targets
from farm.morphs.provenance import Provenance
from farm.morphs.refs import MorphRef
from farm.poses import Partition
from farm.spaces.limbs import RestPose
from farm.spec import MAX_SAMPLES, RenderSpec, render_key
from farm.styles import PAPER_STYLES

MODEL = "a" * 64
ANNOTATION = {"eye/closed/both": MorphRef(index=2, name="まばたき"), "mouth/a": MorphRef(index=5, name="あ")}


def test_the_defaults_are_the_paper_s() -> None:
    spec = RenderSpec()

    assert spec.size == 256
    assert spec.partitions == (Partition.FRONTAL, Partition.ROTATED)
    assert len(spec.styles) == len(set(spec.styles)) == 4
    assert (spec.samples_of(100), spec.samples_of(20)) == (100, 20)


def test_a_number_of_samples_overrides_the_rule() -> None:
    assert RenderSpec(samples=7).samples_of(100) == 7


@pytest.mark.parametrize(
    "values",
    [
        {"seed": 0},
        {"seed": 2**63 - 1},
        {"samples": "auto"},
        {"samples": 1},
        {"samples": MAX_SAMPLES},
        {"size": 32},
        {"size": 1024},
        {"supersample": 4},
        {"styles": ["ink"]},
        {"partitions": ["rotated"]},
        {"backgrounds": ["0" * 64]},
        {"combinations": True},
        {"extended": list(extended_targets())},
        {"pose_space": "face-45", "combinations": True},
        {"pose_space": "arkit-52"},
        {"rest_pose": "t"},
        {"pose_space": "body-34", "rest_pose": "a"},
        {"labels": ["parts", "depth", "normals", "uv", "flow", "landmarks"]},
    ],
)
def test_what_stands_at_the_edge_of_a_limit_is_allowed(values: dict[str, Any]) -> None:
    spec = RenderSpec.model_validate_json(json.dumps(values))

    assert RenderSpec.model_validate(spec.model_dump(mode="json")) == spec
    for name, value in values.items():
        assert spec.model_dump(mode="json")[name] == value


@pytest.mark.parametrize(
    "values",
    [
        {"seed": -1},
        {"seed": 2**63},
        {"samples": 0},
        {"samples": -4},
        {"samples": MAX_SAMPLES + 1},
        {"samples": 10**30},
        {"samples": "many"},
        {"samples": None},
        {"samples": 1.5},
        {"size": 31},
        {"size": 1025},
        {"supersample": 0},
        {"supersample": 5},
        {"styles": []},
        {"styles": ["cel"]},
        {"styles": ["toon", "toon"]},
        {"partitions": []},
        {"partitions": ["rotated", "frontal", "rotated"]},
        {"canvas": "cycles"},
        {"colour": "red"},
        {"extended": ["eye/closed/left"]},
        {"extended": ["nose/long"]},
        {"pose_space": "face-46"},
        {"pose_space": "../face-45"},
        {"pose_space": "face-45", "extended": ["face/joy"]},
        {"labels": ["depth", "depth"]},
        {"labels": ["flow"], "partitions": ["rotated"]},
        {"backgrounds": ["0" * 63]},
        {"backgrounds": ["0" * 64] * 2},
        {"camera": {"views": 2}},
        {"camera": {"yaw": [1, 0]}},
    ],
)
def test_what_lies_beyond_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RenderSpec.model_validate_json(json.dumps(values))


def test_a_specification_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        RenderSpec().seed = 1  # type: ignore[misc]  # what the types refuse, the object refuses too


def test_equal_inputs_give_an_equal_key_whatever_their_order() -> None:
    turned = dict(reversed(ANNOTATION.items()))

    key = render_key(MODEL, ANNOTATION, RenderSpec())

    assert key == render_key(MODEL, turned, RenderSpec(seed=0, size=256))
    assert len(key) == 64
    assert set(key) <= set("0123456789abcdef")


def test_everything_that_changes_pictures_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = RenderSpec()
    keys = [
        render_key(MODEL, ANNOTATION, spec),
        render_key("b" * 64, ANNOTATION, spec),
        render_key(MODEL, ANNOTATION | {"mouth/a": MorphRef(index=5, name="ア")}, spec),
        render_key(MODEL, ANNOTATION | {"mouth/a": MorphRef(index=6, name="あ")}, spec),
        render_key(MODEL, {}, spec),
        render_key(MODEL, ANNOTATION, spec, Provenance(record=1)),
        render_key(MODEL, ANNOTATION, spec, Provenance(record=2)),
        render_key(MODEL, ANNOTATION, spec, Provenance(groups={"spring": 1})),
        render_key(MODEL, ANNOTATION, spec, Provenance(table=True)),
        *(
            render_key(MODEL, ANNOTATION, RenderSpec.model_validate(changed))
            for changed in (
                {"seed": 1},
                {"samples": 20},
                {"size": 128},
                {"supersample": 1},
                {"styles": ["ink"]},
                {"styles": list(reversed(PAPER_STYLES))},
                {"partitions": ["rotated"]},
                {"labels": ["depth"]},
                {"backgrounds": ["1" * 64, "2" * 64]},
                {"backgrounds": ["2" * 64, "1" * 64]},
                {"camera": {"views": 2, "yaw": [0, 1]}},
                {"camera": {"framing": "bust"}},
                {"annotation": "confirmed"},
                {"least_confidence": 0.5},
                {"combinations": True},
                {"extended": ["face/joy"]},
                {"pose_space": "face-45"},
                {"pose_space": "arkit-52"},
            )
        ),
    ]
    monkeypatch.setattr(spec_module, "RENDERER_VERSION", spec_module.RENDERER_VERSION + 1)
    keys.append(render_key(MODEL, ANNOTATION, spec))

    assert len(set(keys)) == len(keys)


def test_poses_of_a_body_say_themselves_how_it_stands() -> None:
    assert RenderSpec(pose_space="body-34").stance == RestPose.A
    assert RenderSpec(pose_space="face-45", rest_pose=RestPose.T).stance == RestPose.T
    assert RenderSpec().stance == RestPose.FILE
    assert "rest_pose" not in RenderSpec(pose_space="body-34").model_dump(mode="json")
    with pytest.raises(ValidationError, match="counts its angles from rest_pose 'a': leave rest_pose out"):
        RenderSpec(pose_space="body-34", rest_pose=RestPose.T)
