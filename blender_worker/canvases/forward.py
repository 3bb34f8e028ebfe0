"""The forward canvas: all styles of one pose in one pass, by our own shader through Blender's gpu module.

Materials are drawn in their order with premultiplied alpha, depth test and depth writing, as MikuMikuDance draws, so
layered lashes, brows and hair come out as their creators meant. The picture is drawn larger than asked for, in linear
light, and then filtered on the GPU to its final size: straight alpha, sRGB, RGB 0 where alpha is 0.
"""

from collections.abc import Iterable, Sequence
from functools import cache

import gpu
import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera
from blender_worker.canvases import detail
from blender_worker.canvases.filters import lookups
from blender_worker.character.actor import Actor, Pose
from blender_worker.character.surface import Look
from blender_worker.gpu.buffers import Geometry
from blender_worker.gpu.frames import frame, whole_frame
from blender_worker.gpu.shading import (
    FRAGMENT_SOURCE,
    LEAST_ALPHA,
    VERTEX_SOURCE,
    create_shader,
    frame_values,
    set_surface,
    surface_info,
)
from farm.styles.expression import Node, glsl, mentions
from farm.styles.style import LIGHT, Style
from farm.styles.surface import SphereBlend, own_colour, with_own_light

_SURFACE_VERTEX = """
void main() {
    world_normal = turned_normal();
    texture_uv = uv;
    gl_Position = frame.view_projection * vec4(position, 1.0);
DETAIL
}
"""
_PLAIN_RAMP = """
vec3 shade_ramp(float place) {
    return texture(ramp_image, vec2(place, 0.5)).rgb * ramp_tint.rgb + ramp_floor.rgb;
}
"""
_OUTLINE_VERTEX = """
void main() {
    texture_uv = uv;
    vec4 clip = frame.view_projection * vec4(position, 1.0);
    vec2 away = (frame.view_projection * vec4(turned_normal(), 0.0)).xy;
    float size = length(away);
    if (size > 1e-6) {
        clip.xy += away / size * options.z * outlines * clip.w;
    }
    clip.z += BEHIND * clip.w;
    gl_Position = clip;
}
""".replace("BEHIND", "0.0002")
"""The hull lies a little behind (0.6 % of the head's height): that of a sheet seen from its back would blot the sheet."""
_OUTLINE_FRAGMENT = """
void main() {
    float alpha = texture(image, texture_uv).a;
    if (alpha < max(options.x, LEAST)) { discard; }
    out0 = vec4(colour_alpha.rgb, 1.0) * colour_alpha.a * (options.x >= 0.0 ? 1.0 : alpha);
}
""".replace("LEAST", str(LEAST_ALPHA))
_RESOLVE_VERTEX = "void main() { gl_Position = vec4(position, 0.0, 1.0); }"


