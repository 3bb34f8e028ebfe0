"""Materials of the puppet: surfaces and outlines that emit the colours that the styles' formulas give.

What changes from picture to picture is not built into them: light, style and camera are properties of the scene, which
every material reads; what morphs change are values of nodes, touched only when they change.
"""

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera
from blender_worker.canvases.detail_nodes import DetailNodes, bumped, looked_up
from blender_worker.canvases.nodes import NodeWriter, Value, ramp_image
from blender_worker.character.actor import Actor
from blender_worker.character.ramps import Ramp
from blender_worker.character.surface import LEAST_ALPHA, Look, Map, Surface
from blender_worker.character.textures import Texture
from farm.colour import premultiplied
from farm.models.posing.morphs import PaintEffect
from farm.styles.expression import minimum
from farm.styles.style import BASE, FACING, LIGHT, Style
from farm.styles.surface import ADDED, COLOUR, SPHERE, TEXEL, SphereBlend, own_colour, with_own_light

NORMAL, TINT = "turned_normal", "tint"
"""Attributes of the meshes: the surface's normal, and its vertices' colours."""
_LIGHT, _STYLE, _RIGHT, _UP = "facefarm_light", "facefarm_style", "facefarm_right", "facefarm_up"
"""Properties of the scene."""


def set_scene(scene: bpy.types.Scene, light: float, formula: int, camera: Camera) -> None:
    """Tell all materials of `scene` how strong the light is, which of their formulas to show, and whence they are seen."""
    right, up, _ = camera.axes().tolist()
    for name, value in ((_LIGHT, light), (_STYLE, float(formula)), (_RIGHT, right), (_UP, up)):
        scene[name] = value
    scene.update_tag()  # Blender does not take note of properties of our own by itself


class PuppetMaterials:
    """The materials of one actor."""

    def __init__(self, actor: Actor, styles: Sequence[Style]) -> None:
        self._actor = actor
        self.formulas = list(dict.fromkeys(style.shown for style in styles))
        """What the styles show, each once; `set_scene` chooses by the index in here."""
        self.soft = False
        """Whether any texture that has been used lets something of what lies behind through."""
        self.rest = actor.rest.looks
        """The surfaces' looks when no morph acts."""
        self.painted = _painted(actor)
        """The surfaces whose look a morph may change."""
        self._images: dict[tuple[Texture, bool, bool], bpy.types.Image] = {}
        self._ramps: dict[bytes, bpy.types.Image] = {}
        self._surfaces: dict[int, _SurfaceMaterial] = {}
        self._outlines: dict[int, _OutlineMaterial] = {}

    def surface(self, index: int) -> bpy.types.Material:
        """The material of surface number `index`."""
        if index not in self._surfaces:
            self._surfaces[index] = _SurfaceMaterial(self, self._actor.surfaces[index], self._fades(index))
        return self._surfaces[index].material

    def outline(self, index: int) -> bpy.types.Material:
        """The material of the outline of surface number `index`."""
        if index not in self._outlines:
            fades = self._fades(index) or self.rest[index].outline_colour[3] < 1
            self._outlines[index] = _OutlineMaterial(self, self._actor.surfaces[index], fades)
        return self._outlines[index].material

    def _fades(self, index: int) -> bool:
        return index in self.painted or self.rest[index].colour[3] < 1

    def any_half_clear(self, looks: Sequence[Look]) -> bool:
        """Whether such looks make any surface half transparent; (surfaces,) looks."""
        return any(self.half_clear(looks, index) for index in self._surfaces)

    def half_clear(self, looks: Sequence[Look], index: int) -> bool:
        """Whether such looks make surface number `index` half transparent; (surfaces,) looks."""
        surface = self._actor.surfaces[index]
        blends = surface.cutoff is None and not surface.opaque
        return blends and LEAST_ALPHA < looks[index].colour[3] < 1 - LEAST_ALPHA

    def set_looks(self, looks: Sequence[Look]) -> None:
        """Let the surfaces look so; (surfaces,) looks."""
        for index, cloth in self._surfaces.items():
            cloth.set_look(looks[index])
        for index, line in self._outlines.items():
            line.set_look(looks[index])

    def image(self, texture: Texture, opaque: bool = False, data: bool = False) -> bpy.types.Image:
        """The texture as a picture of Blender's, its alpha multiplied in (in linear light) or left out; or numbers."""
        key = texture, opaque, data
        if key not in self._images:
            pixels = texture.pixels.copy()
            if opaque:
                pixels[..., 3] = 255
            self._images[key] = _image(texture.name, _premultiplied(pixels), data)
        return self._images[key]

    def ramp(self, ramp: Ramp) -> bpy.types.Image:
        """The ramp as a picture of Blender's."""
        key = ramp.tobytes()
        if key not in self._ramps:
            self._ramps[key] = ramp_image("ramp", ramp)
        return self._ramps[key]


