"""The forward canvas: all styles of one pose in one pass, by our own shader through Blender's gpu module.

Materials are drawn in their order with premultiplied alpha, depth test and depth writing, as MikuMikuDance draws, so
layered lashes, brows and hair come out as their creators meant. The picture is drawn larger than asked for, in linear
light, and then filtered on the GPU to its final size: straight alpha, sRGB, RGB 0 where alpha is 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import gpu
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from blender_worker.actor import Actor, Look, Part, Pose, Run, Surface
from blender_worker.camera import Camera
from blender_worker.styles import Style
from blender_worker.textures import Texture, linear_of, srgb_of
from farm.poses import rotation_matrix

_VERTEX_SOURCE = """
void main() {
    vec3 once = cross(turn.xyz, normal) + turn.w * normal;
    vec3 turned = mix(normal, normal + 2.0 * cross(turn.xyz, once), turns);
    world_normal = turned;
    texture_uv = uv;
    vec4 clip = view_projection * vec4(position, 1.0);
    if (options.z > 0.0) {
        vec2 away = (view_projection * vec4(turned, 0.0)).xy;
        float size = length(away);
        if (size > 1e-6) {
            clip.xy += away / size * options.z * outlines * clip.w;
        }
    }
    gl_Position = clip;
}
"""

_FRAGMENT_HEAD = """
vec4 surface_colour() {
    vec4 texel = texture(image, texture_uv);
    texel.rgb = texel.a > 0.0 ? texel.rgb / texel.a : vec3(0.0);
    texel.rgb = clamp(texel.rgb + added.rgb, 0.0, 1.0);
    vec4 base = colour * texel;
    if (options.x >= 0.0) {
        if (base.a < options.x) { discard; }
        base.a = 1.0;
    }
    if (base.a < max(options.w, 0.004)) { discard; }
    return base;
}
float facing_light() {
    vec3 n = gl_FrontFacing ? world_normal : -world_normal;
    return dot(n / max(length(n), 1e-6), vec3(0.0, -1.0, 0.0));
}
"""

_RESOLVE_VERTEX = "void main() { gl_Position = vec4(position, 0.0, 1.0); }"

_SEEN_THROUGH = 0.75
"""Alpha under which a surface hides nothing, for the survey: visors, glasses."""
_FILTER_RADIUS = 1.0
"""Pixels; the width of the resolve filter."""


@dataclass(slots=True)
class _PartBuffers:
    format: gpu.types.GPUVertFormat
    fixed: gpu.types.GPUVertBuf
    """Everything but positions, with the texture coordinates at rest."""


@dataclass(slots=True)
class _DrawRun:
    run: Run
    surface: Surface
    indices: gpu.types.GPUIndexBuf
    texture: gpu.types.GPUTexture
    cutoff: float


class ForwardCanvas:
    """A `canvas.Canvas`: draws one actor."""

    def __init__(self, actor: Actor, camera: Camera, styles: Sequence[Style], size: int, supersample: int) -> None:
        self._actor, self._camera, self._styles = actor, camera, list(styles)
        self._size, self._large = size, size * supersample
        self._shader = _surface_shader(self._styles)
        self._outline_shader = _outline_shader()
        self._resolve_shader = _resolve_shader(len(self._styles), supersample)
        square = (self._large, self._large)
        self._depth = gpu.types.GPUTexture(square, format="DEPTH_COMPONENT32F")
        self._layers = [gpu.types.GPUTexture(square, format="RGBA16F") for _ in self._styles]
        self._frame = gpu.types.GPUFrameBuffer(depth_slot=self._depth, color_slots=tuple(self._layers))
        self._outlined = [i for i, style in enumerate(self._styles) if style.outline]
        self._outline_frames = {
            i: gpu.types.GPUFrameBuffer(depth_slot=self._depth, color_slots=(self._layers[i],)) for i in self._outlined
        }
        self._pictures = [gpu.types.GPUTexture((size, size), format="RGBA8") for _ in self._styles]
        self._resolve_frame = gpu.types.GPUFrameBuffer(color_slots=tuple(self._pictures))
        self._quad = _full_screen_quad(self._resolve_shader)
        self._white = _upload(np.full((1, 1, 4), 255, np.uint8))
        self._textures = self._upload_textures()
        self._parts = [self._upload_part(part, part.uvs) for part in actor.parts]
        self._runs = [self._upload_run(run) for run in actor.runs]
        self._position_format = gpu.types.GPUVertFormat()
        self._position_format.attr_add(id="position", comp_type="F32", len=3, fetch_mode="FLOAT")

    def _upload_textures(self) -> dict[Texture, gpu.types.GPUTexture]:
        """The actor's textures, each reduced to about one texel for a drawn pixel.

        The camera does not move, so one level of detail, chosen here, does what mipmaps would do. (Blender's gpu module
        makes no mipmaps for textures of ours, and crashes on textures of its own after their image is removed.)
        """
        rest = self._actor.pose({}, (0.0, 0.0, 0.0))
        screens = [self._camera.project(points, self._large) for points in rest.positions]
        densities: dict[Texture, list[NDArray[np.float64]]] = {}
        for run in self._actor.runs:
            texture = self._actor.surfaces[run.surface].texture
            if texture is not None:
                uvs = self._actor.parts[run.part].uvs
                found = _texel_density(run.triangles, texture, uvs, screens[run.part], self._large)
                densities.setdefault(texture, []).append(found)
        return {
            texture: _upload(texture.shrunk(_level_of_detail(np.concatenate(found))))
            for texture, found in densities.items()
        }

    @staticmethod
    def _upload_part(part: Part, uvs: NDArray[np.float32]) -> _PartBuffers:
        form = gpu.types.GPUVertFormat()
        for name, length in (("normal", 3), ("uv", 2), ("turns", 1), ("outlines", 1)):
            form.attr_add(id=name, comp_type="F32", len=length, fetch_mode="FLOAT")
        buffer = gpu.types.GPUVertBuf(form, len(part.vertices))
        buffer.attr_fill("normal", part.normals)
        buffer.attr_fill("uv", uvs)
        buffer.attr_fill("turns", part.turns)
        buffer.attr_fill("outlines", part.outlines)
        return _PartBuffers(form, buffer)

    def _upload_run(self, run: Run) -> _DrawRun:
        surface = self._actor.surfaces[run.surface]
        texture = self._white if surface.texture is None else self._textures[surface.texture]
        cutoff = 0.0 if surface.opaque else -1.0 if surface.cutoff is None else surface.cutoff
        indices = gpu.types.GPUIndexBuf(type="TRIS", seq=run.triangles)
        return _DrawRun(run, surface, indices, texture, cutoff)

    def draw(
        self, weights: dict[str, float], rotation: tuple[float, float, float], light: float
    ) -> list[NDArray[np.uint8]]:
        """Pose the actor and draw it; a (size, size, 4) picture for each style, top row first."""
        return self._draw(weights, rotation, light, 0.0)

    def _draw(
        self, weights: dict[str, float], rotation: tuple[float, float, float], light: float, min_alpha: float
    ) -> list[NDArray[np.uint8]]:
        """The same, leaving out what is less opaque than `min_alpha`."""
        pose = self._actor.pose(weights, rotation)
        w, x, y, z = Matrix(rotation_matrix(rotation).tolist()).to_quaternion()
        turn = (x, y, z, w)
        batches = self._batches(pose)
        gpu.state.depth_mask_set(True)
        gpu.state.depth_test_set("LESS_EQUAL")
        gpu.state.blend_set("ALPHA_PREMULT")
        with self._frame.bind():
            self._frame.clear(color=(0.0, 0.0, 0.0, 0.0), depth=1.0)
            gpu.state.viewport_set(0, 0, self._large, self._large)
            self._draw_surfaces(batches, pose.looks, turn, (light, min_alpha))
        for index in self._outlined:
            with self._outline_frames[index].bind():
                gpu.state.viewport_set(0, 0, self._large, self._large)
                self._draw_outlines(batches, pose.looks, turn, self._styles[index].outline)
        return self._resolve()

    def draw_preview(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The neutral pose: alpha (size, size), top row first, and the depth buffer (drawn pixels), bottom row first."""
        pictures = self._draw({}, (0.0, 0.0, 0.0), 0.6, _SEEN_THROUGH)
        with self._frame.bind():
            data = self._frame.read_depth(0, 0, self._large, self._large)
        return pictures[0][..., 3], np.frombuffer(data, np.float32).reshape(self._large, self._large)

    def _batches(self, pose: Pose) -> list[gpu.types.GPUBatch]:
        buffers = []
        for points in pose.positions:
            buffer = gpu.types.GPUVertBuf(self._position_format, len(points))
            buffer.attr_fill("position", points)
            buffers.append(buffer)
        fixed = [buffer.fixed for buffer in self._parts]
        for index, uvs in pose.uvs.items():
            fixed[index] = self._upload_part(self._actor.parts[index], uvs).fixed
        batches = []
        for item in self._runs:
            batch = gpu.types.GPUBatch(type="TRIS", buf=buffers[item.run.part], elem=item.indices)
            batch.vertbuf_add(fixed[item.run.part])
            batches.append(batch)
        return batches

    def _draw_surfaces(
        self, batches: list[gpu.types.GPUBatch], looks: list[Look], turn: Sequence[float], light: tuple[float, float]
    ) -> None:
        shader = self._shader
        shader.bind()
        self._set_common(shader, turn)
        for item, batch in zip(self._runs, batches, strict=True):
            look = looks[item.run.surface]
            gpu.state.face_culling_set("NONE" if item.surface.double_sided else "BACK")
            shader.uniform_sampler("image", item.texture)
            shader.uniform_float("colour", look.colour)
            shader.uniform_float("added", (*look.added, 0.0))
            shader.uniform_float("options", (item.cutoff, light[0], 0.0, light[1]))
            batch.draw(shader)

    def _draw_outlines(
        self, batches: list[gpu.types.GPUBatch], looks: list[Look], turn: Sequence[float], width: float
    ) -> None:
        """The inverted hull: back faces, pushed outwards by a constant width on the screen."""
        shader = self._outline_shader
        shader.bind()
        self._set_common(shader, turn)
        gpu.state.face_culling_set("FRONT")
        for item, batch in zip(self._runs, batches, strict=True):
            look = looks[item.run.surface]
            alpha = look.outline_colour[3] * look.colour[3]
            if look.outline <= 0 or alpha <= 0:
                continue
            pixels = width * min(look.outline, 2.0) * self._size / 256
            shader.uniform_sampler("image", item.texture)
            shader.uniform_float("colour", (*look.outline_colour[:3], alpha))
            shader.uniform_float("options", (item.cutoff, 0.0, 2 * pixels / self._size, 0.0))
            batch.draw(shader)

    def _set_common(self, shader: gpu.types.GPUShader, turn: Sequence[float]) -> None:
        shader.uniform_float("view_projection", Matrix(self._camera.view_projection().tolist()))
        shader.uniform_float("turn", turn)

    def _resolve(self) -> list[NDArray[np.uint8]]:
        gpu.state.depth_test_set("NONE")
        gpu.state.depth_mask_set(False)
        gpu.state.face_culling_set("NONE")
        gpu.state.blend_set("NONE")
        pictures = []
        with self._resolve_frame.bind():
            gpu.state.viewport_set(0, 0, self._size, self._size)
            self._resolve_shader.bind()
            for index, layer in enumerate(self._layers):
                self._resolve_shader.uniform_sampler(f"layer{index}", layer)
            self._quad.draw(self._resolve_shader)
            for index in range(len(self._styles)):
                data = self._resolve_frame.read_color(0, 0, self._size, self._size, 4, index, "UBYTE")
                pixels = np.frombuffer(data, np.uint8).reshape(self._size, self._size, 4)
                pictures.append(pixels[::-1])
        return pictures


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


