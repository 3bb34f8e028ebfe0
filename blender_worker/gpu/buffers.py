"""An actor on the graphics card: buffers and textures that our own shaders share."""

from collections.abc import Sequence
from dataclasses import dataclass

import gpu
import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera
from blender_worker.character.actor import Actor, Look, Part, Pose, Run, Surface
from blender_worker.character.ramps import RAMP_SIZE, Ramp
from blender_worker.character.textures import Texture, linear_of, srgb_of

VERTEX_SOURCE = """
vec3 turned_normal() {
    vec3 once = cross(frame.turn.xyz, normal) + frame.turn.w * normal;
    return mix(normal, normal + 2.0 * cross(frame.turn.xyz, once), turns);
}
"""
"""Normals are those at rest, turned as far as their vertex follows the head; morphs do not change them, as in
MikuMikuDance."""

FRAGMENT_SOURCE = """
vec4 texel_here() {
    vec4 texel = texture(image, texture_uv);
    texel.rgb = texel.a > 0.0 ? texel.rgb / texel.a : vec3(0.0);
    return texel;
}
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
LEAST_ALPHA = 0.004
"""What is more transparent than this is not drawn, and hides nothing."""


@dataclass(slots=True)
class _PartBuffers:
    format: gpu.types.GPUVertFormat
    fixed: gpu.types.GPUVertBuf
    """Everything but positions, with the texture coordinates at rest."""


@dataclass(slots=True)
class DrawRun:
    """A run of the actor, ready to be drawn."""

    run: Run
    surface: Surface
    indices: gpu.types.GPUIndexBuf
    texture: gpu.types.GPUTexture
    ramp: gpu.types.GPUTexture
    sphere: gpu.types.GPUTexture
    cutoff: float
    """Alpha under which a texel is cut out and over which it is opaque; -1 blends."""


class Geometry:
    """The buffers of one actor. Let go of it before the scene is emptied."""

    def __init__(self, actor: Actor, camera: Camera, size: int) -> None:
        """`size` is the side in pixels that is drawn on; textures are reduced to what `camera` sees of them there."""
        self._actor = actor
        self._white = upload(np.full((1, 1, 4), 255, np.uint8))
        self._textures = self._upload_textures(camera, size)
        self._ramps: dict[bytes, gpu.types.GPUTexture] = {}
        self._parts = [self._upload_part(part, part.uvs) for part in actor.parts]
        self._position_format = _format(("position", 3))
        self._other_format = _format(("other", 3))
        self.runs = [self._upload_run(run) for run in actor.runs]
        self._loaded: tuple[Pose, list[gpu.types.GPUVertBuf], list[gpu.types.GPUVertBuf]] | None = None

    def _upload_textures(self, camera: Camera, size: int) -> dict[Texture, gpu.types.GPUTexture]:
        """The actor's textures, each reduced to about one texel for a drawn pixel.

        The camera hardly moves, so one level of detail, chosen here, does what mipmaps would do. (Blender's gpu module
        makes no mipmaps for textures of ours, and crashes on textures of its own after their image is removed.)
        """
        rest = self._actor.pose({}, (0.0, 0.0, 0.0))
        screens = [camera.project(points, size) for points in rest.positions]
        densities: dict[Texture, list[NDArray[np.float64]]] = {}
        for run in self._actor.runs:
            texture = self._actor.surfaces[run.surface].texture
            if texture is not None:
                uvs = self._actor.parts[run.part].uvs
                found = _texel_density(run.triangles, texture, uvs, screens[run.part], size)
                densities.setdefault(texture, []).append(found)
        uploaded = {
            texture: upload(texture.shrunk(_level_of_detail(np.concatenate(found))))
            for texture, found in densities.items()
        }
        for surface in self._actor.surfaces:
            if surface.sphere is not None and surface.sphere not in uploaded:
                pixels = surface.sphere.shrunk(max(surface.sphere.pixels.shape) / size).copy()
                pixels[..., 3] = 255
                uploaded[surface.sphere] = upload(pixels)
        return uploaded

    @staticmethod
    def _upload_part(part: Part, uvs: NDArray[np.float32]) -> _PartBuffers:
        form = _format(("normal", 3), ("uv", 2), ("turns", 1), ("outlines", 1))
        buffer = gpu.types.GPUVertBuf(form, len(part.vertices))
        buffer.attr_fill("normal", part.normals)
        buffer.attr_fill("uv", uvs)
        buffer.attr_fill("turns", part.turns)
        buffer.attr_fill("outlines", part.outlines)
        return _PartBuffers(form, buffer)

    def _upload_run(self, run: Run) -> DrawRun:
        surface = self._actor.surfaces[run.surface]
        return DrawRun(
            run=run,
            surface=surface,
            indices=gpu.types.GPUIndexBuf(type="TRIS", seq=run.triangles),
            texture=self._white if surface.texture is None else self._textures[surface.texture],
            ramp=self._ramp(surface.ramp),
            sphere=self._white if surface.sphere is None else self._textures[surface.sphere],
            cutoff=0.0 if surface.opaque else -1.0 if surface.cutoff is None else surface.cutoff,
        )

    def _ramp(self, ramp: Ramp) -> gpu.types.GPUTexture:
        key = ramp.tobytes()
        if key not in self._ramps:
            values = np.column_stack([ramp, np.ones(RAMP_SIZE, np.float32)]).astype(np.float32)
            data = gpu.types.Buffer("FLOAT", values.size, values.ravel())
            self._ramps[key] = texture = gpu.types.GPUTexture((RAMP_SIZE, 1), format="RGBA16F", data=data)
            texture.extend_mode("EXTEND")
            texture.filter_mode(True)
        return self._ramps[key]

    def batches(
        self, pose: Pose, runs: Sequence[tuple[int, gpu.types.GPUIndexBuf]], other: Pose | None = None
    ) -> list[gpu.types.GPUBatch]:
        """Batches that draw `runs`, (part, indices) each, in `pose`.

        They have the vertex attributes position, normal, uv, turns, outlines, and, with `other`, that pose's positions.
        """
        positions, fixed = self._load(pose)
        extra = self._fill(self._other_format, "other", other) if other is not None else None
        batches = []
        for part, indices in runs:
            batch = gpu.types.GPUBatch(type="TRIS", buf=positions[part], elem=indices)
            batch.vertbuf_add(fixed[part])
            if extra is not None:
                batch.vertbuf_add(extra[part])
            batches.append(batch)
        return batches

    def _load(self, pose: Pose) -> tuple[list[gpu.types.GPUVertBuf], list[gpu.types.GPUVertBuf]]:
        if self._loaded is None or self._loaded[0] is not pose:
            fixed = [buffer.fixed for buffer in self._parts]
            for index, uvs in pose.uvs.items():
                fixed[index] = self._upload_part(self._actor.parts[index], uvs).fixed
            self._loaded = pose, self._fill(self._position_format, "position", pose), fixed
        return self._loaded[1:]

    @staticmethod
    def _fill(form: gpu.types.GPUVertFormat, name: str, pose: Pose) -> list[gpu.types.GPUVertBuf]:
        buffers = []
        for points in pose.positions:
            buffer = gpu.types.GPUVertBuf(form, len(points))
            buffer.attr_fill(name, points)
            buffers.append(buffer)
        return buffers


def frame_buffer(camera: Camera, pose: Pose, *constants: float) -> gpu.types.GPUUniformBuf:
    """The values that are the same for everything in a picture, as `surface_info` declares them.

    Up to four `constants` are the pass's own; a picture's first one is the light.
    """
    matrices = np.stack([camera.view_projection(), camera.view()]).astype(np.float32).transpose(0, 2, 1)
    rest = np.zeros(8, np.float32)
    rest[:4], rest[4 : 4 + len(constants)] = pose.turn, constants
    values = np.concatenate([matrices.ravel(), rest])
    return gpu.types.GPUUniformBuf(gpu.types.Buffer("FLOAT", values.size, values))


def surface_info(*between: tuple[str, str], other: bool = False) -> gpu.types.GPUShaderCreateInfo:
    """A shader's interface for surfaces; `between` are the (type, name) pairs handed from vertices to fragments."""
    info = gpu.types.GPUShaderCreateInfo()
    stage = gpu.types.GPUStageInterfaceInfo("surface_between")
    for kind, name in between:
        stage.smooth(kind, name)
    attributes = [("VEC3", "position"), ("VEC3", "normal"), ("VEC2", "uv"), ("FLOAT", "turns"), ("FLOAT", "outlines")]
    for slot, (kind, name) in enumerate(attributes + ([("VEC3", "other")] if other else [])):
        info.vertex_in(slot, kind, name)
    info.vertex_out(stage)
    info.typedef_source(_FRAME_SOURCE)
    info.uniform_buf(0, "Frame", "frame")
    # 96 bytes together; every graphics card grants 128.
    info.push_constant("VEC4", "colour_alpha")  # the material's
    info.push_constant("VEC4", "added_colour")
    info.push_constant("VEC4", "sphere_tint")
    info.push_constant("VEC4", "ramp_tint")
    info.push_constant("VEC4", "options")  # cut-off or -1, sphere blend, outline width, part
    info.sampler(0, "FLOAT_2D", "image")
    info.sampler(1, "FLOAT_2D", "ramp_image")
    info.sampler(2, "FLOAT_2D", "sphere_image")
    return info


