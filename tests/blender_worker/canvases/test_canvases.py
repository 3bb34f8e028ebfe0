"""The canvases against each other: what one draws, the others draw too."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from farm import pipe
from farm.dataset.similarity import ssim
from farm.drawing.blender import Blender
from farm.models.description import Character, MaterialMorph, MaterialOffset
from farm.models.materials import MaterialFlag, MmdMaterial, SphereMode
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_model, to_bytes, unfold
from farm.morphs.panels import Panel
from farm.poses import Partition
from farm.spec import CanvasName
from farm.styles import PAPER_STYLES
from tests.farm.models.made_files import material, small_character
from tests.support.morphs import numbered

pytestmark = pytest.mark.blender
SIZE = 128
ALIKE = 0.985
"""Least SSIM of two canvases' pictures of one pose; they measure 0.992 and more."""
FRONT = (0.0, 0.0, 0.0)
type Pose = tuple[dict[str, float], tuple[float, float, float]]
"""Weights of morphs by name, and the head's rotation in degrees."""
type Pictures = dict[str, np.ndarray]


def draw(
    blender: Blender,
    model: Path,
    folder: Path,
    canvas: CanvasName,
    *poses: Pose,
    styles: tuple[str, ...] = PAPER_STYLES,
    size: int = SIZE,
) -> list[Pictures]:
    package = read_model(model)
    character, textures = unfold(to_bytes(package), folder)
    request = pipe.Render(
        character=str(character),
        textures={index: str(path) for index, path in textures.items()},
        morphs=sorted({index for weights, _ in poses for index in numbered(package, weights)}),
        canvas=canvas,
        styles=list(styles),
        size=size,
        supersample=2,
        shots=[
            pipe.Shot(
                sample=i, partition=Partition.ROTATED, weights=numbered(package, weights), rotation=rotation, light=0.6
            )
            for i, (weights, rotation) in enumerate(poses)
        ],
    )
    return [dict(zip(styles, shot.pictures, strict=True)) for shot in list(blender.draw(request, lambda _: None))]


POSES: tuple[Pose, Pose] = (({}, FRONT), ({"あ": 0.8, "ウィンク２": 1.0}, (8.0, -6.0, 17.0)))


