"""Layers: what characters are made of is known of the mascots, and can be seen on the others."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from blender_worker.anatomy.part_names import Worn, worn_of
from blender_worker.anatomy.study import study
from blender_worker.character.actor import Actor
from blender_worker.importers.build import build
from farm.labels import Layer
from farm.models.package import read_character, read_model, to_bytes, unfold
from tests.blender_worker.labels.boxes import COLOURS, boxes

MADE_OF = {
    "首": Layer.SKIN,
    "顔": Layer.SKIN,
    "唇": Layer.FEATURES,
    "白目": Layer.FEATURES,
    "瞳": Layer.FEATURES,
    "目影": Layer.FEATURES,
    "瞼": Layer.SKIN,
    "二重": Layer.SKIN,
    "まつ毛": Layer.SKIN,
    "服": Layer.CLOTHES,
    "飾り": Layer.ACCESSORIES,
    "後髪内": Layer.HAIR,
    "髪": Layer.HAIR,
    "眉": Layer.FEATURES,
}
"""What the mascots' materials are."""


def built(model: Path) -> tuple[Actor, dict[str, int]]:
    """A model with its textures, and its annotation."""
    package = read_model(model)
    with tempfile.TemporaryDirectory() as room:
        character, textures = unfold(to_bytes(package), Path(room))
        pictures = {index: Path(path).read_bytes() for index, path in textures.items()}
        annotation = {target: ref.index for target, ref in package.inventory.annotation.items()}
        read = read_character(package.suffix, Path(character).read_bytes())
        return build(read, pictures, sorted(set(annotation.values()))), annotation


def shares(actor: Actor, annotation: Mapping[str, int]) -> dict[str, dict[Layer, float]]:
    """By material, the share of its area that is of each layer."""
    found = {}
    for run, layers in zip(actor.runs, study(actor, annotation, layered=True).layers, strict=True):
        a, b, c = (actor.rest.positions[run.triangles[:, corner]] for corner in range(3))
        areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
        if areas.sum() > 0:  # the inside of a shut mouth has none
            found[actor.surfaces[run.surface].name] = {
                Layer(layer): float(areas[layers == layer].sum() / areas.sum()) for layer in np.unique(layers)
            }
    return found


def unnamed(actor: Actor) -> Actor:
    """The actor with materials whose names mean nothing; their order stays."""
    surfaces = [replace(surface, name=f"材質{number}") for number, surface in enumerate(actor.surfaces)]
    return replace(actor, surfaces=surfaces)


@pytest.fixture(scope="module", params=["nagi", "momo"])
def mascot(request: pytest.FixtureRequest, mascots: dict[str, Path]) -> tuple[Actor, dict[str, int]]:
    return built(mascots[request.param])


def test_the_mascots_layers_are_what_their_materials_are(mascot: tuple[Actor, dict[str, int]]) -> None:
    found = shares(*mascot)

    assert set(found) == set(MADE_OF)
    for material, layer in MADE_OF.items():
        assert found[material] == {layer: pytest.approx(1.0)}, material


def test_without_names_colours_and_bones_tell_skin_hair_and_clothes_apart(mascot: tuple[Actor, dict[str, int]]) -> None:
    actor, annotation = mascot
    names = [surface.name for surface in actor.surfaces]
    found = {names[int(name.removeprefix("材質"))]: of for name, of in shares(unnamed(actor), annotation).items()}

    for material in ("首", "顔", "服", "後髪内", "髪"):
        assert found[material].get(MADE_OF[material], 0) > 0.99, material


def test_plain_colours_tell_skin_from_clothes() -> None:
    found = shares(build(boxes(), {}, []), {})

    assert list(found.values()) == [{Layer.SKIN: 1.0}, {Layer.CLOTHES: 1.0}, {Layer.CLOTHES: 1.0}], list(COLOURS)


@pytest.mark.parametrize("name", ["袖", "Shirt", "手袋"])
def test_a_name_outdoes_the_colour(name: str) -> None:
    """Gloves of the skin's colour are gloves."""
    actor = build(boxes(), {}, [])
    skin = actor.surfaces[0]
    split = [*actor.surfaces[1:], replace(skin, name=name)]
    head, *rest = actor.runs
    on_body = actor.vertices.turns[head.triangles].max(axis=1) < 0.5
    runs = [replace(run, surface=run.surface - 1) for run in rest]
    actor = replace(
        actor,
        surfaces=[*split, skin],
        runs=[
            *runs,
            replace(head, surface=len(split) - 1, triangles=head.triangles[on_body], hull=None),
            replace(head, surface=len(split), triangles=head.triangles[~on_body], hull=None),
        ],
    )

    found = shares(actor, {})
    assert found[name] == {Layer.CLOTHES: 1.0}
    assert found[skin.name] == {Layer.SKIN: 1.0}


@pytest.mark.parametrize(
    ("name", "worn"),
    [
        ("手肌", Worn.BARE),
        ("素肌", Worn.BARE),
        ("皮肤", Worn.BARE),
        ("F00_000_00_Body_00_SKIN", Worn.BARE),
        ("N00_007_01_Tops_01_CLOTH", Worn.CLOTHES),
        ("手袋", Worn.CLOTHES),
        ("スカート", Worn.CLOTHES),
        ("鞋", Worn.CLOTHES),
        ("Backpack", Worn.CARRIED),
        ("しっぽ", Worn.CARRIED),
        ("手足", None),
        ("体", None),
        ("Body", None),
        ("arm_L", None),
        ("Details", None),
        ("材質3", None),
        ("前髪", None),
    ],
)
def test_what_names_say_about_the_body(name: str, worn: Worn | None) -> None:
    assert worn_of(name) is worn


def test_real_characters(real_models: Path) -> None:
    gene = shares(*built(real_models / "gene" / "Gene_light.pmx"))
    assert gene["手肌"] == {Layer.SKIN: pytest.approx(1.0)}
    assert gene["アンダー"] == gene["トップス"] == {Layer.CLOTHES: pytest.approx(1.0)}
    assert gene["髪"].get(Layer.HAIR, 0) > 0.9

    # Its body is one material with one picture of colours, which holds skin, shirt, shorts, stockings and shoes.
    actor, annotation = built(real_models / "vrm_godette" / "Godette_vrm_v4.vrm")
    layers = study(actor, annotation, layered=True).layers
    (body,) = (number for number, run in enumerate(actor.runs) if actor.surfaces[run.surface].name == "Body")
    middles = actor.rest.positions[actor.runs[body].triangles].mean(axis=1)
    bones = dict(zip(actor.joints, np.array([actor.bones[bone].head for bone in actor.joints.values()]), strict=True))
    for side in ("left", "right"):
        for start, end, share, expected in (
            ("LowerArm", "Hand", 0.5, Layer.SKIN),
            ("LowerLeg", "Foot", 0.3, Layer.CLOTHES),
            ("Foot", "Toes", 0.5, Layer.CLOTHES),
        ):
            at = bones[side + start] + share * (bones[side + end] - bones[side + start])
            nearest = np.linalg.norm(middles - at, axis=1).argsort()[:8]
            own = layers[body][nearest]
            assert (own == expected).mean() > 0.7, (side, start, own)
