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

from blender_worker.anatomy.painted import SKIN_DISTANCE
from blender_worker.anatomy.study import Anatomy
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
from farm.labels import ARRAYS, Array, LabelName, Layer, Part
from farm.occluders import CHARACTER, NOTHING

_SOLID = 0.5
"""Alpha from which a surface is one."""
_SURE = 0.75
"""Alpha from which nobody would name what lies behind; between the two, a pixel with another part behind is `IGNORE`."""
_NEXT_LAYER = 256
"""A piece's number is its part and so many times its layer: one attachment holds both, exactly."""
_NEXT_CODE = 16 * _NEXT_LAYER
"""And so many times what it is among `farm.occluders.CODES`; 0 of the character itself."""
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
_CONSTANTS = f"""
const float PARTS = {_NEXT_LAYER}.0;
const float FACE = {Part.FACE:d}.0;
const float SKIN = {Layer.SKIN:d}.0;
const float SURE = {_SURE};
"""
_FRAGMENT = """
void main() {
    vec4 texel = texel_here();
    float alpha = alpha_here(texel.a SHARE, frame.constants.y);
    vec3 normal = mat3(frame.view) * normal_here();
    if (length(normal) < 0.5) { normal = vec3(0.0, 0.0, 1.0); }
    float size = frame.constants.z;
    vec2 place = (there.xy / there.w * 0.5 + 0.5) * size - gl_FragCoord.xy;
    // What is painted on skin is of its part only where it has another colour: added_colour is the skin's, and how far.
    bool skin = distance(pow(texel.rgb, vec3(1.0 / 2.2)), added_colour.rgb) < added_colour.a;
    float on_skin = options.w < PARTS ? FACE : FACE + PARTS * SKIN;
    out_parts = (skin ? on_skin : options.w) + (alpha < SURE ? 0.5 : 0.0);
    out_depth = depth * frame.constants.w;
    out_normals = vec4(normal.x, -normal.y, -normal.z, 0.0);
    out_uv = vec2(texture_uv.x, 1.0 - texture_uv.y);
    out_flow = vec2(place.x, -place.y);
}
"""


type _Piece = tuple[DrawRun, gpu.types.GPUIndexBuf, int, tuple[float, float, float, float]]
"""Triangles of a run, their number, and the colour of the skin that they are painted on, with the reach of that colour."""
_NO_SKIN = (0.0, 0.0, 0.0, 0.0)

_ATTACHMENTS = {
    LabelName.PARTS: ("FLOAT", "R32F"),
    LabelName.DEPTH: ("FLOAT", "R32F"),
    LabelName.NORMALS: ("VEC4", "RGBA32F"),
    LabelName.UV: ("VEC2", "RG32F"),
    LabelName.FLOW: ("VEC2", "RG32F"),
}
"""What the shader writes and where to, in the order of the attachments. Parts and layers share one."""


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
    occlusion: NDArray[np.uint8]
    """One of `farm.occluders.CODES` where an occluder is, and `CHARACTER` where the character is."""
    layers: NDArray[np.uint8]
    """`farm.labels.Layer` values; 0 everywhere when the anatomy has no layers."""


