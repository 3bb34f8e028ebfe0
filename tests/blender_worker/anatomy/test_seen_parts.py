"""What the part pictures show: eyes that close, brows of a side, lips about the inside of a mouth, no hair in an eye."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm.drawing.blender import Blender
from farm.labels import LANDMARKS, MOUTH, Part
from farm.mascots.cast import MASCOTS
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character, read_model
from tests.blender_worker.anatomy.drawn import Seen, seen
from tests.blender_worker.anatomy.painted import painted_face
from tests.support.characters import mascot_and_pictures, write_character

pytestmark = pytest.mark.blender
EYES = (Part.EYE_LEFT, Part.EYE_RIGHT)
BROWS = (Part.EYEBROW_LEFT, Part.EYEBROW_RIGHT)
POSES = ["eye/closed", "mouth/a"]
REAL = {
    "gene": "gene/Gene_light.pmx",
    "gene without textures": "gene/Gene.pmx",
    "gene as PMD": "gene/Gene.pmd",
    "uka": "uka/MS_Uka.pmx",
    "uka as PMD": "uka/MS_Uka.pmd",
    "godette": "vrm_godette/Godette_vrm_v4.vrm",
    "npc": "vrm_256_ryuunoko_v0/npc.vrm",
    "cool_loops": "vrm_cool_loops_v0/cool_loops.vrm",
}
SHADED = {"gene as PMD", "uka as PMD"}
"""A shade lies before their faces at rest: PMD has no morphs that could make it transparent."""


@pytest.fixture(scope="module")
def made(
    blender: Blender, mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Seen]]:
    """Characters of the project's own making, the painted ones too."""
    folder = tmp_path_factory.mktemp("made")
    models = {
        **mascots,
        "slid": painted_face(folder / "slid", squashed=False),
        "squashed": painted_face(folder / "squashed", squashed=True),
        # PMD has no names of materials: what is a lid is told by what a closing eye shows.
        **{f"{name} as PMD": write_character(mascot_and_pictures(name), folder / name, ".pmd") for name in MASCOTS},
    }
    return {name: seen(blender, path, tmp_path_factory.mktemp("room"), POSES) for name, path in models.items()}


@pytest.fixture(scope="module")
def everyone(
    blender: Blender, made: dict[str, dict[str, Seen]], real_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Seen]]:
    """Every character at hand."""
    others = {
        name: seen(blender, real_models / path, tmp_path_factory.mktemp("room"), POSES) for name, path in REAL.items()
    }
    return made | others


def test_closing_the_eyes_takes_at_least_half_of_their_parts(everyone: dict[str, dict[str, Seen]]) -> None:
    closing = {name: poses for name, poses in everyone.items() if "eye/closed" in poses}
    assert len(closing) == len(everyone)
    for name, poses in closing.items():
        for eye in EYES:
            open_, closed = (poses[pose].area(eye) for pose in ("", "eye/closed"))
            assert open_ > 20 or name in SHADED, (name, eye)
            assert closed <= 0.5 * open_, (name, eye)


def test_eyes_and_brows_lie_on_their_sides(everyone: dict[str, dict[str, Seen]]) -> None:
    for name, poses in everyone.items():
        for parts in (EYES, BROWS):
            left, right = (np.nonzero(poses[""].parts == part)[1] for part in parts)
            if name in SHADED and not len(left) + len(right):
                continue
            # The character's left is at the picture's right.
            assert left.min(initial=256) > right.max(initial=-1), (name, parts)


def test_the_sides_of_a_symmetric_face_mirror_each_other(made: dict[str, dict[str, Seen]]) -> None:
    for name, poses in made.items():
        for pose, one in poses.items():
            for left, right in (EYES, BROWS):
                if name == "nagi" and left == Part.EYEBROW_LEFT:
                    continue  # her fringe covers one brow more than the other
                mirrored = one.parts[:, ::-1] == right
                assert np.count_nonzero((one.parts == left) & ~mirrored) <= 0.1 * one.area(left) + 2, (name, pose, left)