class _Emitter:
    """A material that only emits light, and the nodes in it that say how much of it is seen."""

    def __init__(self, materials: PuppetMaterials, surface: Surface, fades: bool) -> None:
        """`fades`: the look's alpha is or may become less than 1."""
        self.material = bpy.data.materials.new(surface.name)
        tree = self.material.node_tree
        tree.nodes.clear()
        self.writer = NodeWriter(tree)
        self._look: Look | None = None
        self._alpha = self.writer.number_knob()
        self.texel, texel_alpha = self._texel(materials, surface)
        self._seen = self._visibility(surface, fades, texel_alpha)
        materials.soft |= texel_alpha is not None and surface.cutoff is None and not surface.opaque

    def _texel(self, materials: PuppetMaterials, surface: Surface) -> tuple[Value, Value | None]:
        """The base's colour with straight alpha, and its alpha if any of it is transparent."""
        writer = self.writer
        colour: Value = (1.0, 1.0, 1.0)
        alpha: Value | None = None
        if surface.base is not None:
            colour, alpha = looked_up(writer, materials.image(surface.base.texture, surface.base.solid), surface.base)
            if surface.base.solid or not (surface.base.texture.pixels[..., 3] < 255).any():
                alpha = None
            else:
                whole = writer.spread(writer.operate("MAXIMUM", False, alpha, 1e-6))
                colour = writer.operate("DIVIDE", True, colour, whole)
        if surface.detail is None or not surface.detail.coloured:
            return colour, alpha
        tint = writer.add("ShaderNodeAttribute", attribute_name=TINT)
        share = tint.outputs["Alpha"]
        alpha = share if alpha is None else writer.operate("MULTIPLY", False, alpha, share)
        return writer.operate("MULTIPLY", True, colour, tint.outputs["Color"]), alpha

    def _visibility(self, surface: Surface, fades: bool, texel_alpha: Value | None) -> Value | None:
        """The share of the surface that is seen; None for all of it."""
        raise NotImplementedError

    def finish(self, colour: Value) -> None:
        """Emit `colour`."""
        writer = self.writer
        shader = writer.add("ShaderNodeEmission", (colour,)).outputs[0]
        if self._seen is not None:
            clear = writer.add("ShaderNodeBsdfTransparent").outputs[0]
            shader = writer.add("ShaderNodeMixShader", (self._seen, clear, shader)).outputs[0]
            self.material.surface_render_method = "DITHERED"
        writer.add("ShaderNodeOutputMaterial", (shader,))

    def set_look(self, look: Look) -> None:
        """Change what has changed."""
        if look != self._look:
            self._look = look
            self._turn_knobs(look)

    def _turn_knobs(self, look: Look) -> None:
        raise NotImplementedError