def set_surface(shader: gpu.types.GPUShader, item: DrawRun, look: Look) -> None:
    """Give `shader` what a run's surface looks like, and set the culling."""
    gpu.state.face_culling_set("NONE" if item.surface.double_sided else "BACK")
    shader.uniform_sampler("image", item.texture)
    shader.uniform_float("colour_alpha", look.colour)


def create_shader(info: gpu.types.GPUShaderCreateInfo, vertex: str, fragment: str) -> gpu.types.GPUShader:
    """Compile a shader."""
    info.vertex_source(vertex)
    info.fragment_source(fragment)
    return gpu.shader.create_from_info(info)


def upload(pixels: NDArray[np.uint8]) -> gpu.types.GPUTexture:
    """(height, width, 4) sRGB pixels, straight alpha, top row first, as a texture that repeats.

    They go up with alpha multiplied in (in linear light), so that transparent texels do not colour their neighbours.
    """
    height, width, _ = pixels.shape
    values = pixels[::-1].astype(np.float32) / np.float32(255)
    alpha = values[..., 3:]
    if (pixels[..., 3] < 255).any():
        values[..., :3] = srgb_of(linear_of(values[..., :3]) * alpha)
    data = gpu.types.Buffer("FLOAT", values.size, np.ascontiguousarray(values).ravel())
    texture = gpu.types.GPUTexture((width, height), format="SRGB8_A8", data=data)
    texture.extend_mode("REPEAT")
    texture.filter_mode(True)
    return texture


