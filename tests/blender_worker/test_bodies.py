"""Bodies, drawn: from a specification to pictures, labels and a manifest."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from farm import pipe
from farm.catalog import Catalog
from farm.cli import main
from farm.dataset.manifest import Manifest, result_object
from farm.dataset.output import unpack_result
from farm.dataset.summary import summarise
from farm.dataset.usability import reasons_against
from farm.drawing.blender import Blender, Drawn
from farm.drawing.plan import plan
from farm.drawing.render import Reporter, render
from farm.drawing.request import request_for
from farm.errors import UnusableModelError
from farm.labels import LabelName, Part
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_model, to_bytes, unfold
from farm.poses import Partition
from farm.recipes.recipe import recipe
from farm.spec import RenderSpec
from farm.storage import LocalStore
from tests.support.fixtures import alpha_box, assignment_for
from tests.support.limbs import momo_with_limbs

pytestmark = pytest.mark.blender
QUIET = Reporter(images=lambda count: None, stage=lambda name, seconds: None, drawn=lambda style, partition: None)
SIZE = 128
SPEC = recipe("bodies").spec.model_copy(update={"size": SIZE, "samples": 3})
GODETTE = "vrm_godette/Godette_vrm_v4.vrm"


def _drawn(blender: Blender, path: Path, spec: RenderSpec, room: Path) -> tuple[pipe.Loaded, list[Drawn]]:
    package, said = read_model(path), []
    assignment = assignment_for(package, spec)

    def loaded(message: pipe.Loaded) -> list[pipe.Shot]:
        said.append(message)
        return plan(assignment, {}, message.unseen).shots

    character, textures = unfold(to_bytes(package), room)
    answers = list(blender.draw(request_for(assignment, plan(assignment, {}), character, textures), loaded))
    return said[0], answers


def _render(blender: Blender, path: Path, spec: RenderSpec, room: Path) -> Manifest:
    package, store = read_model(path), LocalStore(room)
    Catalog(store).add(package)
    return render(assignment_for(package, spec), store, blender, QUIET)


@pytest.mark.parametrize("name", ["made by code", GODETTE])
def test_the_recipe_draws_a_body_whole_from_four_sides(
    blender: Blender, request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "momo.pmx"
    if name == GODETTE:
        path = request.getfixturevalue("real_models") / name
    else:
        path.write_bytes(pmx_bytes(replace(momo_with_limbs(), textures=())))
    loaded, answers = _drawn(blender, path, SPEC, tmp_path / "room")

    assert reasons_against(loaded.survey) == []
    assert loaded.survey.body is not None
    assert loaded.survey.body.limbs > 0.1
    assert len(answers) == 1 + 3 * 4 * 2
    for answer in answers:
        picture = answer.pictures[0]
        edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        assert edge[:, 3].max() == 0, "something is cut off"
        depth = np.asarray(answer.labels[LabelName.DEPTH])
        assert (depth[picture[..., 3] > 250] > 0).mean() > 0.8  # outlines have none
    if name == GODETTE:  # her morphs, which nothing plays, tell where her eyes are
        front = np.asarray(answers[1].labels[LabelName.PARTS])
        assert {Part.FACE, Part.HAIR, Part.BODY, Part.EYE_LEFT, Part.EYE_RIGHT} <= set(np.unique(front).tolist())
    # The frontal partition is the A-pose, the same in every sample; the rotated one is a pose of its own.
    views = [answers[1 + number :: 8] for number in range(8)]
    for number in range(0, 8, 2):
        still = [answer.pictures[0][..., 3] for answer in views[number]]
        posed = [answer.pictures[0][..., 3] for answer in views[number + 1]]
        assert all(np.array_equal(still[0], alpha) for alpha in still)
        assert all(np.count_nonzero(still[0] != alpha) > 0.02 * SIZE * SIZE for alpha in posed)


@pytest.mark.parametrize("name", ["yw_test_model/yw_test_model.pmx", GODETTE])
def test_rest_poses_change_where_the_arms_are(blender: Blender, real_models: Path, tmp_path: Path, name: str) -> None:
    """A PMX whose arms hang and a VRM whose arms are level look alike in each: the T-pose is wider than the A-pose."""
    boxes = {}
    for rest in ("file", "a", "t"):
        spec = RenderSpec.model_validate(
            {
                "rest_pose": rest,
                "samples": 1,
                "size": SIZE,
                "styles": ["flat"],
                "camera": {"framing": "body", "field_of_view": 5},
            }
        )
        _, answers = _drawn(blender, real_models / name, spec, tmp_path / rest)
        top, bottom, left, right = alpha_box(answers[0].pictures[0])
        boxes[rest] = (right - left) / (bottom - top)

    assert boxes["t"] > 1.15 * boxes["a"]
    own = "t" if name == GODETTE else "a"
    assert boxes["file"] == pytest.approx(boxes[own], rel=0.16)


def test_a_result_says_what_was_posed_and_comes_out_the_same_again(
    blender: Blender, real_models: Path, tmp_path: Path
) -> None:
    spec = SPEC.model_copy(update={"labels": (), "samples": 2})

    manifest = _render(blender, real_models / GODETTE, spec, tmp_path)

    assert manifest.space is not None
    assert manifest.space.entries == spec.space.entries
    assert all(manifest.space.mask)
    assert {image.view.yaw for image in manifest.images} == {0, 90, 180, -90}
    for image in manifest.images:
        pose = dict(zip(spec.space.entries, image.pose, strict=True))
        if image.partition is Partition.FRONTAL:
            assert not any(pose.values())
        else:
            assert sum(value != 0 for value in pose.values()) > 10
    again = _render(blender, real_models / GODETTE, spec, tmp_path / "again")
    assert [image.sha256 for image in again.images] == [image.sha256 for image in manifest.images]


def test_a_folder_of_bodies_verifies_and_is_drawn_again_alike(
    blender: Blender, real_models: Path, tmp_path: Path
) -> None:
    """The head goes where the trunk takes it; what is drawn again has the same bytes."""
    path = real_models / "yw_test_model" / "yw_test_model.pmx"
    package, store = read_model(path), LocalStore(tmp_path / "store")
    Catalog(store).add(package)
    assignment = assignment_for(package, SPEC.model_copy(update={"size": 96}))
    manifest = render(assignment, store, blender, QUIET)

    def fetch(file: str, place: Path) -> None:
        place.write_bytes(store.get(result_object(assignment.render_key, file)))

    model = unpack_result(manifest, "yw", fetch, tmp_path / "out")
    summarise([model], tmp_path / "out")
    command = ["verify", str(tmp_path / "out"), "--redraw", "20%", "--models", str(path.parent), "--json"]
    told = CliRunner().invoke(main, command)

    assert told.exit_code == 0, told.output
    summary = json.loads(told.stdout)["summary"]
    assert (summary["findings"], summary["pictures"]) == (0, 25)
    assert summary["redrawn"] == 24


def test_a_character_without_limbs_is_no_body_unless_it_is_wanted(
    blender: Blender, mascots: dict[str, Path], real_models: Path, tmp_path: Path
) -> None:
    spec = SPEC.model_copy(update={"labels": (), "samples": 1})

    with pytest.raises(UnusableModelError, match="no humanoid arms and legs"):
        _render(blender, mascots["momo"], spec, tmp_path / "momo")
    ball = real_models / "vrm_mtoon_conformance_v1" / "mtoon_default.vrm"  # bones of a humanoid, and a ball
    with pytest.raises(UnusableModelError, match="Nothing of its body is seen"):
        _render(blender, ball, spec, tmp_path / "ball")

    kept = _render(blender, mascots["momo"], spec.model_copy(update={"keep_unusable": True}), tmp_path / "kept")
    assert kept.space is not None
    played = {entry for entry, can in zip(kept.space.entries, kept.space.mask, strict=True) if can}
    assert played == {"trunk_bend", "trunk_tilt", "trunk_turn", "head_nod", "head_tilt", "head_turn"} | {
        "shoulder_raise_left",
        "shoulder_raise_right",
    }
