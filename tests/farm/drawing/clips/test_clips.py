"""Clips, drawn by real Blender: what a frame's pose says is what the motion does and the picture shows."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from farm.cameras import CameraSpec, Framing
from farm.catalog import Catalog
from farm.dataset.manifest import Manifest, result_object
from farm.dataset.shards import read_shard
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender
from farm.drawing.render import Interrupted, Reporter, render
from farm.errors import MotionFormatError, NotFoundError
from farm.labels import LabelName, Part
from farm.models.package import Package
from farm.poses import POSE_SIZE, Partition
from farm.reading.messages import MotionAbout
from farm.spec import MotionSpec, RenderSpec
from farm.storage import LocalStore
from tests.farm.drawing.clips.danced import LAST, WEIGHTS, dance, head_of, store_with
from tests.support.fixtures import assignment_for, read_mascot
from tests.support.results import results_in

pytestmark = pytest.mark.blender
SIZE = 96
QUIET = Reporter(images=lambda count: None, stage=lambda name, seconds: None, drawn=lambda style, partition: None)
LABELS = (LabelName.PARTS, LabelName.FLOW, LabelName.LANDMARKS)


@dataclass(frozen=True)
class Drawn:
    """A clip out of its store."""

    folder: Path
    assignment: Assignment
    manifest: Manifest
    pictures: list[NDArray[np.uint8]]
    flow: list[NDArray[np.float32]]
    parts: list[NDArray[np.uint8]]
    marks: list[dict[str, Any]]


def clip_of(motion: str, frames: int = LAST + 1, **changes: object) -> RenderSpec:
    asked = {"seed": 7, "styles": ("flat",), "labels": LABELS, "size": SIZE, **changes}
    return RenderSpec.model_validate({**asked, "motion": {"id": motion, "frames": frames}})


def drawn(store: LocalStore, assignment: Assignment, blender: Blender, folder: Path) -> Drawn:
    manifest = render(assignment, store, blender, QUIET)
    key = assignment.render_key
    pictures = dict(read_shard(folder / result_object(key, "flat-rotated.tar")))
    labels = dict(read_shard(folder / result_object(key, "labels-rotated.tar"))) if manifest.labels else {}
    arrays = [np.load(io.BytesIO(data)) for name, data in sorted(labels.items()) if name.endswith(".npz")]
    return Drawn(
        folder,
        assignment,
        manifest,
        [np.asarray(Image.open(io.BytesIO(d))) for name, d in sorted(pictures.items()) if name.endswith(".png")],
        [each["flow"] for each in arrays],
        [np.asarray(Image.open(io.BytesIO(d))) for name, d in sorted(labels.items()) if name.endswith(".png")],
        [json.loads(data) for name, data in sorted(labels.items()) if name.endswith(".json")],
    )


@pytest.fixture(scope="module")
def nagi(mascots: dict[str, Path]) -> Package:
    return read_mascot(mascots, "nagi")


@pytest.fixture(scope="module")
def clip(blender: Blender, nagi: Package, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """Nagi's dance from rest, all 13 frames."""
    folder = tmp_path_factory.mktemp("clip")
    store, (motion,) = store_with(folder, nagi, dance())
    return drawn(store, assignment_for(nagi, clip_of(motion)), blender, folder)


def test_samples_are_frames_in_their_order_in_one_partition(clip: Drawn) -> None:
    images = clip.manifest.images

    assert [image.sample for image in images] == list(range(LAST + 1))
    assert {image.partition for image in images} == {Partition.ROTATED}
    assert len({image.light for image in images}) == 1, "a light that changes would flicker"
    motion = clip.assignment.spec.motion
    assert motion is not None
    assert clip.manifest.clip_id == f"{clip.manifest.model.id[:16]}-{motion.id[:16]}"


def test_the_manifest_says_what_the_model_lacks_and_what_stands_still(clip: Drawn) -> None:
    found = clip.manifest.clip

    assert found is not None
    assert (found.format, found.moved) == ("VMD 0002", 4)
    assert found.seconds == pytest.approx(LAST / 30, abs=1e-6)
    assert (found.absent_bones, found.absent_morphs) == (("右足",), ("猫耳",))
    assert found.physics == "still"


