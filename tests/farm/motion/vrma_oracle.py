"""What the VRM add-on for Blender makes of a motion on a VRM 1.0: an importer by other people.

usage: python -m tests.farm.motion.vrma_oracle MODEL.vrm MOTION.vrma OUT.npz

Writes for all frames, 24 a second: (frames,) "seconds", and for each bone of the humanoid (frames, 3) "bone/<name>", the
place of its head in Blender's axes. The add-on knows even interpolation only.
"""

import sys
from pathlib import Path

import bpy
import numpy as np

from tests.support.vrm_addon import import_vrm


def main(model: Path, motion: Path, out: Path) -> None:
    """Import both and write what stands."""
    import_vrm(model)
    armature = next(item for item in bpy.data.objects if item.type == "ARMATURE")
    bpy.context.view_layer.objects.active = armature
    armature.select_set(True)
    assert "FINISHED" in bpy.ops.import_scene.vrma(filepath=str(motion), armature_object_name=armature.name)
    scene = bpy.context.scene
    bones = armature.data.vrm_addon_extension.vrm1.humanoid.human_bones.human_bone_name_to_human_bone()
    named = {name.value: bone.node.bone_name for name, bone in bones.items() if bone.node.bone_name}
    first, last = armature.animation_data.action.frame_range
    frames = range(int(first), int(last) + 1)
    found: dict[str, list[list[float]]] = {name: [] for name in named}
    for frame in frames:
        scene.frame_set(frame)
        for name, bone in named.items():
            found[name].append(list(armature.matrix_world @ armature.pose.bones[bone].head))
    seconds = [(frame - 1) * scene.render.fps_base / scene.render.fps for frame in frames]
    np.savez(
        out, allow_pickle=False, seconds=seconds, **{f"bone/{name}": np.array(rows) for name, rows in found.items()}
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
