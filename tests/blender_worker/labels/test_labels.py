"""Labels are exact: they agree with the pictures, with each other and with the geometry."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from farm import pipe
from farm.cameras import CameraSpec, Framing
from farm.dataset.validation import check_labels, check_pictures
from farm.drawing.blender import Blender, Drawn
from farm.labels import LabelName, Part
from farm.marks import Marks
from farm.models.package import read_model
from farm.poses import Partition, rotation_matrix
from tests.support.morphs import numbered, played
from tests.support.requests import request_of

pytestmark = pytest.mark.blender
SIZE = 128
FRONT = (0.0, 0.0, 0.0)
STYLES = ["flat", "default"]


type Draw = Callable[..., list[Drawn]]


@pytest.fixture(scope="module")
def draw(blender: Blender, mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Draw:
    """Draws poses of Nagi, (weights, rotation) each, with all labels; the flow leads to the front."""
    return lambda *poses, **changes: drawn_with(
        blender, mascots["nagi"], tmp_path_factory.mktemp("model"), *poses, **changes
    )


def drawn_with(
    blender: Blender,
    model: Path,
    folder: Path,
    *poses: tuple[dict[str, float], tuple[float, float, float]],
    camera: CameraSpec | None = None,
    view: pipe.View | None = None,
    other: tuple[float, float, float] = FRONT,
) -> list[Drawn]:
    package = read_model(model)
    morphs = {*played(package).values(), *(index for weights, _ in poses for index in numbered(package, weights))}
    request = request_of(
        package,
        folder,
        morphs=sorted(morphs),
        camera=camera or CameraSpec(),
        styles=STYLES,
        labels=list(LabelName),
        size=SIZE,
        supersample=2,
        shots=[
            pipe.Shot(
                sample=i,
                partition=Partition.ROTATED,
                weights=numbered(package, weights),
                rotation=rotation,
                light=0.6,
                view=view or pipe.View(),
                other_rotation=other,
            )
            for i, (weights, rotation) in enumerate(poses)
        ],
    )
    return list(blender.draw(request, lambda _: None))


def marks_of(drawn: Drawn) -> Marks:
    assert drawn.marks is not None
    return drawn.marks


def in_world(marks: Marks) -> dict[str, np.ndarray]:
    """The landmarks in world axes, metres."""
    extrinsics = np.array(marks.camera.extrinsics)
    rotation, shift = extrinsics[:, :3], extrinsics[:, 3]
    return {name: rotation.T @ (np.array(mark.point) - shift) for name, mark in marks.landmarks.items()}


def projected(marks: Marks, world: np.ndarray) -> np.ndarray:
    """Where the picture shows a world point, by the camera's own numbers."""
    extrinsics, intrinsics = np.array(marks.camera.extrinsics), np.array(marks.camera.intrinsics)
    x, y, z = extrinsics[:, :3] @ world + extrinsics[:, 3]
    shown: np.ndarray = intrinsics @ ((x, y, 1.0) if marks.camera.orthographic else (x / z, y / z, 1.0))
    return shown[:2]


@pytest.mark.parametrize(
    "rotation",
    [(20.0, 0.0, 0.0), (0.0, 20.0, 0.0), (0.0, 0.0, 20.0), (-13.0, 9.0, -18.0)],
    ids=["x", "y", "z", "all three"],
)
def test_a_turned_heads_landmarks_are_those_of_the_front_turned_about_the_neck(
    draw: Draw, rotation: tuple[float, float, float]
) -> None:
    front, turned = (marks_of(drawn) for drawn in draw(({}, FRONT), ({}, rotation)))
    pivot = np.array(front.camera.rotation_pivot)
    matrix = rotation_matrix(rotation)

    assert len(front.landmarks) >= 18
    for name, point in in_world(front).items():
        expected = projected(turned, pivot + matrix @ (point - pivot))
        found = turned.landmarks[name]
        assert np.hypot(*(expected - (found.x, found.y))) < 1, name


def test_nodding_lowers_the_face(draw: Draw) -> None:
    front, nodded = (marks_of(drawn).landmarks["nose"] for drawn in draw(({}, FRONT), ({}, (15.0, 0.0, 0.0))))

    assert nodded.y > front.y + 3


def test_tilting_takes_the_top_of_the_head_to_the_right_of_the_picture(draw: Draw) -> None:
    front, tilted = (marks_of(drawn).landmarks for drawn in draw(({}, FRONT), ({}, (0.0, 15.0, 0.0))))

    assert tilted["eyebrow_left_inner"].x > front["eyebrow_left_inner"].x + 5
    assert tilted["eye_left_outer"].y > front["eye_left_outer"].y + 2, "the character's left side goes down"


