"""Gives surfaces the shaders that fit them, and the shaders what the surfaces look like."""

from collections.abc import Sequence

import gpu

from blender_worker.canvases import detail
from blender_worker.canvases.surface_shaders import (
    SurfaceKind,
    outline_shader,
    surface_shader,
    uses_light,
    uses_normal,
    uses_ramp,
)
from blender_worker.character.surface import Detail, Look
from blender_worker.gpu.buffers import DrawRun
from blender_worker.gpu.shading import set_surface
from farm.styles.expression import Node
from farm.styles.surface import SphereBlend


class Dresser:
    """Makes the draws of one pass ready: surfaces in all of some formulas, or outlines in one."""

    def __init__(self, formulas: Sequence[Node], outline: bool = False) -> None:
        self._formulas, self._outline = tuple(formulas), outline
        # The compiler leaves out what no style looks up, and setting what is not there is an error.
        self._shaded, self._lit = uses_ramp(formulas), uses_light(formulas)
        self._turned = uses_normal(formulas)
        self._shaders: dict[SurfaceKind, gpu.types.GPUShader] = {}
        self._values: gpu.types.GPUUniformBuf | None = None
        self._bound: gpu.types.GPUShader | None = None

    def begin(self, values: gpu.types.GPUUniformBuf) -> None:
        """Begin a pass; `values` are the frame's."""
        self._values, self._bound = values, None

    def shader(self, item: DrawRun, look: Look) -> gpu.types.GPUShader:
        """The shader with which to draw the run now, when it looks like this; the state of the graphics card is set too."""
        surface = item.surface
        found = surface.detail or Detail()
        kind = SurfaceKind(
            blend=surface.sphere_blend,
            ramped=item.ramped or surface.detail is not None,
            detailed=surface.detail is not None,
            solid=item.is_solid(look),
            shifted=found.shift is not None and self._shaded,
            bumped=found.normal is not None and self._turned,
            outline=self._outline,
        )
        if kind not in self._shaders:  # a formula is a tree: to look it up every time would cost
            self._shaders[kind] = surface_shader(self._formulas, kind)
        shader = self._bind(self._shaders[kind])
        set_surface(shader, item, look)
        gpu.state.blend_set("NONE" if kind.solid else "ALPHA_PREMULT")
        if self._shaded:
            if kind.ramped:
                shader.uniform_sampler("ramp_image", item.ramp)
            shader.uniform_float("ramp_tint", (*look.ramp, 0.0))
            shader.uniform_float("ramp_floor", (*look.floor, 0.0))
        if kind.detailed:
            detail.fill(shader, item, look, self._maps(kind))
        if kind.blend is not SphereBlend.NONE:
            shader.uniform_sampler("sphere_image", item.sphere)
            shader.uniform_float("sphere_tint", (*look.sphere, 0.0))
        shader.uniform_float("added_colour", (*look.added, 0.0))
        if not kind.solid and not self._outline:
            shader.uniform_float("options", (item.cutoff, 0.0, 0.0, 0.0))
        return shader

    def outline_shader(self, item: DrawRun, look: Look, reach: float) -> gpu.types.GPUShader:
        """The same for the run's outline, which reaches `reach` half frames beyond it."""
        alpha, mixed = item.surface.outline_alpha(look), item.surface.outline_mix
        if mixed > 0:
            shader = self.shader(item, look)
        else:
            solid = item.is_solid(look) and alpha >= 1.0
            shader = self._bind(outline_shader(solid))
            if not solid:
                shader.uniform_sampler("image", item.texture)
            gpu.state.depth_mask_set(item.run.writes_depth(item.surface, look))
            gpu.state.blend_set("NONE" if solid else "ALPHA_PREMULT")
        gpu.state.face_culling_set("FRONT")
        shader.uniform_float("outline_colour", (*look.outline_colour[:3], alpha))
        shader.uniform_float("options", (item.cutoff, mixed, reach, 0.0))
        return shader

    def _bind(self, shader: gpu.types.GPUShader) -> gpu.types.GPUShader:
        if shader is not self._bound:
            shader.bind()
            shader.uniform_block("frame", self._values)
            self._bound = shader
        return shader

    def _maps(self, kind: SurfaceKind) -> list[str]:
        """The textures that a surface of that kind looks up for its details."""
        asked = {
            "emission": True,
            "shade": self._shaded,
            "rim": self._lit,
            "matcap": self._lit,
            "shift": kind.shifted,
            "normal": kind.bumped,
        }
        return [name for name, wanted in asked.items() if wanted]
