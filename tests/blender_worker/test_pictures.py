"""What the pictures show, drawn by a real Blender process under its supervisor."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm import pipe
from farm.drawing import blender as supervisor
from farm.drawing.blender import Blender
from farm.errors import BlenderDiedError, BlenderStartError, ModelFormatError, NoNeckBoneError
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import Package, read_character, read_model, to_bytes, unfold
from farm.poses import Partition
from farm.styles import PAPER_STYLES
from tests.support.fixtures import alpha_box
from tests.support.morphs import numbered
from tests.support.servers import PATIENCE_SECONDS

pytestmark = pytest.mark.blender
SIZE = 128
FRONT = (0.0, 0.0, 0.0)
type Pose = tuple[dict[str, float], tuple[float, float, float]]
"""Weights of morphs by name, and the head's rotation in degrees."""


def request_for(package: Package, folder: Path, *poses: Pose) -> pipe.Render:
    character, textures = unfold(to_bytes(package), folder)
    return pipe.Render(
        character=str(character),
        textures={index: str(path) for index, path in textures.items()},
        morphs=sorted({index for weights, _ in poses for index in numbered(package, weights)}),
        styles=list(PAPER_STYLES),
        size=SIZE,
        supersample=2,
        shots=[
            pipe.Shot(
                sample=i, partition=Partition.ROTATED, weights=numbered(package, weights), rotation=rotation, light=0.6
            )
            for i, (weights, rotation) in enumerate(poses)
        ],
    )


def draw(blender: Blender, model: Path, folder: Path, *poses: Pose) -> list[dict[str, np.ndarray]]:
    shots = blender.draw(request_for(read_model(model), folder, *poses), lambda _: None)
    return [dict(zip(PAPER_STYLES, shot.pictures, strict=True)) for shot in shots]


def brightness(picture: np.ndarray) -> np.ndarray:
    return picture[..., :3].astype(float).mean(axis=-1)


@pytest.mark.parametrize("name", ["nagi", "momo"])
def test_the_face_is_upright_centred_and_of_the_right_size(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path, name: str
) -> None:
    (picture,) = (shot["flat"] for shot in draw(blender, mascots[name], tmp_path, ({}, FRONT)))

    top, bottom, _, _ = alpha_box(picture)
    assert bottom == SIZE - 1, "the chest leaves the frame at the bottom"
    head_top_expected = SIZE * (1 - 0.2 - 0.48)
    assert top == pytest.approx(head_top_expected, abs=0.12 * SIZE)
    head = picture[top : int(0.6 * SIZE), :, 3] > 127
    columns = np.flatnonzero(head.any(axis=0))
    assert (columns.min() + columns.max()) / 2 == pytest.approx((SIZE - 1) / 2, abs=0.04 * SIZE)


