"""The half of our shaders that they share: what they are given, and the first steps of what they compute.

**Shaders, frame buffers and uniform buffers live as long as the process.** Blender skips binding a shader whose address
is that of the one bound last; one made after another was freed often has its address, and then the draw runs the dead
program with dead values. So whoever compiles a shader keeps it (`functools.cache`), and nothing of that kind belongs to a
character. `tests/blender_worker/gpu/test_lifetimes.py` loads hundreds of characters in one process, in
`make long` a thousand: run it after a change.
"""

from functools import cache

import gpu
import numpy as np

from blender_worker.camera import Camera
from blender_worker.character.actor import Pose
from blender_worker.character.surface import Look
from blender_worker.gpu.buffers import DrawRun

VERTEX_SOURCE = """
vec3 turned(vec3 way) {
    vec3 once = cross(frame.turn.xyz, way) + frame.turn.w * way;
    return mix(way, way + 2.0 * cross(frame.turn.xyz, once), turns);
}
vec3 turned_normal() { return turned(normal); }
"""
"""Normals are those at rest, turned as far as their vertex follows the head; morphs do not change them, as in
MikuMikuDance."""

FRAGMENT_SOURCE = """
vec4 texel_here() {
    vec4 texel = texture(image, texture_uv);
    texel.rgb = texel.a > 0.0 ? texel.rgb / texel.a : vec3(0.0);
    return texel;
}
vec4 solid_texel_here() { return texture(image, texture_uv); }
float alpha_here(float texel_alpha, float least) {
    float alpha = colour_alpha.a * texel_alpha;
    if (options.x >= 0.0) {
        if (alpha < options.x) { discard; }
        alpha = 1.0;
    }
    if (alpha < least) { discard; }
    return alpha;
}
vec3 normal_here() {
    vec3 n = gl_FrontFacing ? world_normal : -world_normal;
    return n / max(length(n), 1e-6);
}
"""
_FRAME_SOURCE = """
struct Frame {
    mat4 view_projection;
    mat4 view;
    vec4 turn;
    vec4 constants;
};
"""
_FRAME_FLOATS = 2 * 16 + 2 * 4


@cache
def _frame_buffer() -> gpu.types.GPUUniformBuf:
    return gpu.types.GPUUniformBuf(gpu.types.Buffer("FLOAT", _FRAME_FLOATS, np.zeros(_FRAME_FLOATS, np.float32)))


def frame_values(camera: Camera, pose: Pose, *constants: float) -> gpu.types.GPUUniformBuf:
    """The values that are the same for everything in a picture, as `surface_info` declares them, until the next call.

    Up to four `constants` are the pass's own; a picture's are the light, and 1 for a camera without perspective.
    """
    matrices = np.stack([camera.view_projection(), camera.view()]).astype(np.float32).transpose(0, 2, 1)
    rest = np.zeros(8, np.float32)
    rest[:4], rest[4 : 4 + len(constants)] = pose.turn, constants
    values = np.concatenate([matrices.ravel(), rest])
    buffer = _frame_buffer()
    buffer.update(gpu.types.Buffer("FLOAT", values.size, values))
    return buffer


def surface_info(
    *between: tuple[str, str], other: bool = False, detailed: bool = False, bumped: bool = False, types: str = ""
) -> gpu.types.GPUShaderCreateInfo:
    """A shader's interface for surfaces; `between` are the (type, name) pairs handed from vertices to fragments.

    `other`, `detailed` and `bumped` say which of the attributes of `Geometry.batches` it has besides; `types` declares the
    structures of its own.
    """
    info = gpu.types.GPUShaderCreateInfo()
    stage = gpu.types.GPUStageInterfaceInfo("surface_between")
    for kind, name in between:
        stage.smooth(kind, name)
    attributes = [("VEC3", "position"), ("VEC3", "normal"), ("VEC2", "uv"), ("FLOAT", "turns"), ("FLOAT", "outlines")]
    attributes += [("VEC3", "hull")]
    attributes += [("VEC3", "other")] if other else []
    attributes += [("VEC4", "tint"), ("VEC2", "second_uv")] if detailed else []
    attributes += [("VEC4", "tangent")] if bumped else []
    for slot, (kind, name) in enumerate(attributes):
        info.vertex_in(slot, kind, name)
    info.vertex_out(stage)
    info.typedef_source(_FRAME_SOURCE + types)  # the last call alone would count
    info.uniform_buf(0, "Frame", "frame")
    # 112 bytes together; every graphics card grants 128.
    info.push_constant("VEC4", "colour_alpha")  # the material's
    info.push_constant("VEC4", "added_colour")
    info.push_constant("VEC4", "sphere_tint")
    info.push_constant("VEC4", "ramp_tint")
    info.push_constant("VEC4", "ramp_floor")
    info.push_constant("VEC4", "options")  # cut-off or -1, the outline's mix, outline width, part
    info.push_constant("VEC4", "outline_colour")
    info.sampler(0, "FLOAT_2D", "image")
    info.sampler(1, "FLOAT_2D", "ramp_image")
    info.sampler(2, "FLOAT_2D", "sphere_image")
    return info


def set_surface(shader: gpu.types.GPUShader, item: DrawRun, look: Look) -> None:
    """Give `shader` what a run's surface looks like, and set the culling and the writing of depth."""
    gpu.state.face_culling_set("NONE" if item.surface.double_sided else "BACK")
    gpu.state.depth_mask_set(item.run.writes_depth(item.surface, look))
    shader.uniform_sampler("image", item.texture)
    shader.uniform_float("colour_alpha", look.colour)


def create_shader(info: gpu.types.GPUShaderCreateInfo, vertex: str, fragment: str) -> gpu.types.GPUShader:
    """Compile a shader, to be kept for as long as the process lives."""
    info.vertex_source(vertex)
    info.fragment_source(fragment)
    return gpu.shader.create_from_info(info)
