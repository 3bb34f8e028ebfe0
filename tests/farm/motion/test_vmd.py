"""VMD as files have it: order, doubles, cut names, curves, what stands behind the morphs, and what is no VMD."""

import struct

import numpy as np
import pytest

from farm.errors import MotionFormatError, MotionTruncatedError
from farm.motion.channels import Bezier
from farm.motion.description import Motion
from farm.motion.reading import read_motion
from farm.motion.vmd import BONE_KEY, MAGIC_BYTES, MODEL_BYTES
from farm.motion.vmd_writer import BoneKey, MorphKey, vmd_bytes
from tests.farm.motion import made_motions


def _read(data: bytes) -> Motion:
    return read_motion(".vmd", data)


def test_keys_come_in_the_order_of_time_whatever_the_order_of_the_file() -> None:
    keys = [BoneKey("首", frame, (float(frame), 0.0, 0.0)) for frame in (60, 0, 30)]

    (track,) = _read(vmd_bytes(keys)).bones

    assert track.moves is not None
    np.testing.assert_allclose(track.moves.times, [0, 1, 2])
    np.testing.assert_allclose(track.moves.values[:, 0], [0, 30, 60])


def test_of_two_keys_at_one_time_the_last_in_the_file_counts_and_that_is_said() -> None:
    keys = [
        BoneKey("首", 0, (1.0, 0, 0)),
        BoneKey("頭", 0),
        BoneKey("首", 0, (2.0, 0, 0)),
        BoneKey("首", 0, (3.0, 0, 0)),
    ]
    morphs = [MorphKey("あ", 5, 0.25), MorphKey("あ", 5, 0.75)]

    motion = _read(vmd_bytes(keys, morphs))

    assert [track.name for track in motion.bones] == ["首", "頭"]
    assert motion.bones[0].moves is not None
    np.testing.assert_allclose(motion.bones[0].moves.values, [[3, 0, 0]])
    np.testing.assert_allclose(motion.morphs[0].weights.values, [[0.75]])
    assert [warning.split(" stand")[0] for warning in motion.warnings] == ["2 keys of bones", "1 key of morphs"]


def test_a_name_ends_at_its_first_zero_and_half_a_character_at_a_cut_is_dropped() -> None:
    """15 bytes hold seven characters of two bytes; what stands behind a zero is whatever was in memory."""
    long = "右足首調整用ボーン"

    motion = _read(vmd_bytes([BoneKey(long, 0), BoneKey("首", 0)], made_for="とても長い名前のモデル"))

    assert [track.name for track in motion.bones] == ["右足首調整用ボ", "首"]
    assert motion.made_for == "とても長い名前のモデ"


def test_one_name_with_different_bytes_behind_its_end_is_one_bone() -> None:
    data = bytearray(vmd_bytes([BoneKey("首", 0), BoneKey("首", 10)]))
    at = MAGIC_BYTES + MODEL_BYTES + 4 + BONE_KEY.itemsize
    data[at + 5 : at + 9] = b"junk"

    (track,) = _read(bytes(data)).bones

    assert track.turns is not None
    assert len(track.turns.times) == 2


@pytest.mark.parametrize("physics", [True, False])
def test_curves_are_read_where_no_switch_of_physics_stands(physics: bool) -> None:
    curves = ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 127))

    (track,) = _read(vmd_bytes([BoneKey("首", 0, curves=curves, physics=physics)])).bones

    assert track.moves is not None
    assert track.turns is not None
    assert isinstance(track.moves.between, Bezier)
    assert isinstance(track.turns.between, Bezier)
    np.testing.assert_allclose(track.moves.between.points[0] * 127, curves[:3])
    np.testing.assert_allclose(track.turns.between.points[0] * 127, curves[3:])


def test_points_beyond_their_range_are_its_end() -> None:
    data = bytearray(vmd_bytes([BoneKey("首", 0)]))
    at = MAGIC_BYTES + MODEL_BYTES + 4 + 47
    data[at : at + 64] = b"\xff" * 64

    (track,) = _read(bytes(data)).bones

    assert track.turns is not None
    assert isinstance(track.turns.between, Bezier)
    np.testing.assert_allclose(track.turns.between.points, 1)