def _upload(pixels: NDArray[np.uint8]) -> gpu.types.GPUTexture:
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


def _create(info: gpu.types.GPUShaderCreateInfo, vertex: str, fragment: str) -> gpu.types.GPUShader:
    info.vertex_source(vertex)
    info.fragment_source(fragment)
    return gpu.shader.create_from_info(info)


def _surface_info() -> gpu.types.GPUShaderCreateInfo:
    info = gpu.types.GPUShaderCreateInfo()
    between = gpu.types.GPUStageInterfaceInfo("surface_between")
    between.smooth("VEC3", "world_normal")
    between.smooth("VEC2", "texture_uv")
    for slot, (kind, name) in enumerate(
        (("VEC3", "position"), ("VEC3", "normal"), ("VEC2", "uv"), ("FLOAT", "turns"), ("FLOAT", "outlines"))
    ):
        info.vertex_in(slot, kind, name)
    info.vertex_out(between)
    info.push_constant("MAT4", "view_projection")
    # 128 bytes together, which is what every graphics card grants.
    info.push_constant("VEC4", "turn")  # the head's rotation as a quaternion x, y, z, w
    info.push_constant("VEC4", "colour")
    info.push_constant("VEC4", "added")  # to the texture's colour, before `colour` multiplies it
    info.push_constant("VEC4", "options")  # cut-off or -1, light, outline width, least alpha
    info.sampler(0, "FLOAT_2D", "image")
    return info


