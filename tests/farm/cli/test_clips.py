"""`farm render --motion` as a user types it, `farm verify` of what it leaves, and motions that are refused."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from farm.cli.clips import asked_of, motion_of
from farm.cli.options import SpecOptions, spec_from
from farm.dataset.output import read_output
from farm.errors import MotionError, MotionFormatError, SpecError
from farm.motion.vmd_writer import MorphKey, vmd_bytes
from farm.reading.messages import MotionAbout
from farm.spec import MAX_SAMPLES
from tests.farm.cli.command import farm, farm_from_nothing
from tests.farm.drawing.clips.danced import LAST, dance

NOTHING: dict[str, Any] = {
    **dict.fromkeys(SpecOptions.__slots__),
    "keep_unusable": False, "combinations": False, "extended": (), "styles": (), "labels": (), "orthographic": False,
}  # fmt: skip


def options(**given: Any) -> SpecOptions:
    return SpecOptions(**{**NOTHING, **given})


@pytest.fixture(scope="module")
def motion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("motion") / "dance.vmd"
    path.write_bytes(dance())
    return path


@pytest.mark.blender
def test_a_clip_is_rendered_verified_and_drawn_again(mascots: dict[str, Path], motion: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    small = ("--recipe", "clips", "--motion", motion, "--size", "48", "--rate", "15")
    run = farm("render", mascots["momo"], "--out", out, *small)

    assert run.returncode == 0, run.stderr
    (model,) = read_output(out)
    spec = model.manifest.spec
    assert spec.motion is not None
    assert (spec.motion.rate, spec.motion.frames) == (15, LAST // 2 + 1)
    assert [image.sample for image in model.manifest.images] == list(range(LAST // 2 + 1))
    again = farm("render", mascots["momo"], "--out", out, *small)
    assert "0 models came now" in again.stdout
    assert again.returncode == 0, again.stderr

    redraw = ("--redraw", "100%", "--models", mascots["momo"])
    assert farm("verify", out, *redraw, "--motion", motion).returncode == 0
    without = farm("verify", out, *redraw)
    assert "--motion" in without.stdout
    assert without.returncode == 1

    # A pose that no motion can give, a head that is turned otherwise than its matrix, and a frame that is no frame.
    told = json.loads((model.folder / "manifest.json").read_bytes())
    told["images"][1]["pose"][12] = 1.5
    told["images"][2]["pose"][17] += 5
    told["images"][3]["light"] += 0.1
    (model.folder / "manifest.json").write_text(json.dumps(told))
    (model.folder / "clip.mp4").write_bytes((model.folder / "clip.mp4").read_bytes() + b"more")
    wrong = farm_from_nothing("verify", out).stdout
    assert "sample 1, view 0: the pose is" in wrong
    assert "sample 2, view 0: the rotation matrix" in wrong
    assert "sample 3, view 0: the light is" in wrong
    assert "clip.mp4: It is not the preview" in wrong
    assert "<video" in (out / "index.html").read_text()


def test_frames_go_to_the_motion_s_end_unless_somebody_says_otherwise(motion: Path) -> None:
    def asked(**given: object) -> tuple[float, float, int]:
        found = motion_of(options(motion=motion, **given))
        assert found is not None
        spec = spec_from(options(motion=motion, **given), found[1])
        assert spec.motion is not None
        return spec.motion.rate, spec.motion.start, spec.motion.frames

    assert asked() == asked(recipe="clips") == (30, 0, LAST + 1)
    assert asked(rate=60.0) == (60, 0, 2 * LAST + 1)
    assert asked(start=0.3) == (30, 0.3, 4)
    assert asked(recipe="clips", rate=10.0, start=0.1, frames=99) == (10, 0.1, 99)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"recipe": "clips"}, "--motion FILE"),
        ({"frames": 3}, "--motion FILE"),
        ({"rate": 24.0}, "--motion FILE"),
    ],
)
def test_what_needs_a_motion_says_so(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        motion_of(options(**given))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"start": 99.0}, "the motion ends after"),
        ({"frames": 0}, "frames"),
        ({"frames": MAX_SAMPLES + 1}, "frames"),
        ({"rate": 0.0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": float("inf")}, "rate"),
        ({"start": float("nan")}, "start"),
        ({"samples": "5"}, "as many samples"),
        ({"combinations": True}, "which morphs play"),
        ({"recipe": "animeceleb"}, "no frontal pictures"),
    ],
)
def test_what_is_no_clip_is_refused(motion: Path, given: dict[str, object], sentence: str) -> None:
    about = MotionAbout(id="5" * 64, format="VMD 0002", seconds=LAST / 30, bones=4, morphs=4)

    def asked() -> object:
        wanted = options(motion=motion, **given)
        return spec_from(wanted, asked_of(wanted, about))

    with pytest.raises(SpecError, match=sentence):
        asked()


def hostile() -> Sequence[tuple[str, bytes]]:
    good = dance()
    return (
        ("nothing.vmd", b""),
        ("milk.vmd", b"milk" * 100),
        ("cut.vmd", good[:150]),
        ("many.vmd", good[:50] + b"\xff\xff\xff\x7f" + good[54:]),
        ("picture.vrma", b"\x89PNG"),
        ("dance.txt", good),
        ("endless.vmd", vmd_bytes(morphs=[MorphKey("あ", 0, 0.0), MorphKey("あ", 80_000_000, 1.0)])[:-10]),
    )


@pytest.mark.parametrize(("name", "data"), hostile(), ids=[name for name, _ in hostile()])
def test_a_motion_that_is_none_is_refused_before_anything_is_started(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)

    with pytest.raises(MotionError, match=r"\.$"):
        motion_of(options(motion=tmp_path / name))


def test_a_pipe_is_no_motion(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.vmd")
    with pytest.raises(MotionFormatError, match="no file"):
        motion_of(options(motion=tmp_path / "pipe.vmd"))


def test_a_motion_that_is_changed_meanwhile_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "dance.vmd"
    path.write_bytes(dance())
    found = motion_of(options(motion=path))
    assert found is not None
    found[0].check()
    path.write_bytes(dance(lacking=False))
    with pytest.raises(MotionFormatError, match="changed meanwhile"):
        found[0].check()