class ForwardCanvas:
    """A `canvas.Canvas`: draws one actor."""

    def __init__(self, actor: Actor, geometry: Geometry, styles: Sequence[Style], size: int, supersample: int) -> None:
        self._actor, self._geometry, self._styles = actor, geometry, list(styles)
        self._size, self._large, self._supersample = size, size * supersample, supersample
        formulas, self._layers = _shared_layers(styles)
        self._plain = _surface_shader(formulas, False)
        detailed = any(item.surface.detail is not None for item in geometry.runs)
        self._detailed = _surface_shader(formulas, True) if detailed else None
        # The compiler leaves out what no style looks up, and setting what is not there is an error.
        self._shaded, self._lit = _uses_ramp(formulas), _uses_light(formulas)
        self._outline_shader = _outline_shader()
        self._drawn = frame("drawn", self._large, ("RGBA16F",) * len(formulas))

    def draw(self, pose: Pose, camera: Camera, light: float) -> list[NDArray[np.uint8]]:
        """A (size, size, 4) picture for each style, top row first."""
        batches = self._geometry.batches(pose, [item.indices for item in self._geometry.runs])
        values = frame_values(camera, pose, light, float(camera.orthographic))
        self._begin()
        with self._drawn.buffer.bind():
            self._drawn.buffer.clear(color=(0.0, 0.0, 0.0, 0.0), depth=1.0)
            gpu.state.viewport_set(0, 0, self._large, self._large)
            self._draw_surfaces(batches, pose.looks, values)
        plain = [number for number, style in enumerate(self._styles) if not style.outline]
        pictures = dict(zip(plain, self._resolve(plain), strict=True))
        for number, style in enumerate(self._styles):
            if style.outline:
                self._begin()
                with self._drawn.alone(self._layers[number]).bind():
                    gpu.state.viewport_set(0, 0, self._large, self._large)
                    self._draw_outlines(batches, pose.looks, values, style.outline)
                (pictures[number],) = self._resolve([number])
        return [pictures[number] for number in range(len(self._styles))]

    @staticmethod
    def _begin() -> None:
        gpu.state.depth_mask_set(True)
        gpu.state.depth_test_set("LESS_EQUAL")
        gpu.state.blend_set("ALPHA_PREMULT")

    def _draw_surfaces(
        self, batches: list[gpu.types.GPUBatch], looks: list[Look], values: gpu.types.GPUUniformBuf
    ) -> None:
        bound: gpu.types.GPUShader | None = None
        for item, batch in zip(self._geometry.runs, batches, strict=True):
            look = looks[item.run.surface]
            shader = self._detailed if item.detail and self._detailed is not None else self._plain
            if shader is not bound:
                shader.bind()
                shader.uniform_block("frame", values)
                bound = shader
            set_surface(shader, item, look)
            if self._shaded:
                shader.uniform_sampler("ramp_image", item.ramp)
                shader.uniform_float("ramp_tint", (*look.ramp, 0.0))
                shader.uniform_float("ramp_floor", (*look.floor, 0.0))
            if item.detail:
                detail.fill(shader, item, look, self._shaded, self._lit)
            shader.uniform_sampler("sphere_image", item.sphere)
            shader.uniform_float("added_colour", (*look.added, 0.0))
            shader.uniform_float("sphere_tint", (*look.sphere, 0.0))
            shader.uniform_float("options", (item.cutoff, float(item.surface.sphere_blend), 0.0, 0.0))
            batch.draw(shader)

    def _draw_outlines(
        self,
        batches: list[gpu.types.GPUBatch],
        looks: list[Look],
        values: gpu.types.GPUUniformBuf,
        width: float,
    ) -> None:
        """The inverted hull: back faces, pushed outwards by a constant width on the screen."""
        shader = self._outline_shader
        shader.bind()
        shader.uniform_block("frame", values)
        for item, batch in zip(self._geometry.runs, batches, strict=True):
            look = looks[item.run.surface]
            alpha = item.surface.outline_alpha(look)
            if look.outline <= 0 or alpha <= 0:
                continue
            pixels = width * min(look.outline, 2.0) * self._size / 256
            set_surface(shader, item, look)
            gpu.state.face_culling_set("FRONT")
            shader.uniform_float("colour_alpha", (*look.outline_colour[:3], alpha))
            shader.uniform_float("options", (item.cutoff, 0.0, 2 * pixels / self._size, 0.0))
            batch.draw(shader)

    def _resolve(self, styles: Sequence[int]) -> list[NDArray[np.uint8]]:
        """The pictures of these styles, from their layers as they are now."""
        if not styles:
            return []
        gpu.state.depth_test_set("NONE")
        gpu.state.depth_mask_set(False)
        gpu.state.face_culling_set("NONE")
        gpu.state.blend_set("NONE")
        target = frame("pictures", self._size, ("RGBA8",) * len(styles), depth=False).buffer
        pictures = []
        with target.bind():
            gpu.state.viewport_set(0, 0, self._size, self._size)
            shader = _resolve_shader(len(styles), self._supersample)
            shader.bind()
            for place, number in enumerate(styles):
                shader.uniform_sampler(f"layer{place}", self._drawn.layers[self._layers[number]])
            whole_frame().draw(shader)
            for place in range(len(styles)):
                data = target.read_color(0, 0, self._size, self._size, 4, place, "UBYTE")
                pictures.append(np.frombuffer(data, np.uint8).reshape(self._size, self._size, 4))
        return pictures


def _shared_layers(styles: Sequence[Style]) -> tuple[tuple[Node, ...], list[int]]:
    """The formulas that are drawn, and for each style which of them it shows.

    An outline is drawn over a layer when the styles without one have been read from it, so one outlined style can share.
    """
    formulas: list[Node] = []
    layers, outlined = [], set()
    for style in styles:
        fitting = [place for place, formula in enumerate(formulas) if formula == style.shown]
        if style.outline:
            fitting = [place for place in fitting if place not in outlined]
        if not fitting:
            formulas.append(style.shown)
            fitting = [len(formulas) - 1]
        layers.append(fitting[0])
        if style.outline:
            outlined.add(fitting[0])
    return tuple(formulas), layers