def test_alpha_is_straight_and_nothing_has_colour_without_it(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    (shot,) = draw(blender, mascots["nagi"], tmp_path, ({}, FRONT))

    for style, picture in shot.items():
        alpha = picture[..., 3]
        assert (picture[alpha == 0] == 0).all(), style
        assert (alpha == 0).mean() > 0.3, style
        assert (alpha == 255).mean() > 0.2, style
        # A premultiplied picture would have no pixel brighter than its alpha; straight edges keep the hair's colour.
        edge = (alpha > 20) & (alpha < 120)
        assert edge.any(), style
        assert (picture[edge][:, :3].max(axis=1) > alpha[edge]).any(), style


def test_the_four_styles_differ_and_share_their_outline(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    (shot,) = draw(blender, mascots["nagi"], tmp_path, ({}, FRONT))

    names = list(PAPER_STYLES)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            assert np.abs(shot[one].astype(int) - shot[other].astype(int)).mean() > 0.5, (one, other)
    np.testing.assert_array_equal(shot["default"][..., 3], shot["flat"][..., 3])
    np.testing.assert_array_equal(shot["default"][..., 3], shot["toon"][..., 3])
    # A share, not a difference: how bright toon is depends on the light. At this size a line is half a pixel wide.
    darker = brightness(shot["ink"]) < 0.75 * brightness(shot["toon"])
    assert darker.sum() > 100, "ink has dark lines where toon has none"


def test_light_changes_the_lit_styles_and_not_the_flat_one(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    request = request_for(read_model(mascots["nagi"]), tmp_path, ({}, FRONT), ({}, FRONT))
    request.shots[0].light, request.shots[1].light = 0.3, 0.9
    dim, bright = (
        dict(zip(PAPER_STYLES, shot.pictures, strict=True)) for shot in list(blender.draw(request, lambda _: None))
    )

    np.testing.assert_array_equal(dim["flat"], bright["flat"])
    for style in ("default", "toon", "ink"):
        assert brightness(bright[style]).sum() > 1.02 * brightness(dim[style]).sum(), style


def test_left_is_the_characters_left_and_so_on_the_right_of_the_picture(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    rest, left, right = (
        shot["flat"].astype(int)
        for shot in draw(
            blender, mascots["nagi"], tmp_path, ({}, FRONT), ({"ウィンク２": 1.0}, FRONT), ({"ｳｨﾝｸ２右": 1.0}, FRONT)
        )
    )

    def changed_columns(picture: np.ndarray) -> np.ndarray:
        return np.flatnonzero((np.abs(picture - rest).sum(axis=-1) > 30).any(axis=0))

    assert changed_columns(left).min() >= SIZE // 2
    assert changed_columns(right).max() <= SIZE // 2


def test_turning_nodding_and_tilting_move_the_face_as_their_names_say(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    poses: list[Pose] = [({}, FRONT), ({}, (20.0, 0.0, 0.0)), ({}, (0.0, 20.0, 0.0)), ({}, (0.0, 0.0, 20.0))]
    rest, nodded, tilted, turned = (shot["flat"] for shot in draw(blender, mascots["nagi"], tmp_path, *poses))

    def skin_centre(picture: np.ndarray) -> tuple[float, float]:
        """Centre (row, column) of the skin, which lies on the face's front."""
        r, g, b = (picture[..., i].astype(int) for i in range(3))
        skin = (r > 230) & (g > 190) & (b > 160) & (r > b + 15) & (picture[..., 3] > 200)
        rows, columns = np.nonzero(skin[: int(0.75 * SIZE)])
        return float(rows.mean()), float(columns.mean())

    row, column = skin_centre(rest)
    assert skin_centre(turned)[1] > column + 2, "+Z turns the face from -Y towards +X, the right of the picture"
    assert skin_centre(nodded)[0] > row + 1, "+X lowers what is in front"
    assert skin_centre(tilted)[1] > column + 2, "+Y tips the head's top from +Z towards +X"


def test_the_same_shots_give_the_same_bytes_in_another_process_and_order(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    poses = [({"あ": 0.5}, (5.0, 10.0, -15.0)), ({"まばたき": 0.8}, FRONT)]
    here = draw(blender, mascots["nagi"], tmp_path / "a", *poses)
    other = Blender()
    try:
        draw(other, mascots["momo"], tmp_path / "b", ({"あ": 1.0}, FRONT))  # another model before it
        there = draw(other, mascots["nagi"], tmp_path / "c", *reversed(poses))
    finally:
        other.stop()

    for one, two in zip(here, reversed(there), strict=True):
        for style in PAPER_STYLES:
            np.testing.assert_array_equal(one[style], two[style])


def draw_and_signal(blender: Blender, request: pipe.Render, number: signal.Signals) -> None:
    """Draw, and send Blender a signal after the fourth shot."""
    for drawn in blender.draw(request, lambda _: None):
        if drawn.shot == 3:
            assert blender._process is not None
            os.kill(blender._process.pid, number)


def test_a_killed_blender_is_an_error_of_its_own_and_the_next_model_is_drawn(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    request = request_for(read_model(mascots["momo"]), tmp_path / "a", *([({"あ": 0.5}, FRONT)] * 400))

    with pytest.raises(BlenderDiedError, match="SIGKILL"):
        draw_and_signal(blender, request, signal.SIGKILL)

    assert len(draw(blender, mascots["momo"], tmp_path / "b", ({}, FRONT))) == 1


def test_a_blender_that_goes_silent_is_killed(
    mascots: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STALL_SECONDS", 2.0)
    blender = Blender()
    request = request_for(read_model(mascots["momo"]), tmp_path, *([({"あ": 0.5}, FRONT)] * 400))
    started = time.monotonic()

    with pytest.raises(BlenderDiedError, match="said nothing for 2 s"):
        draw_and_signal(blender, request, signal.SIGSTOP)

    assert time.monotonic() - started < PATIENCE_SECONDS
    assert blender._process is None


def test_a_gpu_that_is_required_and_absent_is_refused(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    blender.start()
    if not supervisor.is_software(blender.renderer):
        pytest.skip(f"this machine draws on hardware: {blender.renderer}")

    with pytest.raises(BlenderStartError, match="FARM_REQUIRE_GPU"):
        Blender(require_gpu=True).start()


def test_a_model_that_cannot_stand_fails_with_a_sentence_and_blender_draws_on(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    # GIVEN a file that no farm would have taken in: a character without a neck
    character = read_character(".pmx", mascots["momo"].read_bytes())
    headless = tmp_path / "headless.pmx"
    bones = tuple(replace(bone, name="骨", name_en="") for bone in character.bones)
    headless.write_bytes(pmx_bytes(replace(character, bones=bones)))
    request = request_for(read_model(mascots["momo"]), tmp_path / "a", ({}, FRONT))

    # WHEN it is drawn, THEN the model fails with a sentence that says what to do
    with pytest.raises(NoNeckBoneError, match="Name the bone 首"):
        list(blender.draw(request.model_copy(update={"character": str(headless)}), lambda _: None))

    # AND the same Blender draws the next model
    assert len(draw(blender, mascots["momo"], tmp_path / "b", ({}, FRONT))) == 1


def test_a_vrm_whose_numbers_are_rubbish_is_refused_before_blender_hears_of_it(
    real_models: Path, tmp_path: Path
) -> None:
    data = bytearray((real_models / "vrm_256_ryuunoko_v0" / "npc.vrm").read_bytes())
    json_length = int.from_bytes(data[12:16], "little")
    data[20 + json_length + 8 :] = b"\xff" * (len(data) - (20 + json_length + 8))
    broken = tmp_path / "broken.vrm"
    broken.write_bytes(data)

    with pytest.raises(ModelFormatError, match="no triangles"):
        read_model(broken)
