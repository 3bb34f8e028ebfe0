"""What hides a face is drawn with it: the pictures with and without differ where the label says, and in nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from farm import pipe
from farm.dataset.validation import check_labels, check_pictures
from farm.drawing.blender import Blender, Drawn
from farm.labels import ARRAYS, LabelName, Layer, Part
from farm.marks import Marks
from farm.models.package import read_model
from farm.occluders import CHARACTER, CODES, OccluderName
from farm.poses import Partition, rotation_matrix
from farm.spec import CanvasName
from farm.styles import PAPER_STYLES
from tests.support.characters import mascot_and_pictures, write_character
from tests.support.morphs import played
from tests.support.requests import request_of

pytestmark = pytest.mark.blender
SIZE = 128
TURN = (9.0, -7.0, 18.0)
POSES = ((0.0, 0.0, 0.0), TURN)
WORN: tuple[OccluderName | None, ...] = (None, *OccluderName)
EYES = {f"iris_{side}" for side in ("left", "right")}
MOUTH = {"mouth_left", "mouth_right", "mouth_top", "mouth_bottom", "nose"}


def wider(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """The mask and all that is so many steps from it, across or up and down."""
    for _ in range(by):
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        grown[:, 1:] |= mask[:, :-1]
        grown[:, :-1] |= mask[:, 1:]
        mask = grown
    return mask


@dataclass(frozen=True)
class Shown:
    """Nagi in both poses, bare and in everything."""

    loaded: pipe.Loaded
    drawn: dict[tuple[int, OccluderName | None], Drawn]

    def changed(self, pose: int, occluder: OccluderName, style: int, by: int) -> NDArray[np.bool_]:
        """(SIZE, SIZE) where the picture with differs from that without by more than so many levels."""
        one, other = (self.drawn[pose, worn].pictures[style].astype(np.int32) for worn in (occluder, None))
        premultiplied = [picture[..., :3] * picture[..., 3:] // 255 for picture in (one, other)]
        alpha = np.abs(one[..., 3] - other[..., 3])
        return np.asarray(np.maximum(np.abs(premultiplied[0] - premultiplied[1]).max(axis=-1), alpha) > by)

    def hidden(self, pose: int, occluder: OccluderName) -> NDArray[np.bool_]:
        """(SIZE, SIZE) where the label says that the occluder is."""
        return np.asarray(self.drawn[pose, occluder].labels[LabelName.OCCLUSION] == CODES[occluder])

    def marks(self, pose: int, occluder: OccluderName | None) -> Marks:
        marks = self.drawn[pose, occluder].marks
        assert marks is not None
        return marks


def shown(
    blender: Blender,
    model: Path,
    folder: Path,
    occluders: list[OccluderName],
    canvas: CanvasName = CanvasName.FORWARD,
    styles: Sequence[str] = PAPER_STYLES,
) -> Shown:
    package = read_model(model)
    annotation = played(package)
    places = [(pose, worn) for pose in range(len(POSES)) for worn in WORN if worn is None or worn in occluders]
    request = request_of(
        package,
        folder,
        canvas=canvas,
        occluders=occluders,
        styles=list(styles),
        labels=list(LabelName),
        size=SIZE,
        supersample=2,
        shots=[
            pipe.Shot(
                sample=number,
                partition=Partition.ROTATED,
                weights={annotation["mouth/a"]: 1.0} if pose else {},
                rotation=POSES[pose],
                light=0.6,
                view=pipe.View(occluder=worn),
                other_rotation=POSES[1 - pose],
            )
            for number, (pose, worn) in enumerate(places)
        ],
    )
    loaded: list[pipe.Loaded] = []
    drawn = list(blender.draw(request, loaded.append))
    return Shown(loaded[0], {places[one.shot]: one for one in drawn})


@pytest.fixture(scope="module", params=[".pmx", ".vrm"])
def nagi(request: pytest.FixtureRequest, blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("nagi")
    model = write_character(mascot_and_pictures("nagi"), folder / "model", request.param)
    return shown(blender, model, folder / "unfolded", list(OccluderName))


def test_without_one_everything_is_as_if_none_had_been_asked_for(
    blender: Blender, nagi: Shown, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    suffix = request.node.callspec.params["nagi"]
    model = write_character(mascot_and_pictures("nagi"), tmp_path / "model", suffix)
    bare = shown(blender, model, tmp_path / "unfolded", [])

    assert bare.loaded.survey == nagi.loaded.survey, "what can be worn makes no model unusable"
    assert bare.loaded.unseen == nagi.loaded.unseen
    for pose in range(len(POSES)):
        one, other = bare.drawn[pose, None], nagi.drawn[pose, None]
        assert np.array_equal(one.pictures, other.pictures)
        assert one.marks == other.marks
        for name, array in one.labels.items():
            assert np.array_equal(array, other.labels[name]), name


@pytest.mark.parametrize("occluder", OccluderName)
def test_the_label_says_where_the_pictures_differ(nagi: Shown, occluder: OccluderName) -> None:
    assert not nagi.loaded.unworn
    for pose in range(len(POSES)):
        hidden = nagi.hidden(pose, occluder)
        assert hidden.sum() > 60, "it is to be seen"
        # A pixel is filtered from its neighbours, and ink's line lies about a prop by less than one more.
        around, within = wider(hidden, 2), ~wider(~hidden, 1)
        for style in range(len(PAPER_STYLES)):
            assert not (nagi.changed(pose, occluder, style, 64) & ~around).any(), PAPER_STYLES[style]
            # In a gap that is thinner than a pixel something may shimmer that no pixel's middle meets.
            assert (nagi.changed(pose, occluder, style, 2) & ~around).sum() <= SIZE * SIZE // 1000, PAPER_STYLES[style]
            assert nagi.changed(pose, occluder, style, 2)[within].mean() > 0.97, PAPER_STYLES[style]


@pytest.mark.parametrize("occluder", OccluderName)
def test_what_is_still_to_be_seen_has_the_labels_that_it_had(nagi: Shown, occluder: OccluderName) -> None:
    for pose in range(len(POSES)):
        bare, worn = nagi.drawn[pose, None].labels, nagi.drawn[pose, occluder].labels
        hidden = nagi.hidden(pose, occluder)
        for name in ARRAYS:
            assert np.array_equal(bare[name][~hidden], worn[name][~hidden]), name
        assert (worn[LabelName.PARTS][hidden] == Part.ACCESSORIES).all()
        assert (worn[LabelName.LAYERS][hidden] == Layer.ACCESSORIES).all()
        assert (worn[LabelName.OCCLUSION][~hidden] <= CHARACTER).all()
        depths = bare[LabelName.DEPTH][hidden], worn[LabelName.DEPTH][hidden]
        assert ((depths[0] == 0) | (depths[0] > depths[1])).all(), "it is before what it hides"
        check_labels(worn, nagi.marks(pose, occluder), SIZE)
        check_pictures(nagi.drawn[pose, occluder].pictures, PAPER_STYLES)


@pytest.mark.parametrize(
    ("occluder", "behind", "free"),
    [
        (OccluderName.MASK, MOUTH, EYES),
        (OccluderName.SUNGLASSES, EYES, MOUTH),
        (OccluderName.GLASSES, set(), EYES | MOUTH),
    ],
)
def test_what_is_behind_it_is_not_visible(
    nagi: Shown, occluder: OccluderName, behind: set[str], free: set[str]
) -> None:
    for pose in range(len(POSES)):
        bare, worn = nagi.marks(pose, None).landmarks, nagi.marks(pose, occluder).landmarks
        assert all(bare[name].visible for name in behind | free)
        assert not any(worn[name].visible for name in behind)
        assert all(worn[name].visible for name in free)
        assert {name: (m.x, m.y, m.point) for name, m in bare.items()} == {
            name: (m.x, m.y, m.point) for name, m in worn.items()
        }
        assert nagi.marks(pose, None).head_box == nagi.marks(pose, occluder).head_box
        seen = {None: _joints_seen(nagi.marks(pose, None)), occluder: _joints_seen(nagi.marks(pose, occluder))}
        assert seen[occluder] <= seen[None]
        assert ("nose" in seen[occluder]) == (occluder is not OccluderName.MASK)


def _joints_seen(marks: Marks) -> set[str]:
    assert marks.joints is not None
    return {name for name, joint in (marks.joints.humanoid | marks.joints.coco).items() if joint.visibility == 2}


def test_a_scarf_hides_the_chin(nagi: Shown) -> None:
    for pose in range(len(POSES)):
        assert not nagi.marks(pose, OccluderName.SCARF).landmarks["chin"].visible
        assert nagi.marks(pose, OccluderName.SCARF).landmarks["nose"].visible


@pytest.mark.parametrize("occluder", [OccluderName.GLASSES, OccluderName.SUNGLASSES, OccluderName.MASK])
def test_it_turns_with_the_head(nagi: Shown, occluder: OccluderName) -> None:
    """By the flow, which leads to the same point in the other pose, and by depth: as the head's rotation says."""
    marks = nagi.marks(0, occluder)
    rows, columns = np.nonzero(nagi.hidden(0, occluder))
    labels = nagi.drawn[0, occluder].labels
    pixels = np.column_stack([columns + 0.5, rows + 0.5])
    world = _in_world(marks, pixels, labels[LabelName.DEPTH][rows, columns])
    pivot = np.array(marks.camera.rotation_pivot)
    turned = _projected(marks, pivot + (world - pivot) @ rotation_matrix(TURN).T)

    flow = labels[LabelName.FLOW][rows, columns]
    assert np.abs(pixels + flow - turned).max() < 0.1
    assert np.median(np.linalg.norm(flow, axis=1)) > 5