def test_turning_takes_the_face_to_the_characters_left(draw: Draw) -> None:
    front, turned = (marks_of(drawn).landmarks["nose"] for drawn in draw(({}, FRONT), ({}, (0.0, 0.0, 15.0))))

    assert turned.x > front.x + 3


def test_left_is_the_characters_left(draw: Draw) -> None:
    (drawn,) = draw(({}, FRONT))
    marks, parts = marks_of(drawn).landmarks, drawn.labels[LabelName.PARTS]

    for left, right in (
        ("iris_left", "iris_right"),
        ("eye_left_outer", "eye_right_outer"),
        ("eyebrow_left_outer", "eyebrow_right_outer"),
        ("mouth_left", "mouth_right"),
    ):
        assert marks[left].x > SIZE / 2 > marks[right].x, (left, right)
    assert np.nonzero(parts == Part.EYE_LEFT)[1].min() > np.nonzero(parts == Part.EYE_RIGHT)[1].max()


def test_the_parts_cover_what_the_picture_shows(draw: Draw) -> None:
    (drawn,) = draw(({"あ": 0.6}, (5.0, 8.0, -12.0)))
    parts, alpha = drawn.labels[LabelName.PARTS], drawn.pictures[0][..., 3]

    assert (parts[alpha == 255] > 0).mean() > 0.999
    assert (parts[alpha == 0] == 0).all()
    for part in set(Part) - {Part.BACKGROUND, Part.ACCESSORIES, Part.IGNORE}:
        assert (parts == part).sum() >= 4, part.name


def test_depth_and_normals_describe_one_surface(draw: Draw) -> None:
    """The slope of the depth picture is what the normals say, on the skin of the face."""
    (drawn,) = draw(({}, (0.0, 0.0, 12.0)))
    marks, depth = marks_of(drawn), drawn.labels[LabelName.DEPTH].astype(np.float64)
    focal = marks.camera.intrinsics[0][0]
    rows, columns = np.indices(depth.shape) + 0.5 - SIZE / 2
    points = np.dstack([columns * depth / focal, rows * depth / focal, depth])
    across, down = np.gradient(points, axis=1), np.gradient(points, axis=0)
    slope = np.cross(down, across)  # towards the camera
    slope /= np.maximum(np.linalg.norm(slope, axis=-1, keepdims=True), 1e-12)
    face = drawn.labels[LabelName.PARTS] == Part.FACE
    inner = face & np.roll(face, 1, 0) & np.roll(face, -1, 0) & np.roll(face, 1, 1) & np.roll(face, -1, 1)
    cosine = (slope * drawn.labels[LabelName.NORMALS]).sum(axis=-1)[inner]

    assert inner.sum() > 100
    assert np.median(cosine) > 0.95
    assert drawn.labels[LabelName.NORMALS][inner][:, 2].mean() < -0.5, "the face looks at the camera, against z"


def test_depth_is_in_metres_and_fits_the_landmarks(draw: Draw) -> None:
    (drawn,) = draw(({}, FRONT))
    depth = drawn.labels[LabelName.DEPTH]

    seen = [mark for mark in marks_of(drawn).landmarks.values() if mark.visible]
    assert len(seen) >= 12
    for mark in seen:
        assert depth[int(mark.y), int(mark.x)] == pytest.approx(mark.point[2], abs=0.02)
    assert 0.5 < depth[depth > 0].min() < depth.max() < 5


def test_flow_leads_to_the_same_point_in_the_other_pose(draw: Draw) -> None:
    rotation = (6.0, -8.0, 14.0)
    turned, front = draw(({}, rotation), ({}, FRONT))
    flow, there = turned.labels[LabelName.FLOW], marks_of(front).landmarks
    checked = 0
    for name, mark in marks_of(turned).landmarks.items():
        if mark.visible:
            move = flow[int(mark.y), int(mark.x)]
            apart = np.hypot(mark.x + move[0] - there[name].x, mark.y + move[1] - there[name].y)
            checked += 1
            assert apart < 2, name
    assert checked >= 10
    still = turned.labels[LabelName.PARTS] == Part.BODY
    assert np.abs(front.labels[LabelName.FLOW]).max() < 0.01, "the front leads to itself"
    assert np.median(np.abs(flow[still])) < 0.5, "the chest stays where it is"


def test_flow_carries_one_picture_into_the_other(draw: Draw) -> None:
    """Looking every pixel of the turned head up where the flow leads gives the turned head's flat colours."""
    turned, front = draw(({}, (4.0, 5.0, 10.0)), ({}, FRONT))
    flow, parts = turned.labels[LabelName.FLOW], turned.labels[LabelName.PARTS]
    rows, columns = np.nonzero(np.isin(parts, (Part.FACE, Part.HAIR, Part.EYE_LEFT, Part.EYE_RIGHT)))
    x, y = (columns + 0.5 + flow[rows, columns, 0]).astype(int), (rows + 0.5 + flow[rows, columns, 1]).astype(int)
    here = turned.pictures[0][rows, columns, :3].astype(int)
    apart = np.abs(here - front.pictures[0][y, x, :3].astype(int)).max(axis=-1)

    assert np.median(apart) < 12
    assert np.mean(apart < 60) > 0.85  # the rest was hidden, or lies on an edge