def test_each_frame_s_pose_is_the_motion_s(clip: Drawn) -> None:
    names = clip.manifest.pose_names
    for image in clip.manifest.images:
        share = image.sample / LAST
        weight = {name: most * share for name, most in WEIGHTS.items()}
        said = dict(zip(names, image.pose, strict=True))
        blink, wink = weight["まばたき"], weight["ウィンク２"]
        expected = {
            "eye_closed_left": min(1.0, blink + wink), "eye_closed_right": blink, "mouth_a": weight["あ"],
            "eyebrow_angry_left": weight["怒り"], "eyebrow_angry_right": weight["怒り"],
        }  # fmt: skip
        played = {name: value for name, value in said.items() if value and not name.startswith("rotation")}
        assert played == pytest.approx({name: value for name, value in expected.items() if value}, abs=1e-6)
        np.testing.assert_allclose(image.rotation, head_of(share), atol=1e-7)
        x, y, z = np.radians(image.pose[POSE_SIZE - 3 :])
        assert (np.sin(y), np.tan(x), np.tan(z)) == pytest.approx(
            (-image.rotation[2][0], image.rotation[2][1] / image.rotation[2][2],
             image.rotation[1][0] / image.rotation[0][0]), abs=1e-6,
        )  # fmt: skip


def test_the_picture_s_head_is_turned_as_the_label_says(clip: Drawn) -> None:
    """What lies between landmarks that no morph of the dance moves; the camera goes along with the neck."""
    camera = np.array(clip.marks[0]["camera"]["extrinsics"])[:, :3]

    def place(frame: int, name: str) -> NDArray[np.float64]:
        return np.array(clip.marks[frame]["landmarks"][name]["point"])

    for image in clip.manifest.images:
        assert clip.marks[image.sample]["camera"] == clip.marks[0]["camera"]
        np.testing.assert_allclose(place(image.sample, "neck"), place(0, "neck"), atol=1e-5)
        turn = camera @ np.array(image.rotation) @ camera.T
        for name in ("iris_left", "iris_right"):
            still, now = (place(frame, name) - place(frame, "nose") for frame in (0, image.sample))
            np.testing.assert_allclose(now, turn @ still, atol=1e-5)


def test_flow_leads_to_the_next_frame(clip: Drawn) -> None:
    missed, moved = [], []
    for frame in range(LAST):
        here, there = clip.marks[frame]["landmarks"], clip.marks[frame + 1]["landmarks"]
        for name in ("nose", "iris_left", "iris_right", "chin", "mouth_left", "mouth_right"):
            mark, then = here[name], there[name]
            if mark["visible"] and then["visible"]:
                way = np.array([then["x"] - mark["x"], then["y"] - mark["y"]])
                missed.append(float(np.hypot(*(clip.flow[frame][int(mark["y"]), int(mark["x"])] - way))))
                moved.append(float(np.hypot(*way)))

    assert len(missed) > 3 * LAST
    assert max(missed) < 1
    assert np.mean(missed) < 0.25 * np.mean(moved), (np.mean(missed), np.mean(moved))
    assert np.abs(clip.flow[LAST]).max() < 0.01, "there is no frame behind the last"


def test_flow_carries_each_picture_into_the_next(clip: Drawn) -> None:
    """Looking up where the flow leads gives the colours of this picture; where it leads, the other way back leads here."""
    for frame in (0, 5, LAST - 1):
        flow, parts = clip.flow[frame], clip.parts[frame]
        rows, columns = np.nonzero(np.isin(parts, (Part.FACE, Part.HAIR, Part.BODY)))
        x = (columns + 0.5 + flow[rows, columns, 0]).astype(int).clip(0, SIZE - 1)
        y = (rows + 0.5 + flow[rows, columns, 1]).astype(int).clip(0, SIZE - 1)
        here = clip.pictures[frame][rows, columns, :3].astype(int)
        apart = np.abs(here - clip.pictures[frame + 1][y, x, :3].astype(int)).max(axis=-1)
        unmoved = np.abs(here - clip.pictures[frame + 1][rows, columns, :3].astype(int)).max(axis=-1)

        assert np.median(apart) < 6
        assert np.mean(apart < 40) > 0.85
        assert np.mean(apart) < np.mean(unmoved)