def _format(*attributes: tuple[str, int]) -> gpu.types.GPUVertFormat:
    form = gpu.types.GPUVertFormat()
    for name, length in attributes:
        form.attr_add(id=name, comp_type="F32", len=length, fetch_mode="FLOAT")
    return form


def _texel_density(
    triangles: NDArray[np.int32], texture: Texture, uvs: NDArray[np.float32], screen: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """(n, 2) for each triangle in the frame: texels along a drawn pixel, and drawn pixels that it covers."""

    def areas(points: NDArray[np.floating]) -> NDArray[np.float64]:
        a, b, c = (points[triangles[:, i]].astype(np.float64) for i in range(3))
        edge, other = b - a, c - a
        return np.abs(edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0]) / 2

    pixels = areas(screen)
    texels = areas(uvs) * texture.pixels.shape[0] * texture.pixels.shape[1]
    centre = screen[triangles].mean(axis=1)
    seen = (pixels > 0.05) & (centre >= 0).all(axis=1) & (centre < size).all(axis=1)
    return np.column_stack([np.sqrt(texels[seen] / pixels[seen]), pixels[seen]])


def _level_of_detail(densities: NDArray[np.float64]) -> float:
    """The factor to reduce a texture by: what suits its sharpest parts, which cover a tenth of the pixels."""
    if not len(densities):
        return 1.0
    ordered = densities[np.argsort(densities[:, 0])]
    covered = np.cumsum(ordered[:, 1])
    return max(1.0, float(ordered[np.searchsorted(covered, covered[-1] * 0.1), 0]))