def _surface_shader(styles: Sequence[Style]) -> gpu.types.GPUShader:
    info = _surface_info()
    functions, calls = [], []
    for index, style in enumerate(styles):
        info.fragment_out(index, "VEC4", f"out{index}")
        functions.append(f"vec3 style{index}(vec3 base, float facing, float light) {{ {style.glsl} }}")
        calls.append(f"out{index} = vec4(min(style{index}(base.rgb, facing, options.y), vec3(1.0)) * base.a, base.a);")
    main = f"void main() {{ vec4 base = surface_colour(); float facing = facing_light(); {' '.join(calls)} }}"
    return _create(info, _VERTEX_SOURCE, "\n".join([_FRAGMENT_HEAD, *functions, main]))


def _outline_shader() -> gpu.types.GPUShader:
    info = _surface_info()
    info.fragment_out(0, "VEC4", "out0")
    source = """
void main() {
    float alpha = texture(image, texture_uv).a;
    if (alpha < max(options.x, 0.004)) { discard; }
    out0 = vec4(colour.rgb, 1.0) * colour.a * (options.x >= 0.0 ? 1.0 : alpha);
}
"""
    return _create(info, _VERTEX_SOURCE, source)


def _kernel(supersample: int) -> NDArray[np.float64]:
    """Weights of the samples along one axis of a picture's pixel: a Gaussian cut at the filter's radius."""
    reach = int(np.ceil((_FILTER_RADIUS - 0.5) * supersample))
    centres = (np.arange(-reach, supersample + reach) + 0.5) / supersample - 0.5
    weights = np.exp(-0.5 * (centres / (_FILTER_RADIUS * 0.42)) ** 2)
    return weights / weights.sum()