def test_the_inside_of_a_mouth_comes_out_between_its_lips(everyone: dict[str, dict[str, Seen]]) -> None:
    grown = []
    for name, poses in everyone.items():
        if "mouth/a" not in poses or not poses["mouth/a"].area(Part.MOUTH_INSIDE):
            continue
        shut, opened = (poses[pose].area(Part.MOUTH_INSIDE) for pose in ("", "mouth/a"))
        assert opened > 1.5 * shut, name
        grown.append(name)
        parts = poses["mouth/a"].parts
        if not poses["mouth/a"].area(Part.LIPS):
            continue
        # Lips are a pixel or two here, and some are open at their corners: they lie about the inside as a whole.
        inside, lips = (np.argwhere(parts == part) for part in (Part.MOUTH_INSIDE, Part.LIPS))
        assert lips[:, 0].min() <= inside[:, 0].min(), name
        assert lips[:, 0].max() >= inside[:, 0].max(), name
        assert abs(lips[:, 1].mean() - inside[:, 1].mean()) < 3, name
    assert set(grown) >= {"nagi", "momo", "slid", "gene", "uka", "godette", "cool_loops"}


def test_visible_landmarks_lie_within_a_pixel_of_their_parts(everyone: dict[str, dict[str, Seen]]) -> None:
    checked = 0
    for name, poses in everyone.items():
        for landmark, mark in poses[""].marks.landmarks.items():
            if not mark.visible:
                continue
            row, column = int(mark.y), int(mark.x)
            around = poses[""].parts[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
            assert np.isin(around, LANDMARKS[landmark]).any(), (name, landmark)
            checked += 1
    assert checked > 100


def test_painted_features_have_landmarks_at_their_edges(made: dict[str, dict[str, Seen]]) -> None:
    for name in ("slid", "squashed"):
        one = made[name][""]
        marks = one.marks.landmarks
        for side, eye in zip(("left", "right"), EYES, strict=True):
            rows, columns = np.nonzero(one.parts == eye)
            assert marks[f"eye_{side}_top"].y == pytest.approx(rows.min(), abs=2.5)
            assert marks[f"eye_{side}_bottom"].y == pytest.approx(rows.max() + 1, abs=2.5)
            edges = sorted(marks[f"eye_{side}_{end}"].x for end in ("inner", "outer"))
            assert edges == pytest.approx([columns.min(), columns.max() + 1], abs=3)
        rows, columns = np.nonzero(np.isin(one.parts, MOUTH))
        assert marks["mouth_left"].x == pytest.approx(columns.max() + 1, abs=2.5)
        assert marks["mouth_right"].x == pytest.approx(columns.min(), abs=2.5)
        # All of the eye is found, not just the lids that move most.
        assert one.area(*EYES) > 500


def without_hair_before_the_face(model: Path, folder: Path, *, renamed: str) -> Path:
    """The model with every triangle of hair pushed behind its eyes, and the eyes' materials called `renamed`."""
    package = read_model(model)
    character = read_character(package.suffix, package.data)
    positions = character.positions.copy()
    materials = list(character.mmd_materials)
    eyes = [m for m in materials if m.name in ("白目", "瞳", "目影")]
    back = min(
        positions[character.triangles[m.first_triangle : m.first_triangle + m.triangle_count], 2].min() for m in eyes
    )
    for number, material in enumerate(materials):
        rows = slice(material.first_triangle, material.first_triangle + material.triangle_count)
        if "髪" in material.name:
            hair = np.unique(character.triangles[rows])
            front = hair[positions[hair, 2] < back + 0.8]
            positions[front, 2] = back + 0.8
        elif material in eyes and renamed:
            materials[number] = replace(material, name=renamed, name_en="")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pushed.pmx"
    path.write_bytes(pmx_bytes(replace(character, positions=positions, materials=tuple(materials))))
    return path


def convex_hull(chosen: np.ndarray) -> np.ndarray:
    """The pixels that lie no further than the `chosen` ones in any of 64 directions."""
    angles = np.arange(64) * (2 * np.pi / 64)
    along = np.indices(chosen.shape).transpose(1, 2, 0) @ np.stack([np.sin(angles), np.cos(angles)])
    return np.asarray((along <= along[chosen].max(axis=0) + 1e-6).all(axis=-1))


@pytest.mark.parametrize("renamed", ["", "材質", "髪"], ids=["named", "without a name", "in the hair's material"])
def test_no_hair_is_in_an_eye_that_none_hangs_over(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path, renamed: str
) -> None:
    for name, model in mascots.items():
        pushed = without_hair_before_the_face(model, tmp_path / name, renamed=renamed)
        (one,) = seen(blender, pushed, tmp_path / f"{name} room", []).values()
        for eye in EYES:
            assert one.area(eye) > 200, (name, eye)
            assert not np.isin(one.parts[convex_hull(one.parts == eye)], (Part.HAIR, Part.ACCESSORIES)).any(), (
                name,
                eye,
            )
