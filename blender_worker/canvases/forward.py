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
from blender_worker.canvases.dressing import Dresser
from blender_worker.canvases.filters import lookups
from blender_worker.canvases.footprint import Footprint, squares
from blender_worker.character.actor import Actor, Pose
from blender_worker.character.surface import Look
from blender_worker.gpu.buffers import Geometry
from blender_worker.gpu.frames import flat_batch, frame
from blender_worker.gpu.shading import create_shader, frame_values
from farm.styles.expression import Node
from farm.styles.style import Style

_FILTER_REACH = 2.0
"""Pixels by which the filter and the rounding of corners carry a surface beyond its triangles, at most."""
_WHOLE = np.array([(-1, -1), (3, -1), (-1, 3)], np.float32)
"""Corners of a triangle that covers a frame."""
_RESOLVE_VERTEX = "void main() { gl_Position = vec4(position, 0.0, 1.0); }"


class ForwardCanvas:
    """A `canvas.Canvas`: draws one actor."""

    def __init__(self, actor: Actor, geometry: Geometry, styles: Sequence[Style], size: int, supersample: int) -> None:
        self._actor, self._geometry, self._styles = actor, geometry, list(styles)
        self._size, self._large, self._supersample = size, size * supersample, supersample
        formulas, self._layers = _shared_layers(styles)
        self._formulas = formulas
        self._surfaces = Dresser(formulas)
        self._lines = {style.shown: Dresser((style.shown,), outline=True) for style in styles if style.outline}
        self._drawn = frame("drawn", self._large, ("RGBA16F",) * len(formulas))
        kept = [item.run.triangles[item.kept] for item in geometry.runs]
        self._footprint = Footprint(np.concatenate(kept) if kept else np.zeros((0, 3), np.int32))
        self._widest = float(actor.vertices.outlines.max(initial=0.0))
        self._by_tiles = gpu.platform.device_type_get() == "SOFTWARE"

    def draw(self, pose: Pose, camera: Camera, light: float) -> list[NDArray[np.uint8]]:
        """A (size, size, 4) picture for each style, top row first."""
        batches = self._geometry.batches(pose, [item.indices for item in self._geometry.runs])
        values = frame_values(camera, pose, light, float(camera.orthographic))
        self._begin()
        with self._drawn.buffer.bind():
            self._drawn.buffer.clear(color=(0.0, 0.0, 0.0, 0.0), depth=1.0)
            gpu.state.viewport_set(0, 0, self._large, self._large)
            self._draw_surfaces(batches, pose.looks, values)
        touched = self._touched(pose, camera)
        plain = [number for number, style in enumerate(self._styles) if not style.outline]
        pictures = dict(zip(plain, self._resolve(plain, touched), strict=True))
        for number, style in enumerate(self._styles):
            if style.outline:
                self._begin()
                with self._drawn.alone(self._layers[number]).bind():
                    gpu.state.viewport_set(0, 0, self._large, self._large)
                    self._draw_outlines(pose, values, style)
                (pictures[number],) = self._resolve([number], touched)
        return [pictures[number] for number in range(len(self._styles))]

    @staticmethod
    def _begin() -> None:
        gpu.state.depth_mask_set(True)
        gpu.state.depth_test_set("LESS_EQUAL")
        gpu.state.blend_set("ALPHA_PREMULT")

    def _draw_surfaces(
        self, batches: list[gpu.types.GPUBatch], looks: list[Look], values: gpu.types.GPUUniformBuf
    ) -> None:
        self._surfaces.begin(values)
        for item, batch in zip(self._geometry.runs, batches, strict=True):
            look = looks[item.run.surface]
            if not item.is_invisible(look):
                batch.draw(self._surfaces.shader(item, look))
        gpu.state.blend_set("ALPHA_PREMULT")

    def _draw_outlines(self, pose: Pose, values: gpu.types.GPUUniformBuf, style: Style) -> None:
        """The inverted hull: back faces, pushed outwards by a constant width on the screen."""
        lines = self._lines[style.shown]
        lines.begin(values)
        outlined = [
            item
            for item in self._geometry.runs
            if (look := pose.looks[item.run.surface]).outline > 0 and item.surface.outline_alpha(look) > 0
        ]
        outlined.sort(key=lambda item: item.run.veiled)  # a veil hides no line but of what is veiled, too
        hulls = self._geometry.batches(pose, [item.hull for item in outlined])
        veils = iter(self._geometry.batches(pose, [item.indices for item in outlined if item.run.veiled]))
        for item, hull in zip(outlined, hulls, strict=True):
            look = pose.looks[item.run.surface]
            if item.run.veiled:
                gpu.state.color_mask_set(False, False, False, False)
                next(veils).draw(lines.outline_shader(item, look, 0.0))
                gpu.state.color_mask_set(True, True, True, True)
            reach = 2 * self._outline_pixels(look, style.outline) / self._size
            hull.draw(lines.outline_shader(item, look, reach))

    def _outline_pixels(self, look: Look, width: float) -> float:
        return width * min(look.outline, 2.0) * self._size / 256

    def _touched(self, pose: Pose, camera: Camera) -> gpu.types.GPUBatch:
        """What draws on all of the pictures that is not empty, and, where the processor filters them, on little else: most
        of a picture is empty. A graphics card filters a whole picture before the tiles are worked out."""
        if not self._by_tiles:
            return flat_batch(_WHOLE)
        styles = max((style.outline for style in self._styles), default=0.0)
        hull = self._widest * max((self._outline_pixels(look, styles) for look in pose.looks), default=0.0)
        tiles = self._footprint.tiles(pose.positions, camera, self._size, _FILTER_REACH + hull)
        tiles[0, 0] |= not tiles.any()  # a batch has corners
        return flat_batch(squares(tiles, self._size))

    def _resolve(self, styles: Sequence[int], touched: gpu.types.GPUBatch) -> list[NDArray[np.uint8]]:
        """The pictures of these styles, from their layers as they are now: empty where `touched` does not draw."""
        if not styles:
            return []
        gpu.state.depth_test_set("NONE")
        gpu.state.depth_mask_set(False)
        gpu.state.face_culling_set("NONE")
        gpu.state.blend_set("NONE")
        target = frame("pictures", self._size, ("RGBA8",) * len(styles), depth=False).buffer
        pictures = []
        with target.bind():
            target.clear(color=(0.0, 0.0, 0.0, 0.0))
            gpu.state.viewport_set(0, 0, self._size, self._size)
            shader = _resolve_shader(len(styles), self._supersample)
            shader.bind()
            for place, number in enumerate(styles):
                shader.uniform_sampler(f"layer{place}", self._drawn.layers[self._layers[number]])
            touched.draw(shader)
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