def test_glasses_sit_about_the_eyes(nagi: Shown) -> None:
    for pose in range(len(POSES)):
        rows, columns = np.nonzero(nagi.hidden(pose, OccluderName.GLASSES))
        landmarks = nagi.marks(pose, OccluderName.GLASSES).landmarks
        for side in ("left", "right"):
            x, y = np.mean([(landmarks[f"eye_{side}_{at}"].x, landmarks[f"eye_{side}_{at}"].y)
                            for at in ("inner", "outer", "top", "bottom")], axis=0)  # fmt: skip
            ways = np.degrees(np.arctan2(rows + 0.5 - y, columns + 0.5 - x))
            near = np.hypot(rows + 0.5 - y, columns + 0.5 - x) < 0.14 * SIZE
            assert len(np.unique(ways[near] // 30)) == 12, f"a rim goes all around the {side} eye"


def test_eevee_draws_them_too(blender: Blender, tmp_path: Path) -> None:
    model = write_character(mascot_and_pictures("nagi"), tmp_path / "model", ".pmx")
    found = shown(blender, model, tmp_path / "unfolded", [OccluderName.MASK], CanvasName.EEVEE, ["flat"])
    hidden = found.hidden(0, OccluderName.MASK)

    assert found.changed(0, OccluderName.MASK, 0, 2)[~wider(~hidden, 1)].mean() > 0.97
    assert not (found.changed(0, OccluderName.MASK, 0, 40) & ~wider(hidden, 2)).any()


def test_who_has_no_mouth_wears_no_mask(blender: Blender, real_models: Path, tmp_path: Path) -> None:
    package = read_model(real_models / "vrm_256_ryuunoko_v0" / "npc.vrm")
    shots = [
        pipe.Shot(
            sample=0,
            partition=Partition.FRONTAL,
            weights={},
            rotation=(0, 0, 0),
            light=0.5,
            view=pipe.View(occluder=worn),
        )
        for worn in (None, OccluderName.MASK, OccluderName.GLASSES)
    ]
    loaded: list[pipe.Loaded] = []
    request = request_of(
        package,
        tmp_path,
        occluders=list(OccluderName),
        styles=["flat"],
        labels=[LabelName.OCCLUSION],
        size=64,
        supersample=1,
        shots=shots,
    )
    bare, masked, glasses = blender.draw(request, loaded.append)

    assert loaded[0].unworn == [OccluderName.MASK]
    assert np.array_equal(bare.pictures, masked.pictures)
    assert not np.array_equal(bare.pictures, glasses.pictures)
    assert set(np.unique(masked.labels[LabelName.OCCLUSION])) == {0, CHARACTER}


def _in_world(marks: Marks, pixels: NDArray[np.float64], depth: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, 3) what (n, 2) pixels show at that depth."""
    intrinsics, extrinsics = np.array(marks.camera.intrinsics), np.array(marks.camera.extrinsics)
    rays = np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(intrinsics).T
    local = rays * depth[:, None].astype(np.float64)
    return np.asarray((local - extrinsics[:, 3]) @ extrinsics[:, :3])


def _projected(marks: Marks, world: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) pixels of (n, 3) points."""
    intrinsics, extrinsics = np.array(marks.camera.intrinsics), np.array(marks.camera.extrinsics)
    local = world @ extrinsics[:, :3].T + extrinsics[:, 3]
    return np.asarray((local / local[:, 2:]) @ intrinsics.T)[:, :2]