def _resolve_shader(count: int, supersample: int) -> gpu.types.GPUShader:
    info = gpu.types.GPUShaderCreateInfo()
    info.vertex_in(0, "VEC2", "position")
    weights = _kernel(supersample)
    taps, reach = len(weights), (len(weights) - supersample) // 2
    body = []
    for index in range(count):
        info.sampler(index, "FLOAT_2D", f"layer{index}")
        info.fragment_out(index, "VEC4", f"out{index}")
        body.append(f"""
    {{
        vec4 total = vec4(0.0);
        for (int j = 0; j < {taps}; j++) {{
            for (int i = 0; i < {taps}; i++) {{
                total += kernel[i] * kernel[j] * texelFetch(layer{index}, clamp(corner + ivec2(i, j), ivec2(0), last), 0);
            }}
        }}
        out{index} = finish(total);
    }}""")
    source = f"""
vec4 finish(vec4 linear) {{
    // What rounds to no coverage at all has no colour either: RGB is 0 where alpha is 0.
    if (linear.a < 0.5 / 255.0) {{ return vec4(0.0); }}
    vec3 c = clamp(linear.rgb / linear.a, 0.0, 1.0);
    vec3 low = c * 12.92;
    vec3 high = 1.055 * pow(max(c, vec3(1e-7)), vec3(1.0 / 2.4)) - 0.055;
    return vec4(mix(high, low, vec3(lessThanEqual(c, vec3(0.0031308)))), linear.a);
}}
void main() {{
    const float kernel[{taps}] = float[{taps}]({", ".join(f"{w:.9f}" for w in weights)});
    ivec2 corner = ivec2(gl_FragCoord.xy) * {supersample} - ivec2({reach});
    ivec2 last = textureSize(layer0, 0) - ivec2(1);
    {"".join(body)}
}}
"""
    return _create(info, _RESOLVE_VERTEX, source)


def _full_screen_quad(shader: gpu.types.GPUShader) -> gpu.types.GPUBatch:
    form = gpu.types.GPUVertFormat()
    form.attr_add(id="position", comp_type="F32", len=2, fetch_mode="FLOAT")
    buffer = gpu.types.GPUVertBuf(form, 3)
    buffer.attr_fill("position", np.array([[-1, -1], [3, -1], [-1, 3]], np.float32))
    return gpu.types.GPUBatch(type="TRIS", buf=buffer)