def test_the_face_plays_what_is_said(clip: Drawn) -> None:
    eyes = [int(np.isin(parts, (Part.EYE_LEFT, Part.EYE_RIGHT)).sum()) for parts in clip.parts]
    assert eyes[0] > 4 * max(1, eyes[LAST]), "both eyes are closed in the end"


def test_a_motion_without_morphs_and_with_body_framing_stays_in_the_picture(
    blender: Blender, nagi: Package, tmp_path: Path
) -> None:
    store, (motion,) = store_with(tmp_path, nagi, dance(still=tuple(WEIGHTS), lacking=False))
    spec = clip_of(motion, 2, labels=(), camera=CameraSpec(framing=Framing.BODY)).model_copy(
        update={"motion": MotionSpec(id=motion, start=LAST / 30, frames=2)}
    )
    found = drawn(store, assignment_for(nagi, spec), blender, tmp_path)

    assert found.manifest.images[0].pose == found.manifest.images[1].pose, "behind the last key nothing moves"
    np.testing.assert_allclose(found.manifest.images[0].rotation, head_of(1.0), atol=1e-7)
    for picture in found.pictures:
        edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        assert picture[..., 3].any()
        assert not edge[..., 3].any()


def test_a_shorter_clip_is_the_beginning_of_a_longer_one(clip: Drawn, blender: Blender, nagi: Package) -> None:
    spec = clip.assignment.spec.beginning(4)
    found = drawn(LocalStore(clip.folder), assignment_for(nagi, spec), blender, clip.folder)

    assert spec.motion is not None
    assert spec.motion.frames == 4
    assert [image.sha256 for image in found.manifest.images] == [i.sha256 for i in clip.manifest.images[:4]]
    for frame in range(3):
        np.testing.assert_array_equal(found.flow[frame], clip.flow[frame])


def test_another_worker_that_is_broken_off_gives_the_same_bytes(clip: Drawn, nagi: Package, tmp_path: Path) -> None:
    store, _ = store_with(tmp_path, nagi, dance())
    count = 0

    def images(number: int) -> None:
        nonlocal count
        count += 1
        if count == 5:
            raise Interrupted("The worker was told to stop.")

    other = Blender()
    try:
        with pytest.raises(Interrupted):
            render(clip.assignment, store, other, Reporter(images, QUIET.stage, QUIET.drawn))
        assert any("checkpoints" in name for name in results_in(tmp_path))
        told: list[int] = []
        render(clip.assignment, store, other, Reporter(told.append, QUIET.stage, QUIET.drawn))
    finally:
        other.stop()

    assert told[0] >= 4, "what was drawn is not drawn again"
    key = clip.assignment.render_key
    assert results_in(tmp_path) == {name: digest for name, digest in results_in(clip.folder).items() if key in name}


def test_a_motion_that_is_gone_and_one_that_is_none_end_the_job_with_a_sentence(
    blender: Blender, nagi: Package, tmp_path: Path
) -> None:
    store, _ = store_with(tmp_path, nagi)
    with pytest.raises(NotFoundError, match="There is no motion"):
        render(assignment_for(nagi, clip_of("5" * 64)), store, blender, QUIET)
    # A store that was written to by somebody else: Blender reads motions as the strangers' files that they are.
    for number, data in enumerate((dance()[:200], b"Vocaloid Motion Data 0002".ljust(50, b"\0") + b"\xff" * 40)):
        motion = f"{number}" * 64
        (tmp_path / "bad").write_bytes(data)
        about = MotionAbout(id=motion, format="VMD 0002", seconds=0, bones=0, morphs=0)
        Catalog(store).add_motion(about, tmp_path / "bad")
        with pytest.raises(MotionFormatError):
            render(assignment_for(nagi, clip_of(motion)), store, blender, QUIET)
