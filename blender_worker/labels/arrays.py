"""Labels, drawn from the same buffers as the pictures: one sample at the centre of each pixel, unblended, unfiltered.

What an eye would call the surface counts: where alpha is under a half, what lies behind it is labelled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import gpu
import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera
from blender_worker.character.actor import Actor, Pose
from blender_worker.gpu.buffers import DrawRun, Geometry
from blender_worker.gpu.frames import frame
from blender_worker.gpu.shading import (
    FRAGMENT_SOURCE,
    VERTEX_SOURCE,
    create_shader,
    frame_values,
    set_surface,
    surface_info,
)
from farm.labels import ARRAYS, Array, LabelName

_SOLID = 0.5
"""Alpha from which a surface is one."""
_VERTEX = """
void main() {
    world_normal = turned_normal();
    texture_uv = uv;
    vec4 here = frame.view_projection * vec4(position, 1.0);
    there = frame.view_projection * vec4(other, 1.0);
    depth = -(frame.view * vec4(position, 1.0)).z;
    gl_Position = here;
TINT
}
"""
_FRAGMENT = """
void main() {
    alpha_here(texel_here().a SHARE, frame.constants.y);
    vec3 normal = mat3(frame.view) * normal_here();
    if (length(normal) < 0.5) { normal = vec3(0.0, 0.0, 1.0); }
    float size = frame.constants.z;
    vec2 place = (there.xy / there.w * 0.5 + 0.5) * size - gl_FragCoord.xy;
    out_parts = options.w;
    out_depth = depth * frame.constants.w;
    out_normals = vec4(normal.x, -normal.y, -normal.z, 0.0);
    out_uv = vec2(texture_uv.x, 1.0 - texture_uv.y);
    out_flow = vec2(place.x, -place.y);
}
"""


_LAYERS = {
    LabelName.PARTS: ("FLOAT", "R32F"),
    LabelName.DEPTH: ("FLOAT", "R32F"),
    LabelName.NORMALS: ("VEC4", "RGBA32F"),
    LabelName.UV: ("VEC2", "RG32F"),
    LabelName.FLOW: ("VEC2", "RG32F"),
}
"""What the shader writes and where to, in the order of the attachments; `Labels` has fields of these names."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The label pictures of one shot; each (size, size) or (size, size, channels), contiguous, top row first."""

    parts: NDArray[np.uint8]
    """`farm.labels.Part` values."""
    depth: NDArray[np.float32]
    """Metres along the camera's z; 0 where nothing is."""
    normals: NDArray[np.float16]
    """Unit vectors, x right, y down, z away; 0 where nothing is."""
    uv: NDArray[np.float32]
    """v from the top; 0 where nothing is."""
    flow: NDArray[np.float32]
    """Pixels, x right, y down, to the same point in the other pose; 0 where nothing is."""


class LabelPass:
    """Draws the labels of one actor."""

    def __init__(self, actor: Actor, geometry: Geometry, size: int) -> None:
        self._actor, self._geometry, self._size = actor, geometry, size
        self._pieces = [(item, item.indices, 1) for item in geometry.runs]
        self._frame = frame("labels", size, tuple(form for _, form in _LAYERS.values()))

    def set_parts(self, parts: Sequence[NDArray[np.uint8]]) -> None:
        """Say which part each triangle of each of the actor's runs is; before that, everything is part 1."""
        self._pieces = _pieces(self._geometry.runs, parts)

    def draw(self, pose: Pose, other: Pose, camera: Camera, least_alpha: float = _SOLID) -> Labels:
        """The labels of the actor in `pose`; `other` is the pose that the flow leads to, seen by the same camera."""
        batches = self._geometry.batches(pose, [indices for _, indices, _ in self._pieces], other)
        values = frame_values(camera, pose, 0.0, least_alpha, float(self._size), self._actor.metres_per_unit)
        gpu.state.depth_mask_set(True)
        gpu.state.depth_test_set("LESS_EQUAL")
        gpu.state.blend_set("NONE")
        with self._frame.buffer.bind():
            self._frame.buffer.clear(color=(0.0, 0.0, 0.0, 0.0), depth=1.0)
            gpu.state.viewport_set(0, 0, self._size, self._size)
            bound: gpu.types.GPUShader | None = None
            for (item, _, part), batch in zip(self._pieces, batches, strict=True):
                shader = _shader(item.surface.detail is not None and item.surface.detail.coloured)
                if shader is not bound:
                    shader.bind()
                    shader.uniform_block("frame", values)
                    bound = shader
                set_surface(shader, item, pose.looks[item.run.surface])
                shader.uniform_float("options", (item.cutoff, 0.0, 0.0, float(part)))
                batch.draw(shader)
            arrays = {name.value: self._read(slot, ARRAYS[name]) for slot, name in enumerate(_LAYERS)}
        gpu.state.depth_mask_set(True)
        gpu.state.depth_test_set("NONE")
        gpu.state.face_culling_set("NONE")
        return Labels(**arrays)

    def _read(self, slot: int, array: Array) -> NDArray[Any]:
        data = self._frame.buffer.read_color(0, 0, self._size, self._size, array.channels or 1, slot, "FLOAT")
        return np.frombuffer(data, np.float32).reshape(array.shape(self._size))[::-1].astype(array.dtype)


@cache
def _shader(coloured: bool) -> gpu.types.GPUShader:
    """For surfaces whose vertices' colours count, or for those without."""
    between = [("VEC3", "world_normal"), ("VEC2", "texture_uv"), ("VEC4", "there"), ("FLOAT", "depth")]
    between += [("FLOAT", "share")] if coloured else []
    info = surface_info(*between, other=True, detailed=coloured)
    for slot, (name, (kind, _)) in enumerate(_LAYERS.items()):
        info.fragment_out(slot, kind, f"out_{name}")
    vertex = _VERTEX.replace("TINT", "    share = tint.a;" if coloured else "")
    fragment = _FRAGMENT.replace("SHARE", "* share" if coloured else "")
    return create_shader(info, VERTEX_SOURCE + vertex, FRAGMENT_SOURCE + fragment)


def _pieces(
    runs: Sequence[DrawRun], parts: Sequence[NDArray[np.uint8]]
) -> list[tuple[DrawRun, gpu.types.GPUIndexBuf, int]]:
    """The runs, each taken apart into the triangles of one part."""
    found = []
    for item, of_triangle in zip(runs, parts, strict=True):
        for part in np.unique(of_triangle[item.kept]).tolist():
            triangles = np.ascontiguousarray(item.run.triangles[item.kept & (of_triangle == part)])
            found.append((item, gpu.types.GPUIndexBuf(type="TRIS", seq=triangles), part))
    return found