@pytest.fixture(scope="module")
def nagi(
    blender: Blender, mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[CanvasName, list[Pictures]]:
    """Two poses of a mascot on the two canvases that are fast enough."""
    return {
        canvas: draw(blender, mascots["nagi"], tmp_path_factory.mktemp(canvas), canvas, *POSES)
        for canvas in (CanvasName.FORWARD, CanvasName.EEVEE)
    }


@pytest.mark.parametrize("style", PAPER_STYLES)
def test_the_forward_canvas_draws_what_eevee_draws(nagi: dict[CanvasName, list[Pictures]], style: str) -> None:
    for forward, eevee in zip(nagi[CanvasName.FORWARD], nagi[CanvasName.EEVEE], strict=True):
        assert ssim(forward[style], eevee[style]) > ALIKE


def test_what_is_alike_is_told_from_what_is_not(nagi: dict[CanvasName, list[Pictures]]) -> None:
    # Other styles and poses stay far below the threshold, or it would say nothing.
    (rest, posed) = nagi[CanvasName.EEVEE]
    assert ssim(rest["flat"], rest["flat"]) == pytest.approx(1.0)
    assert ssim(rest["flat"], posed["flat"]) < 0.95
    for style in ("default", "toon", "ink"):
        assert ssim(nagi[CanvasName.FORWARD][0]["flat"], rest[style]) < 0.98, style


def test_eevee_draws_the_same_bytes_again(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path, nagi: dict[CanvasName, list[Pictures]]
) -> None:
    again = draw(blender, mascots["nagi"], tmp_path, CanvasName.EEVEE, *reversed(POSES))

    for one, two in zip(nagi[CanvasName.EEVEE], reversed(again), strict=True):
        for style in PAPER_STYLES:
            np.testing.assert_array_equal(one[style], two[style])
            assert (one[style][one[style][..., 3] == 0] == 0).all()


def test_the_final_render_is_what_the_viewport_shows(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    final, eevee = (
        draw(blender, mascots["nagi"], tmp_path / canvas, canvas, POSES[1], styles=("toon", "ink"), size=96)[0]
        for canvas in (CanvasName.FINAL, CanvasName.EEVEE)
    )

    for style, picture in final.items():
        assert ssim(picture, eevee[style]) > 0.975, style


# Six balls, two rows of three: what a material can be, each beside the other.
RADIUS = 0.42
PLAIN, TIMES, PLUS, TOON, HALF, HOLES = range(6)
CENTRES = [(x, y) for y in (11.45, 10.45) for x in (-1.0, 0.0, 1.0)]
DYE = "染"


def ball_shop() -> Character:
    """Balls: plain, sphere map multiplied, added, own toon ramp, half transparent, with holes; 染 dyes them all."""
    base = small_character(textures=("sphere.spa", "toon.bmp", "holes.png"))
    angles = np.meshgrid(np.linspace(0, np.pi, 25), np.linspace(0, 2 * np.pi, 49), indexing="ij")
    rows, columns = (grid.ravel() for grid in angles)
    normals = np.column_stack([np.sin(rows) * np.cos(columns), np.cos(rows), np.sin(rows) * np.sin(columns)])
    grid = np.arange(25 * 49).reshape(25, 49)
    a, b, c, d = grid[:-1, :-1].ravel(), grid[:-1, 1:].ravel(), grid[1:, :-1].ravel(), grid[1:, 1:].ravel()
    triangles = np.concatenate([np.column_stack([a, b, c]), np.column_stack([b, d, c])])
    sides = np.cross(*(normals[triangles[:, i]] - normals[triangles[:, 0]] for i in (1, 2)))
    area = (sides * normals[triangles].sum(axis=1)).sum(axis=1)
    triangles = triangles[np.abs(area) > 1e-9]
    triangles = triangles if area.sum() > 0 else triangles[:, ::-1]
    count = len(CENTRES)
    return dataclasses.replace(
        base,
        positions=np.concatenate([normals * RADIUS + (x, y, 0.0) for x, y in CENTRES]).astype(np.float32),
        normals=np.tile(normals, (count, 1)).astype(np.float32),
        uvs=np.tile(np.column_stack([columns, rows]) / np.pi, (count, 1)).astype(np.float32),
        bone_indices=np.tile(np.array([2, -1, -1, -1], np.int32), (count * len(normals), 1)),
        bone_weights=np.tile(np.array([1, 0, 0, 0], np.float32), (count * len(normals), 1)),
        edge_scales=np.ones(count * len(normals), np.float32),
        triangles=np.concatenate([triangles + i * len(normals) for i in range(count)]).astype(np.int32),
        materials=tuple(ball_material(number, len(triangles)) for number in range(count)),
        morphs=(MaterialMorph(DYE, "dye", Panel.OTHER, (dye(),)),),
    )


def ball_material(number: int, triangles: int) -> MmdMaterial:
    plain = dataclasses.replace(
        material(f"玉{number}", first=number * triangles, triangles=triangles),
        diffuse=(0.6, 0.6, 0.6, 1.0),
        ambient=(0.4, 0.4, 0.4),
        flags=MaterialFlag.EDGE,
    )
    special: dict[int, dict[str, Any]] = {
        TIMES: {"sphere": 0, "sphere_mode": SphereMode.MULTIPLY},
        PLUS: {"sphere": 0, "sphere_mode": SphereMode.ADD},
        TOON: {"toon": 1, "shared_toon": None},
        HALF: {"diffuse": (0.6, 0.6, 0.6, 0.5)},
        HOLES: {"texture": 2, "flags": MaterialFlag.EDGE | MaterialFlag.DOUBLE_SIDED},
    }
    return dataclasses.replace(plain, **special.get(number, {}))


def dye() -> MaterialOffset:
    one = (1.0, 1.0, 1.0, 1.0)
    return MaterialOffset(
        material=None,
        adds=False,
        diffuse=(1.0, 0.2, 1.0, 1.0),
        specular=(1.0, 1.0, 1.0),
        shininess=1.0,
        ambient=(1.0, 1.0, 1.0),
        edge_colour=one,
        edge_size=1.0,
        texture_tint=one,
        sphere_tint=(1.0, 1.0, 0.1, 1.0),
        toon_tint=(1.0, 1.0, 0.2, 1.0),
    )


@pytest.fixture(scope="module")
def balls(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> dict[CanvasName, list[Pictures]]:
    """The balls as they are, and dyed, on both canvases."""
    home = tmp_path_factory.mktemp("balls")
    sphere = np.zeros((32, 32, 3), np.uint8)
    sphere[:, :16], sphere[:, 16:] = (230, 60, 60), (60, 60, 230)
    toon = np.full((32, 4, 3), 255, np.uint8)
    toon[16:] = (60, 160, 60)
    holes = np.full((64, 64, 4), 255, np.uint8)
    holes[::2, :, 3], holes[:, ::2, 3] = 0, 0
    for name, pixels in (("sphere.spa", sphere), ("toon.bmp", toon), ("holes.png", holes.repeat(8, 0).repeat(8, 1))):
        Image.fromarray(pixels).save(home / name, format="PNG")
    (home / "balls.pmx").write_bytes(pmx_bytes(ball_shop()))
    return {
        canvas: draw(blender, home / "balls.pmx", home / canvas, canvas, ({}, FRONT), ({DYE: 1.0}, FRONT))
        for canvas in (CanvasName.FORWARD, CanvasName.EEVEE)
    }


def at(picture: np.ndarray, ball: int, across: float = 0.0, up: float = 0.0) -> np.ndarray:
    """Mean RGBA about a point of a ball; `across` and `up` in its radii."""
    head = max(y for _, y in CENTRES) + RADIUS - 10.0
    height = head / 0.48
    x, y = CENTRES[ball][0] + across * RADIUS, CENTRES[ball][1] + up * RADIUS
    column = round((0.5 + x / height) * SIZE)
    row = round((0.5 - (y - 10.0 - 0.3 * height) / height) * SIZE)
    return picture[row - 1 : row + 2, column - 1 : column + 2].reshape(-1, 4).astype(float).mean(axis=0)


BOTH = (CanvasName.FORWARD, CanvasName.EEVEE)


@pytest.mark.parametrize("style", PAPER_STYLES)
def test_every_kind_of_surface_is_alike(balls: dict[CanvasName, list[Pictures]], style: str) -> None:
    for forward, eevee in zip(balls[CanvasName.FORWARD], balls[CanvasName.EEVEE], strict=True):
        assert ssim(forward[style], eevee[style]) > 0.97
        for ball in (PLAIN, TIMES, PLUS, TOON, HALF):
            for across in (-0.6, 0.6):
                one, two = (at(picture, ball, across) for picture in (forward[style], eevee[style]))
                # Eevee draws what is half transparent in a share of its samples, so its alpha is a little rough.
                assert np.abs(one - two).max() < (12 if ball == HALF else 4), (ball, across)


@pytest.mark.parametrize("canvas", BOTH)
def test_a_sphere_map_is_looked_up_by_the_normal(balls: dict[CanvasName, list[Pictures]], canvas: CanvasName) -> None:
    picture = balls[canvas][0]["flat"]
    for ball in (TIMES, PLUS):
        left, right = at(picture, ball, -0.5), at(picture, ball, 0.5)
        assert left[0] >= right[0]
        assert left[2] <= right[2]
    assert at(picture, TIMES, -0.5)[0] > at(picture, TIMES, -0.5)[2] + 100
    assert (at(picture, PLUS, -0.5) >= at(picture, PLAIN, -0.5) - 1).all()


@pytest.mark.parametrize("canvas", BOTH)
def test_a_toon_ramp_colours_the_shade(balls: dict[CanvasName, list[Pictures]], canvas: CanvasName) -> None:
    picture = balls[canvas][0]["toon"]
    inside = picture[..., 3] > 200
    greener = np.where(inside, picture[..., 1].astype(int) - picture[..., 0], 0)
    rows, columns = np.nonzero(greener > 50)
    assert len(rows) > 10
    assert rows.min() > 0.5 * SIZE, "only the ball with a ramp of its own has a green shade"
    assert columns.max() < 0.4 * SIZE
    assert np.abs(at(picture, TOON) - at(picture, PLAIN)).max() < 2, "lit alike"


@pytest.mark.parametrize("canvas", BOTH)
def test_a_material_morph_dyes_material_sphere_map_and_ramp(
    balls: dict[CanvasName, list[Pictures]], canvas: CanvasName
) -> None:
    before, after = balls[canvas]
    assert at(after["flat"], PLAIN)[1] < at(before["flat"], PLAIN)[1] - 40, "diffuse"
    assert at(after["flat"], TIMES, 0.5)[2] < at(before["flat"], TIMES, 0.5)[2] - 40, "sphere map"
    assert at(after["toon"], TOON)[2] < at(before["toon"], TOON)[2] - 40, "ramp"


@pytest.mark.parametrize("canvas", BOTH)
def test_what_is_half_transparent_or_has_holes_lets_the_ground_through(
    balls: dict[CanvasName, list[Pictures]], canvas: CanvasName
) -> None:
    picture = balls[canvas][0]["flat"]
    assert at(picture, HALF)[3] == pytest.approx(128, abs=20)
    assert at(picture, PLAIN)[3] == 255
    middle = [at(picture, HOLES, x, y)[3] for x in (-0.5, 0.0, 0.5) for y in (-0.5, 0.0, 0.5)]
    assert max(middle) < 240
    assert min(middle) > 40