def _uses_ramp(formulas: Iterable[Node]) -> bool:
    return any("shade_ramp(" in glsl(formula) for formula in formulas)


def _uses_light(formulas: Iterable[Node]) -> bool:
    return any(mentions(formula, LIGHT) for formula in formulas)


@cache
def _surface_shader(formulas: tuple[Node, ...], detailed: bool) -> gpu.types.GPUShader:
    """Shows what each of the styles' formulas gives, in a layer of its own; of surfaces with details or without."""
    between = [("VEC3", "world_normal"), ("VEC2", "texture_uv"), *(detail.BETWEEN if detailed else ())]
    info = surface_info(*between, detailed=detailed, types=detail.TYPES if detailed else "")
    shaded, lit = _uses_ramp(formulas), _uses_light(formulas)
    outputs = []
    for index, formula in enumerate(formulas):
        info.fragment_out(index, "VEC4", f"out{index}")
        shown = glsl(with_own_light(formula) if detailed else formula)
        outputs.append(f"    out{index} = vec4(min({shown}, vec3(1.0)) * alpha, alpha);")
    if detailed:
        detail.declare(info)
    source = f"""
{detail.FRAGMENT if detailed else _PLAIN_RAMP}
vec3 own_colour(vec3 texel, vec3 normal) {{
    vec3 colour = colour_alpha.rgb;
    vec3 added = added_colour.rgb;
    if (options.y < 0.5) {{ return {glsl(own_colour(SphereBlend.NONE))}; }}
    vec2 place = (mat3(frame.view) * normal).xy * 0.5 + 0.5;
    {"place = mix(place, second_place, detail.second.w);" if detailed else ""}
    vec3 sphere = texture(sphere_image, place).rgb * sphere_tint.rgb;
    return options.y < 1.5 ? {glsl(own_colour(SphereBlend.MULTIPLY))} : {glsl(own_colour(SphereBlend.ADD))};
}}
void main() {{
    vec4 texel = texel_here(){" * tint_here" if detailed else ""};
    float alpha = alpha_here(texel.a, {LEAST_ALPHA});
    vec3 normal = normal_here();
    vec3 base = own_colour(texel.rgb, normal);
    float facing = dot(normal, vec3(0.0, -1.0, 0.0));
    float light = frame.constants.x;
{detail.terms(shaded, lit) if detailed else ""}
{"\n".join(outputs)}
}}
"""
    vertex = _SURFACE_VERTEX.replace("DETAIL", detail.VERTEX if detailed else "")
    return create_shader(info, VERTEX_SOURCE + vertex, FRAGMENT_SOURCE + source)


@cache
def _outline_shader() -> gpu.types.GPUShader:
    info = surface_info(("VEC2", "texture_uv"))
    info.fragment_out(0, "VEC4", "out0")
    return create_shader(info, VERTEX_SOURCE + _OUTLINE_VERTEX, _OUTLINE_FRAGMENT)


@cache
def _resolve_shader(count: int, supersample: int) -> gpu.types.GPUShader:
    info = gpu.types.GPUShaderCreateInfo()
    info.vertex_in(0, "VEC2", "position")
    taps = lookups(supersample)
    body = []
    for index in range(count):
        info.sampler(index, "FLOAT_2D", f"layer{index}")
        info.fragment_out(index, "VEC4", f"out{index}")
        body.append(f"""
    {{
        vec4 total = vec4(0.0);
        for (int j = 0; j < {len(taps)}; j++) {{
            for (int i = 0; i < {len(taps)}; i++) {{
                total += weights[i] * weights[j] * texture(layer{index}, (corner + vec2(places[i], places[j])) * texel);
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
    const float weights[{len(taps)}] = {_floats(weight for _, weight in taps)};
    const float places[{len(taps)}] = {_floats(place for place, _ in taps)};
    vec2 drawn = vec2(textureSize(layer0, 0)), texel = 1.0 / drawn;
    // OpenGL reads from the lowest row up: what is drawn lowest here is the picture's top.
    vec2 corner = vec2(gl_FragCoord.x - 0.5, drawn.y / {float(supersample)} - 0.5 - gl_FragCoord.y) * {float(supersample)};
    {"".join(body)}
}}
"""
    return create_shader(info, _RESOLVE_VERTEX, source)


def _floats(values: Iterable[float]) -> str:
    """An array in GLSL."""
    items = [f"{value:.9f}" for value in values]
    return f"float[{len(items)}]({', '.join(items)})"
