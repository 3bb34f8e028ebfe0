"""What of Blender's own Python is left out: its windows' panels and menus, their operators, and its add-ons.

Nobody looks at this Blender, and no file of any format is opened by it. Importing bpy would load all of them, with a client
for HTTP among them: a third of the start, and forty megabytes.
"""

import sys
from pathlib import Path
from types import ModuleType

SPARED = (
    "bl_ui", "bl_operators", "keyingsets_builtins", "nodeitems_builtins",  # of its folder `startup`
    "bl_pkg", "cycles", "io_anim_bvh", "io_curve_svg", "io_mesh_uv_layout", "io_scene_fbx", "io_scene_gltf2", "pose_library",
)  # fmt: skip
"""Names of modules. What another Blender calls otherwise is loaded as before."""


class _Spared(ModuleType):
    """Stands where Blender looks for a module before it imports one. To have nothing to register is not an error."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # Blender asks an add-on for its file, and whether it has changed since it was loaded.
        self.__file__ = __file__
        self.__time__ = Path(__file__).stat().st_mtime

    def register(self) -> None:
        """Adds nothing to Blender."""

    def unregister(self) -> None:
        """Takes nothing away."""


def spare() -> None:
    """Have bpy, when it is imported, load nothing of that. It prints a line about an operator that is not there."""
    for name in SPARED:
        sys.modules[name] = _Spared(name)
