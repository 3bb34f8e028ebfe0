"""A glTF file that a test writes, as its reader sees it."""

from farm.models.description import Character
from farm.models.gltf.accessors import Accessors
from farm.models.gltf.container import read_glb
from farm.models.gltf.glb_writer import GlbWriter
from farm.models.gltf.values import Json
from farm.models.vrm.reader import read_vrm
from tests.farm.models import made_files as made


def read_draft(draft: GlbWriter) -> Character:
    character = read_vrm(draft.to_bytes())
    made.assert_sound(character)
    return character


def accessors_of(w: GlbWriter) -> Accessors:
    return Accessors(read_glb(w.to_bytes()))


def primitive_of(draft: GlbWriter, number: int = 0) -> Json:
    found: Json = draft.content["meshes"][0]["primitives"][number]
    return found


def accessor_of(draft: GlbWriter, name: str) -> Json:
    found: Json = draft.content["accessors"][primitive_of(draft)["attributes"][name]]
    return found
