"""The VRM add-on for Blender, an importer by other people, as the oracles use it: in a process of its own."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import bpy


def import_vrm(path: Path) -> None:
    """Import one file into an empty scene."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="io_scene_vrm")
    _spare_lists()
    assert "FINISHED" in bpy.ops.import_scene.vrm(filepath=str(path))


def _spare_lists() -> None:
    """With each bone that it names, the add-on works out anew which bones it would offer for all others: two thirds of an
    import. At the end of one it does so once more, which is enough."""
    humanoid = import_module("io_scene_vrm.editor.property_group").HumanoidStructureBonePropertyGroup
    for name in ("update_all_vrm0_bone_name_candidates", "update_all_vrm1_bone_name_candidates"):
        setattr(humanoid, name, staticmethod(_unless_naming(getattr(humanoid, name))))


def _unless_naming(update: Callable[[Any], None]) -> Callable[[Any], None]:
    def asked(armature: Any) -> None:
        if sys._getframe(1).f_code.co_name != "_set_bone_name":
            update(armature)

    return asked
