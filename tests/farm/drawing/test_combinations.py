"""Combinations and targets beyond the 23, drawn: the label says what the picture shows, and without them nothing changes."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm import pipe
from farm.catalog import Catalog
from farm.dataset.manifest import Manifest
from farm.drawing.blender import Blender
from farm.drawing.plan import plan
from farm.drawing.render import Reporter, render
from farm.models.description import VertexMorph
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import Package, read_character, read_model, to_bytes, unfold
from farm.morphs.combinations import Combination, halves
from farm.morphs.expressions import Rule
from farm.morphs.refs import Annotation, MorphRef
from farm.morphs.vocabulary import POSE_NAMES, Side
from farm.poses import POSE_SIZE, Partition
from farm.spec import RenderSpec, render_key
from farm.storage import LocalStore
from tests.support.fixtures import assignment_for, read_mascot

QUIET = Reporter(images=lambda count: None, stage=lambda name, seconds: None, drawn=lambda style, partition: None)
SPEC = RenderSpec(samples=60, styles=("flat",), combinations=True)
WIDE, SIDES = "eye/wide", ("left", "right")


def reduced(package: Package, *dropped: str) -> Annotation:
    return {target: morph for target, morph in package.inventory.annotation.items() if target not in dropped}


def test_without_a_wish_nothing_is_combined_and_a_specification_says_what_it_said(mascots: dict[str, Path]) -> None:
    package = read_mascot(mascots, "momo")

    written = RenderSpec().model_dump(mode="json")
    todo = plan(assignment_for(package, SPEC.model_copy(update={"combinations": False})), {})

    assert not {"combinations", "extended"} & set(written)
    assert todo.combinations == {}
    assert {target for sample in todo.samples for target in sample.weights} <= set(package.inventory.annotation)


def test_a_pair_plays_at_one_weight_whatever_its_rules(mascots: dict[str, Path]) -> None:
    package = read_mascot(mascots, "nagi")
    annotation = reduced(package, f"{WIDE}/both")
    left, right = annotation[f"{WIDE}/left"], annotation[f"{WIDE}/right"]
    assignment = replace(assignment_for(package, SPEC), annotation=annotation)

    todo = plan(assignment, {left.index: Rule(binary=True)})

    assert todo.combinations == {f"{WIDE}/both": Combination(of=(left, right))}
    pairs = [
        (todo.samples[shot.sample].weights[f"{WIDE}/both"], shot.weights)
        for shot in todo.shots
        if shot.sample >= 0 and f"{WIDE}/both" in todo.samples[shot.sample].weights
    ]
    assert pairs
    assert all(weights[left.index] == weights[right.index] == weight for weight, weights in pairs)


def test_of_what_does_not_show_nothing_is_combined(mascots: dict[str, Path]) -> None:
    package = read_mascot(mascots, "momo")
    assignment = assignment_for(package, SPEC)
    (half, *_) = halves(plan(assignment, {}).combinations)

    less = plan(assignment, {}, [half])

    assert half not in halves(less.combinations)
    assert half not in {number for shot in less.shots for number in shot.weights}


@pytest.mark.blender
def test_a_half_changes_its_side_alone(blender: Blender, mascots: dict[str, Path], tmp_path: Path) -> None:
    # GIVEN a character that has a blink and no winks
    package = read_mascot(mascots, "momo")
    todo = plan(assignment_for(package, SPEC), {})
    numbers = halves(todo.combinations)
    whole = package.inventory.annotation["eye/closed/both"].index
    assert set(numbers.values()) == {(whole, Side.LEFT), (whole, Side.RIGHT)}

    # WHEN both halves and the blink are drawn
    def shot(number: int, *played: int) -> pipe.Shot:
        weights = dict.fromkeys(played, 1.0)
        return pipe.Shot(sample=number, partition=Partition.FRONTAL, weights=weights, rotation=(0, 0, 0), light=0.6)

    character, textures = unfold(to_bytes(package), tmp_path)
    request = pipe.Render(
        character=str(character),
        textures={index: str(path) for index, path in textures.items()},
        morphs=todo.morphs,
        halves=numbers,
        styles=["flat"],
        size=256,
        supersample=2,
        shots=[shot(0), shot(1, whole), *(shot(2 + n, number) for n, number in enumerate(numbers)), shot(4, *numbers)],
    )
    neutral, blink, *sides, together = (
        drawn.pictures[0].astype(np.int16) for drawn in blender.draw(request, lambda _: None)
    )

    # THEN each changes its half of the picture alone, as the blink does there, and both together are the blink
    middle = 128
    for (_, side), picture in zip(numbers.values(), sides, strict=True):
        on_right = np.arange(256) >= middle  # where the character's left is
        own = np.s_[:, on_right if side is Side.LEFT else ~on_right]
        other = np.s_[:, ~on_right if side is Side.LEFT else on_right]
        assert np.array_equal(picture[other], neutral[other])
        assert (picture[own] != neutral[own]).any(axis=-1).sum() > 100
        assert np.abs(picture[own] - blink[own]).max() <= 1
    assert np.abs(together - blink).max() <= 1


@pytest.mark.blender
def test_a_result_tells_what_its_poses_are_made_of(blender: Blender, mascots: dict[str, Path], tmp_path: Path) -> None:
    # GIVEN nagi, without the morph that widens both eyes, and targets beyond the 23 switched on
    package = read_mascot(mascots, "nagi")
    spec = RenderSpec(samples=40, size=32, styles=("flat",), combinations=True, extended=("eye/happy", "mouth/delta"))
    annotation = reduced(package, f"{WIDE}/both")
    assignment = replace(
        assignment_for(package, spec), annotation=annotation, render_key=render_key(package.id, annotation, spec)
    )
    store = LocalStore(tmp_path)
    Catalog(store).add(package)

    # WHEN it is rendered
    manifest = render(assignment, store, blender, QUIET)

    # THEN the manifest says what is made of what, and every pose has the columns that it names
    assert Manifest.model_validate_json(manifest.to_bytes()) == manifest
    assert manifest.combinations == {
        f"{WIDE}/both": Combination(of=tuple(annotation[f"{WIDE}/{side}"] for side in SIDES))
    }
    assert manifest.extra_columns == ("eye_happy", "mouth_delta")
    poses = np.array([image.pose for image in manifest.images])
    assert poses.shape == (80, POSE_SIZE + 2)
    happy, delta = poses[:, POSE_SIZE], poses[:, POSE_SIZE + 1]
    assert happy.any()
    assert delta.any()
    eyes = [entry for entry, name in enumerate(POSE_NAMES) if name.startswith("eye_")]
    assert not poses[happy > 0][:, eyes].any()
    wide = [POSE_NAMES.index(f"eye_wide_{side}") for side in SIDES]
    assert (poses[:, wide] > 0).all(axis=1).any()


@pytest.mark.blender
def test_what_shows_nothing_is_played_by_the_half_that_can(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    # GIVEN a blink, and a wink by a person's word that nobody can see: its target is to be combined once that is known
    shutil.copytree(mascots["momo"].parent, tmp_path / "model")
    path = tmp_path / "model" / mascots["momo"].name
    character = read_character(".pmx", path.read_bytes())
    blink = next(morph for morph in character.morphs if morph.name == "まばたき")
    assert isinstance(blink, VertexMorph)
    unseen = replace(blink, name="ウィンク", offsets=blink.offsets * np.float32(1e-7))
    path.write_bytes(pmx_bytes(replace(character, morphs=(*character.morphs, unseen))))
    package = read_model(path)
    wink = MorphRef(index=len(character.morphs), name="ウィンク")
    annotation = {"eye/closed/both": package.inventory.annotation["eye/closed/both"], "eye/closed/left": wink}
    spec = RenderSpec(samples=20, size=32, styles=("flat",), combinations=True)
    key = render_key(package.id, annotation, spec)
    store = LocalStore(tmp_path / "store")
    Catalog(store).add(package)

    # WHEN it is rendered
    assignment = replace(assignment_for(package, spec), annotation=annotation, render_key=key)
    manifest = render(assignment, store, blender, QUIET)

    # THEN the half of the blink plays it
    assert manifest.unseen == {"eye/closed/left": wink}
    assert {target: each.half for target, each in manifest.combinations.items()} == {
        "eye/closed/left": Side.LEFT,
        "eye/closed/right": Side.RIGHT,
    }
    left, right = POSE_NAMES.index("eye_closed_left"), POSE_NAMES.index("eye_closed_right")
    assert any(image.pose[left] > image.pose[right] for image in manifest.images)