def test_a_turn_of_zeros_is_none_and_others_are_brought_to_length_1() -> None:
    keys = [BoneKey("首", 0, turn=(0, 0, 0, 0)), BoneKey("首", 1, turn=(0, 0, 3, 4))]

    (track,) = _read(vmd_bytes(keys)).bones

    assert track.turns is not None
    np.testing.assert_allclose(track.turns.values, np.array([[0, 0, 0, 1], [0, 0, 0.6, 0.8]]))


def test_what_a_camera_and_lights_do_is_passed_over_and_told() -> None:
    data = vmd_bytes([], [MorphKey("あ", 0, 1.0)], others={61: 3, 28: 2, 9: 1}, switches=[(0, {"左足ＩＫ": True})])

    motion = _read(data)

    assert dict(motion.skipped) == {"camera": 3, "light": 2, "shadow": 1, "display and IK": 1}
    assert [track.name for track in motion.morphs] == ["あ"]


def test_a_file_may_end_behind_any_part_but_within_none() -> None:
    """Older files, and those of many tools, end behind the morphs or behind what comes after."""
    data = vmd_bytes(
        [BoneKey("首", 0)], [MorphKey("あ", 0, 1.0)], others={61: 1, 28: 1, 9: 1}, switches=[(0, {"左足ＩＫ": True})]
    )
    bones = MAGIC_BYTES + MODEL_BYTES + 4 + BONE_KEY.itemsize
    ends = [bones, bones + 27, bones + 27 + 65, bones + 27 + 65 + 32, bones + 27 + 65 + 32 + 13, len(data)]

    whole = []
    for end in range(len(data) + 1):
        try:
            _read(data[:end])
            whole.append(end)
        except MotionFormatError:
            pass

    assert whole == ends


def test_a_motion_without_any_key_is_one_of_no_length() -> None:
    motion = _read(vmd_bytes())

    assert (motion.seconds, motion.keys, motion.frames(30)) == (0.0, 0, 1)


def test_length_and_frames_are_those_of_the_last_key() -> None:
    motion = _read(vmd_bytes([BoneKey("首", 45)], [MorphKey("あ", 90, 1.0)]))

    assert motion.seconds == 3.0
    assert (motion.frames(30), motion.frames(24), motion.frames(1)) == (91, 73, 4)


def test_keys_after_a_whole_day_are_left_out_and_told() -> None:
    motion = _read(vmd_bytes([BoneKey("首", 0), BoneKey("首", 2**32 - 1)], [MorphKey("あ", 30 * 86_400 + 1, 1.0)]))

    assert motion.seconds == 0.0
    assert not motion.morphs
    assert all("after a whole day" in warning for warning in motion.warnings)
    assert len(motion.warnings) == 2


def test_numbers_that_are_none_become_0_and_are_told() -> None:
    (track,) = (motion := _read(vmd_bytes([BoneKey("首", 0, (float("nan"), float("inf"), 1.0))]))).bones

    assert track.moves is not None
    np.testing.assert_allclose(track.moves.values, [[0, 0, 1]])
    assert "not numbers" in motion.warnings[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "does not begin with"),
        (b"Vocaloid Pose Data file", "pose"),
        (b"Vocaloid Motion Data file\0\0\0\0\0" + bytes(20), "first version"),
        (b"PMX " + bytes(100), "not a VMD file"),
    ],
)
def test_what_is_no_vmd_is_refused_with_what_to_do(data: bytes, said: str) -> None:
    with pytest.raises(MotionFormatError, match=said):
        _read(data)


def test_a_count_that_the_file_cannot_hold_is_refused_before_anything_is_made_of_it() -> None:
    data = vmd_bytes([BoneKey("首", 0)])
    at = MAGIC_BYTES + MODEL_BYTES
    for count in (2, 2**24, 2**31 - 1, 2**32 - 1):
        with pytest.raises(MotionFormatError, match="cut off"):
            _read(data[:at] + struct.pack("<I", count) + data[at + 4 :])


def test_more_names_than_a_model_has_are_refused() -> None:
    with pytest.raises(MotionFormatError, match="limit of 10000"):
        _read(vmd_bytes([], [MorphKey(str(number), 0, 1.0) for number in range(10_001)]))


def test_a_cut_file_is_told_to_be_cut() -> None:
    with pytest.raises(MotionTruncatedError, match="cut off"):
        _read(made_motions.dance()[:40])