class LabelPass:
    """Draws the labels of one actor."""

    def __init__(self, actor: Actor, geometry: Geometry, size: int) -> None:
        self._actor, self._geometry, self._size = actor, geometry, size
        self._pieces = [(item, item.indices, 1, _NO_SKIN) for item in geometry.runs]
        self._frame = frame("labels", size, tuple(form for _, form in _ATTACHMENTS.values()))

    def set_parts(self, anatomy: Anatomy, codes: Sequence[int] = ()) -> None:
        """Say which part and layer each triangle is; before that, everything is part 1.

        `codes` are the numbers in `farm.occluders.CODES` of the runs that are occluders, 0 of others; none: no run is.
        """
        self._pieces = _pieces(self._geometry.runs, anatomy, codes or [0] * len(self._geometry.runs))

    def draw(self, pose: Pose, other: Pose, camera: Camera, least_alpha: float = _SOLID) -> Labels:
        """The labels of the actor in `pose`; `other` is the pose that the flow leads to, seen by the same camera."""
        batches = self._geometry.batches(pose, [indices for _, indices, _, _ in self._pieces], other)
        with self._frame.buffer.bind():
            self._draw(batches, pose, camera, least_alpha)
            arrays = {name.value: self._read(slot, ARRAYS[name]) for slot, name in enumerate(_ATTACHMENTS)}
            marked = arrays.pop(LabelName.PARTS.value)
            numbers = marked.astype(np.uint16)
            unsure, behind = marked != numbers, numbers
            if unsure.any():  # a surface is half transparent: look at what is behind it
                self._draw(batches, pose, camera, _SURE)
                behind = self._read(0, ARRAYS[LabelName.PARTS]).astype(np.uint16)
            arrays |= _taken_apart(numbers, behind, unsure)
        gpu.state.depth_mask_set(True)
        gpu.state.depth_test_set("NONE")
        gpu.state.face_culling_set("NONE")
        return Labels(**{name.value: arrays[name.value].astype(ARRAYS[name].dtype, copy=False) for name in ARRAYS})

    def _draw(self, batches: Sequence[Any], pose: Pose, camera: Camera, least_alpha: float) -> None:
        """Draw everything that has at least `least_alpha`."""
        values = frame_values(camera, pose, 0.0, least_alpha, float(self._size), self._actor.metres_per_unit)
        gpu.state.depth_mask_set(True)
        gpu.state.depth_test_set("LESS_EQUAL")
        gpu.state.blend_set("NONE")
        self._frame.buffer.clear(color=(0.0, 0.0, 0.0, 0.0), depth=1.0)
        gpu.state.viewport_set(0, 0, self._size, self._size)
        bound: gpu.types.GPUShader | None = None
        for (item, _, number, skin), batch in zip(self._pieces, batches, strict=True):
            shader = _shader(item.surface.detail is not None and item.surface.detail.coloured)
            if shader is not bound:
                shader.bind()
                shader.uniform_block("frame", values)
                bound = shader
            set_surface(shader, item, pose.looks[item.run.surface])
            shader.uniform_float("options", (item.cutoff, 0.0, 0.0, float(number)))
            shader.uniform_float("added_colour", skin)
            batch.draw(shader)

    def _read(self, slot: int, array: Array) -> NDArray[Any]:
        data = self._frame.buffer.read_color(0, 0, self._size, self._size, array.channels or 1, slot, "FLOAT")
        return np.frombuffer(data, np.float32).reshape(array.shape(self._size))[::-1]


@cache
def _shader(coloured: bool) -> gpu.types.GPUShader:
    """For surfaces whose vertices' colours count, or for those without."""
    between = [("VEC3", "world_normal"), ("VEC2", "texture_uv"), ("VEC4", "there"), ("FLOAT", "depth")]
    between += [("FLOAT", "share")] if coloured else []
    info = surface_info(*between, other=True, detailed=coloured)
    for slot, (name, (kind, _)) in enumerate(_ATTACHMENTS.items()):
        info.fragment_out(slot, kind, f"out_{name}")
    vertex = _VERTEX.replace("TINT", "    share = tint.a;" if coloured else "")
    fragment = _FRAGMENT.replace("SHARE", "* share" if coloured else "")
    return create_shader(info, VERTEX_SOURCE + vertex, _CONSTANTS + FRAGMENT_SOURCE + fragment)


def _taken_apart(
    numbers: NDArray[np.uint16], behind: NDArray[np.uint16], unsure: NDArray[np.bool_]
) -> dict[str, NDArray[np.uint8]]:
    """Parts, layers and occlusion, (size, size) each, from the numbers of what shows and of what is `behind` where that is
    unsure."""
    found = {}
    for name, ignore, step, count in (
        (LabelName.PARTS, Part.IGNORE, 1, _NEXT_LAYER),
        (LabelName.LAYERS, Layer.IGNORE, _NEXT_LAYER, _NEXT_CODE // _NEXT_LAYER),
    ):
        front, back = ((values // step % count).astype(np.uint8) for values in (numbers, behind))
        front[unsure & (back != front) & (behind != Part.BACKGROUND)] = ignore
        found[name.value] = front
    shown = np.where(numbers > 0, np.uint8(CHARACTER), np.uint8(NOTHING))
    codes = (numbers // _NEXT_CODE).astype(np.uint8)
    found[LabelName.OCCLUSION.value] = np.where(codes > 0, codes, shown)
    return found


def _pieces(runs: Sequence[DrawRun], anatomy: Anatomy, codes: Sequence[int]) -> list[_Piece]:
    """The runs, each taken apart into the triangles of one part and layer, painted on skin or not."""
    found: list[_Piece] = []
    layers = anatomy.layers or [np.zeros_like(parts) for parts in anatomy.triangles]
    for item, parts, of_layer, painted, code in zip(
        runs, anatomy.triangles, layers, anatomy.painted, codes, strict=True
    ):
        of_triangle = parts + of_layer.astype(np.uint16) * _NEXT_LAYER + np.uint16(code * _NEXT_CODE)
        for number in np.unique(of_triangle[item.kept]).tolist():
            for on_skin, skin in ((False, _NO_SKIN), (True, (*anatomy.skin, SKIN_DISTANCE))):
                chosen = item.kept & (of_triangle == number) & (painted == on_skin)
                if chosen.any():
                    triangles = np.ascontiguousarray(item.run.triangles[chosen])
                    found.append((item, gpu.types.GPUIndexBuf(type="TRIS", seq=triangles), number, skin))
    return found
