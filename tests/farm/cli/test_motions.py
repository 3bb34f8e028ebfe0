"""`farm inspect` on motions as a user types it."""

import json
from pathlib import Path

from farm.motion.vmd_writer import BoneKey, MorphKey, vmd_bytes
from tests.farm.cli.command import farm
from tests.farm.motion import made_motions


def test_a_motion_is_shown_with_its_length_and_what_the_model_lacks(mascots: dict[str, Path], tmp_path: Path) -> None:
    motion = tmp_path / "dance.vmd"
    bones = [BoneKey("首", 0), BoneKey("首", 45), BoneKey("左足ＩＫ", 0)]
    morphs = [MorphKey("まばたき", 90, 1.0), MorphKey("[red]尻尾", 0, 0.5), MorphKey("瞬き", 0, 0.5)]
    motion.write_bytes(vmd_bytes(bones, morphs, made_for="初音ミク", others={61: 4}))

    done = farm("inspect", motion, "--model", mascots["nagi"])

    assert done.returncode == 0, done.stderr
    words = " ".join(done.stdout.split())
    for said in (
        "made for 初音ミク",
        "3.00 s, 91 frames at 30 a second",
        "2 bones, 3 morphs",
        "4 keys of camera",
        "bones that the model lacks 左足ＩＫ",
        "morphs that the model lacks [red]尻尾",
    ):
        assert said in words, said


def test_motions_as_json_beside_models(mascots: dict[str, Path], tmp_path: Path) -> None:
    motion = tmp_path / "walk.vrma"
    motion.write_bytes(made_motions.walk())

    done = farm("inspect", motion, mascots["momo"], "--json")

    walked, model = map(json.loads, done.stdout.splitlines())
    assert (walked["format"], walked["seconds"], walked["rate"]) == ("VRMA 1.0", 1.5, None)
    assert {"name": "blink", "keys": 3} in walked["morphs"]
    assert len(walked["bones"]) == 19
    assert "absent_bones" not in walked
    assert model["title"]


def test_a_damaged_motion_is_named_with_the_reason_and_others_are_shown(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.vmd", tmp_path / "good.vmd"
    bad.write_bytes(made_motions.dance()[:500])
    good.write_bytes(made_motions.dance())

    done = farm("inspect", bad, good)

    assert done.returncode == 1
    assert "motion-format" in done.stderr
    assert "bad.vmd" in done.stderr
    assert "good.vmd" in done.stdout
