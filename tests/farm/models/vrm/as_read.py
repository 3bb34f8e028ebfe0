"""What a VRM becomes when it is read, and the JSON of a draft of one; for the tests of this folder."""

import numpy as np
import pytest
from numpy.typing import NDArray

from farm.models import inventory
from farm.models.description import Character, Expression
from farm.models.gltf.glb_writer import GlbWriter
from farm.models.gltf.values import Json
from farm.models.inventory import Inventory
from farm.models.materials import GltfMaterial
from farm.models.vrm.reader import read_vrm
from farm.morphs.refs import Annotation
from tests.farm.models import made_files as made
from tests.support.by_names import by_names

VERSIONS = pytest.mark.parametrize("version", ["0.x", "1.0"])


def character(draft: GlbWriter) -> Character:
    """The character that the draft's file is read as."""
    found = read_vrm(draft.to_bytes())
    made.assert_sound(found)
    return found


def inventory_of(character: Character) -> Inventory:
    return inventory.of_character(character, {}, [])


def annotation_of(character: Character) -> Annotation:
    """What the names of its morphs that show anything say: what the drafts have is no face to be measured."""
    return by_names(inventory_of(character))


def extension(draft: GlbWriter) -> Json:
    found: Json = next(iter(draft.content["extensions"].values()))
    return found


def expressions(character: Character) -> list[Expression]:
    return [morph for morph in character.morphs if isinstance(morph, Expression)]


def expression_of(draft: GlbWriter, number: int = 0) -> Json:
    """The JSON of an expression of either version."""
    vrm = extension(draft)
    if "expressions" in vrm:
        sections = vrm["expressions"]
        found: Json = [*sections["preset"].values(), *sections["custom"].values()][number]
    else:
        found = vrm["blendShapeMaster"]["blendShapeGroups"][number]
    return found


def material(character: Character, name: str) -> GltfMaterial:
    (found,) = (material for material in character.materials if material.name == name)
    assert isinstance(found, GltfMaterial)
    return found


def world(character: Character) -> NDArray[np.float64]:
    placed: NDArray[np.float64] = character.positions @ np.array(character.axes.to_world).T * character.axes.metres
    return placed
