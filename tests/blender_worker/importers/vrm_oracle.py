"""What the VRM add-on for Blender makes of a file: an importer by other people, to hold our reader against.

usage: python -m tests.blender_worker.importers.vrm_oracle FILE.vrm OUT.npz

Writes (n, 3) world positions "rest" and, for each expression at weight 1, "expression/<name>"; only its morph targets play.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from tests.support.vrm_addon import import_vrm

_PRESETS_1 = {
    "blink_left": "blinkLeft",
    "blink_right": "blinkRight",
    "look_up": "lookUp",
    "look_down": "lookDown",
    "look_left": "lookLeft",
    "look_right": "lookRight",
}
"""The add-on's names of presets, where they are not the specification's."""


def _expressions(extension: Any) -> Iterator[tuple[str, list[tuple[str, str, float]]]]:
    """Each expression's name and binds: (object, shape key, weight)."""
    if extension.spec_version == "1.0":
        presets = extension.vrm1.expressions.preset.name_to_expression_dict()
        named = [(_PRESETS_1.get(preset, preset), entry) for preset, entry in presets.items()]
        named += [(entry.custom_name, entry) for entry in extension.vrm1.expressions.custom]
        for name, entry in named:
            yield name, [(b.node.mesh_object_name, b.index, b.weight) for b in entry.morph_target_binds]
    else:
        for group in extension.vrm0.blend_shape_master.blend_shape_groups:
            name = group.name if group.preset_name == "unknown" else group.preset_name
            yield name, [(b.mesh.mesh_object_name, b.index, b.weight) for b in group.binds]


def _positions(meshes: list[bpy.types.Object]) -> np.ndarray:
    graph = bpy.context.evaluated_depsgraph_get()
    found = []
    for item in meshes:
        evaluated = item.evaluated_get(graph)
        flat = np.empty(len(evaluated.data.vertices) * 3, np.float32)
        evaluated.data.attributes["position"].data.foreach_get("vector", flat)
        world = np.array(evaluated.matrix_world, np.float64)
        found.append(flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])
    return np.concatenate(found)


def main(path: Path, out: Path) -> None:
    """Import one file and write what stands."""
    import_vrm(path)
    objects = list(bpy.data.objects)
    armature = next(item for item in objects if item.type == "ARMATURE")
    meshes = [item for item in objects if item.type == "MESH" and not item.hide_render and len(item.data.polygons)]
    for item in meshes:
        for modifier in [m for m in item.modifiers if m.type != "ARMATURE"]:
            item.modifiers.remove(modifier)
    results = {"rest": _positions(meshes)}
    for name, binds in _expressions(armature.data.vrm_addon_extension):
        driven = []
        for object_name, key_name, weight in binds:
            item = bpy.data.objects.get(object_name)
            keys = item.data.shape_keys if item is not None and item.type == "MESH" else None
            if keys is not None and key_name in keys.key_blocks:
                keys.key_blocks[key_name].value = weight
                driven.append(keys.key_blocks[key_name])
        if driven:
            results[f"expression/{name}"] = _positions(meshes)
        for key in driven:
            key.value = 0.0
    np.savez(out, allow_pickle=False, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