class _SurfaceMaterial(_Emitter):
    """A surface in every style."""

    _inside_out = False
    """Whether it is the back of what is drawn that is seen as its front."""

    def __init__(self, materials: PuppetMaterials, surface: Surface, fades: bool) -> None:
        super().__init__(materials, surface, fades)
        self.material.use_backface_culling = not surface.double_sided
        self.finish(self._shown(materials, surface))

    def _shown(self, materials: PuppetMaterials, surface: Surface) -> Value:
        """The colour that the chosen style shows."""
        writer = self.writer
        self._colour, self._added, self._sphere, self._ramp, self._floor = (writer.colour_knob() for _ in range(5))
        writer.ramp = materials.ramp(surface.ramp), self._ramp, self._floor
        normal = self._normal(materials, surface)
        writer.terms = {
            TEXEL.name: self.texel,
            COLOUR.name: self._colour,
            ADDED.name: self._added,
            LIGHT.name: _of_scene(writer, _LIGHT, "Fac"),
            FACING.name: writer.dot(normal, (0.0, -1.0, 0.0)),
        }
        if surface.sphere_blend is not SphereBlend.NONE and surface.sphere is not None:
            writer.terms[SPHERE.name] = self._sphere_colour(materials, surface.sphere, normal)
        writer.terms[BASE.name] = writer.write(own_colour(surface.sphere_blend))
        formulas = materials.formulas
        self._detail = DetailNodes(writer, surface, materials.image, normal) if surface.detail is not None else None
        if self._detail is not None:
            formulas = [with_own_light(formula) for formula in formulas]
        # The style's number is compared with 0.5, 1.5, ...: from there on the next formula counts.
        chosen, *others = (writer.write(minimum(formula, 1.0)) for formula in formulas)
        for number, other in enumerate(others):
            later = writer.operate("GREATER_THAN", False, _of_scene(writer, _STYLE, "Fac"), number + 0.5)
            chosen = writer.mix(True, chosen, other, later)
        return chosen

    def _visibility(self, surface: Surface, fades: bool, texel_alpha: Value | None) -> Value | None:
        writer = self.writer
        if surface.opaque or (texel_alpha is None and not fades):
            return None
        alpha: Value = self._alpha
        if texel_alpha is not None:
            alpha = writer.operate("MULTIPLY", False, alpha, texel_alpha)
        if surface.cutoff is not None:
            return _at_least(writer, alpha, surface.cutoff)
        return writer.operate("MULTIPLY", False, alpha, _at_least(writer, alpha, LEAST_ALPHA))

    def _normal(self, materials: PuppetMaterials, surface: Surface) -> Value:
        """The normal, of length 1, towards the camera's side of a double-sided surface; of others no back is seen."""
        writer = self.writer
        normal = writer.add("ShaderNodeAttribute", attribute_name=NORMAL).outputs["Vector"]
        normal = writer.operate("NORMALIZE", True, normal)
        if surface.detail is not None and surface.detail.normal is not None:
            normal = bumped(writer, surface.detail, materials.image, normal)
        if not surface.double_sided or self._inside_out:
            return normal
        back = writer.add("ShaderNodeNewGeometry").outputs["Backfacing"]
        return writer.mix(True, normal, writer.operate("MULTIPLY", True, normal, (-1.0, -1.0, -1.0)), back)

    def _sphere_colour(self, materials: PuppetMaterials, sphere: Map, normal: Value) -> Value:
        """The sphere map is a photograph of a mirror ball: it is looked up where the normal points in the picture."""
        writer = self.writer
        image = materials.image(sphere.texture, opaque=True)
        if sphere.second:
            return writer.operate("MULTIPLY", True, looked_up(writer, image, sphere)[0], self._sphere)
        across, upwards = (writer.dot(normal, _of_scene(writer, name, "Vector")) for name in (_RIGHT, _UP))
        flat = writer.add("ShaderNodeCombineXYZ", (across, upwards, 0.0)).outputs["Vector"]
        place = writer.operate("MULTIPLY_ADD", True, flat, (0.5, 0.5, 0.0), (0.5, 0.5, 0.0))
        colour, _ = writer.texture(image, place, "EXTEND")
        return writer.operate("MULTIPLY", True, colour, self._sphere)

    def _turn_knobs(self, look: Look) -> None:
        self._alpha.default_value = look.colour[3]
        self._colour.default_value = (*look.colour[:3], 1.0)
        self._added.default_value = (*look.added, 1.0)
        self._sphere.default_value = (*look.sphere, 1.0)
        self._ramp.default_value = (*look.ramp, 1.0)
        self._floor.default_value = (*look.floor, 1.0)
        if self._detail is not None:
            self._detail.set_look(look)


