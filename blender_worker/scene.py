"""The Blender scene between two models."""

import bpy


def start() -> None:
    """Begin with nothing: no cube, no light, no add-ons but Blender's own."""
    bpy.ops.wm.read_factory_settings(use_empty=True)


def clear() -> None:
    """Remove everything that a model brought. (Loading an empty file instead costs more.)"""
    data = bpy.data
    data.batch_remove([scene for scene in data.scenes if scene != bpy.context.scene])
    for blocks in (
        data.objects,
        data.meshes,
        data.armatures,
        data.materials,
        data.images,
        data.node_groups,
        data.actions,
        data.shape_keys,
        data.texts,
        data.cameras,
        data.lights,
        data.worlds,
        data.curves,
        data.collections,
    ):
        data.batch_remove(list(blocks))
    data.orphans_purge(do_local_ids=True, do_linked_ids=True, do_recursive=True)