@pytest.mark.parametrize(
    ("camera", "view"),
    [
        (CameraSpec(projection="orthographic"), pipe.View()),
        (CameraSpec(field_of_view=45), pipe.View()),
        (CameraSpec(framing=Framing.BUST), pipe.View()),
        (CameraSpec(framing=Framing.BODY), pipe.View()),
        (CameraSpec(), pipe.View(index=1, yaw=30, elevation=10)),
        (CameraSpec(projection="orthographic"), pipe.View(index=2, yaw=-25, elevation=-15)),
    ],
    ids=["orthographic", "wide", "bust", "body", "from the left, above", "orthographic, from the right, below"],
)
def test_every_camera_is_what_its_numbers_say(draw: Draw, camera: CameraSpec, view: pipe.View) -> None:
    (drawn,) = draw(({}, (0.0, 0.0, 5.0)), camera=camera, view=view)
    marks, parts = marks_of(drawn), drawn.labels[LabelName.PARTS]

    check_pictures(drawn.pictures, STYLES)
    check_labels(drawn.labels, marks, SIZE)
    for name, point in in_world(marks).items():
        mark = marks.landmarks[name]
        np.testing.assert_allclose(projected(marks, point), (mark.x, mark.y), atol=0.01, err_msg=name)
    assert ((drawn.pictures[0][..., 3] > 127) == (parts > 0)).mean() > 0.98


def test_from_the_left_the_left_side_of_the_face_is_seen(draw: Draw) -> None:
    (front,), (left,) = (draw(({}, FRONT), view=pipe.View(index=1, yaw=yaw)) for yaw in (0.0, 40.0))

    def skin(drawn: Drawn, side: Part) -> int:
        return int((drawn.labels[LabelName.PARTS] == side).sum())

    assert skin(left, Part.EYE_RIGHT) < 0.8 * skin(front, Part.EYE_RIGHT)
    assert marks_of(left).landmarks["nose"].x < marks_of(front).landmarks["nose"].x, "it looks to the picture's left"


def test_framings_show_more_and_more(blender: Blender, real_models: Path, tmp_path: Path) -> None:
    heads = []
    for framing in Framing:
        model = real_models / "gene" / "Gene_light.pmx"
        (drawn,) = drawn_with(blender, model, tmp_path / framing, ({}, FRONT), camera=CameraSpec(framing=framing))
        box = marks_of(drawn).head_box
        assert box is not None
        heads.append(box[3] - box[1])

    assert heads[0] > 1.3 * heads[1] > 1.3 * 1.3 * heads[2]
    alpha = drawn.pictures[0][..., 3]
    edges = (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1])
    assert not any(edge.any() for edge in edges), "head to foot and hand to hand are in the frame"


def test_landmarks_hide_behind_what_is_in_front(draw: Draw) -> None:
    (back,) = draw(({}, FRONT), view=pipe.View(index=1, yaw=180.0))

    assert not any(mark.visible for mark in marks_of(back).landmarks.values())


def test_another_process_gives_the_same_labels(draw: Draw, mascots: dict[str, Path], tmp_path: Path) -> None:
    pose = ({"あ": 0.4}, (5.0, 10.0, -15.0))
    (here,) = draw(pose)
    other = Blender()
    try:
        drawn_with(other, mascots["momo"], tmp_path / "a", ({}, FRONT))
        (there,) = drawn_with(other, mascots["nagi"], tmp_path / "b", pose)
    finally:
        other.stop()

    assert here.marks == there.marks
    for name, array in here.labels.items():
        np.testing.assert_array_equal(array, there.labels[name], err_msg=name)


@pytest.mark.parametrize(
    "model",
    ["gene/Gene_light.pmx", "uka/MS_Uka.pmd", "vrm_godette/Godette_vrm_v4.vrm", "vrm_cool_loops_v0/cool_loops.vrm"],
)
def test_real_characters_pass_the_validators_in_both_partitions(
    blender: Blender, real_models: Path, tmp_path: Path, model: str
) -> None:
    for drawn in drawn_with(blender, real_models / model, tmp_path, ({}, FRONT), ({}, (-15.0, 12.0, 18.0))):
        check_pictures(drawn.pictures, STYLES)
        check_labels(drawn.labels, drawn.marks, SIZE)