class _OutlineMaterial(_SurfaceMaterial):
    """An outline: the back of an inverted hull, in one colour, or in that times what the surface shows."""

    _inside_out = True

    def __init__(self, materials: PuppetMaterials, surface: Surface, fades: bool) -> None:
        _Emitter.__init__(self, materials, surface, fades)
        self.material.use_backface_culling = True
        self._surface = surface
        self._line = self.writer.colour_knob()
        colour: Value = self._line
        if surface.outline_mix > 0:
            shown = self.writer.mix(True, (1.0, 1.0, 1.0), self._shown(materials, surface), surface.outline_mix)
            colour = self.writer.operate("MULTIPLY", True, colour, shown)
        self.finish(colour)

    def _visibility(self, surface: Surface, fades: bool, texel_alpha: Value | None) -> Value | None:
        writer = self.writer
        seen: Value | None = self._alpha if fades else None
        if texel_alpha is not None:
            cutoff = 0.0 if surface.opaque else surface.cutoff
            share: Value = _at_least(writer, texel_alpha, max(cutoff or 0.0, LEAST_ALPHA))
            if cutoff is None:
                share = writer.operate("MULTIPLY", False, texel_alpha, share)
            seen = share if seen is None else writer.operate("MULTIPLY", False, seen, share)
        return seen

    def _turn_knobs(self, look: Look) -> None:
        if self._surface.outline_mix > 0:
            super()._turn_knobs(look)
        self._alpha.default_value = self._surface.outline_alpha(look)
        self._line.default_value = (*look.outline_colour[:3], 1.0)


def _of_scene(writer: NodeWriter, name: str, output: str) -> bpy.types.NodeSocket:
    node = writer.add("ShaderNodeAttribute", attribute_type="VIEW_LAYER", attribute_name=name)
    return node.outputs[output]


def _at_least(writer: NodeWriter, value: Value, limit: float) -> bpy.types.NodeSocket:
    """1 where the value reaches `limit`, 0 elsewhere; Blender has only "greater than"."""
    return writer.operate("GREATER_THAN", False, value, limit - 1e-6)


def _painted(actor: Actor) -> set[int]:
    """The surfaces that any morph paints."""
    effects = (effect for morph in actor.morphs.values() for effect in morph.every())
    return {effect.surface for effect in effects if isinstance(effect, PaintEffect)}


def _image(name: str, pixels: NDArray[np.uint8], data: bool) -> bpy.types.Image:
    """(height, width, 4) sRGB values, or `data`, top row first, as a picture whose channels Blender leaves alone."""
    height, width, _ = pixels.shape
    image = bpy.data.images.new(name, width, height, alpha=True, is_data=data)
    image.alpha_mode = "CHANNEL_PACKED"
    image.pixels.foreach_set((pixels[::-1].astype(np.float32) / np.float32(255)).ravel())
    return image


def _premultiplied(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """sRGB pixels with straight alpha with alpha multiplied in, in linear light."""
    if (pixels[..., 3] == 255).all():
        return pixels
    values = premultiplied(pixels.astype(np.float32) / np.float32(255))
    return np.asarray(np.rint(values * np.float32(255)), np.uint8)
