"""What the puppet's materials show of a surface's details, as `detail` does for the forward canvas."""

from collections.abc import Callable

import bpy

from blender_worker.canvases.detail import LEAST_BASE
from blender_worker.canvases.nodes import NodeWriter, Value
from blender_worker.character.surface import Detail, Look, Map, Surface
from blender_worker.character.textures import Texture
from farm.models.materials import Wrap
from farm.styles.style import BASE
from farm.styles.surface import EMISSION, LOOKING, MATCAP, RIM, RIM_LIFT, RIM_MASK, RIM_MIX, RIM_POWER

PLACE, SECOND_PLACE = "place", "second_place"
"""Attributes of the meshes: the first and the second texture coordinates."""
TANGENT, BITANGENT = "turned_tangent", "turned_bitangent"
"""Attributes of the meshes: the axes of normal maps."""
type Images = Callable[[Texture, bool, bool], bpy.types.Image]
"""Gives a texture as a picture of Blender's: whether its alpha is left out, and whether its channels are numbers."""
_EXTENSIONS = {Wrap.REPEAT: "REPEAT", Wrap.MIRROR: "MIRROR", Wrap.CLAMP: "EXTEND"}
_WHITE = (1.0, 1.0, 1.0)
_UP = (0.0, 0.0, 1.0)


def looked_up(writer: NodeWriter, image: bpy.types.Image, one: Map) -> tuple[Value, Value]:
    """Colour and alpha of a map at its texture coordinates."""
    name = SECOND_PLACE if one.second else PLACE
    place: Value = writer.add("ShaderNodeAttribute", attribute_name=name).outputs["Vector"]
    extension = _EXTENSIONS[one.wrap[0]]
    if one.wrap[0] != one.wrap[1]:  # Blender has one way for both axes
        extension = "REPEAT"
        axes = writer.add("ShaderNodeSeparateXYZ", (place,)).outputs
        u, v = (_wrapped(writer, axes[i], one.wrap[i], image.size[i]) for i in range(2))
        place = writer.add("ShaderNodeCombineXYZ", (u, v, 0.0)).outputs["Vector"]
    return writer.texture(image, place, extension, "Linear" if one.smooth else "Closest")


def _wrapped(writer: NodeWriter, place: Value, wrap: Wrap, texels: int) -> Value:
    """A coordinate that a picture which repeats gives what `wrap` asks for: the middle of the last texel ends it."""
    if wrap is Wrap.REPEAT:
        return place
    if wrap is Wrap.MIRROR:
        place = writer.operate("PINGPONG", False, place, 1.0)
    low = writer.operate("MAXIMUM", False, place, 0.5 / texels)
    return writer.operate("MINIMUM", False, low, 1 - 0.5 / texels)


def bumped(writer: NodeWriter, detail: Detail, image: Images, normal: Value) -> Value:
    """The normal, of length 1, where the surface's normal map has it; `normal` is what the map is relative to."""
    assert detail.normal is not None
    along, upwards = (
        writer.add("ShaderNodeAttribute", attribute_name=name).outputs["Vector"] for name in (TANGENT, BITANGENT)
    )
    texel, _ = looked_up(writer, image(detail.normal.texture, True, True), detail.normal)
    scale = detail.normal_scale
    bump = writer.operate("MULTIPLY_ADD", True, texel, (2 * scale, 2 * scale, 2.0), (-scale, -scale, -1.0))
    x, y, z = writer.add("ShaderNodeSeparateXYZ", (bump,)).outputs
    found = writer.operate("MULTIPLY", True, along, writer.spread(x))
    for axis, length in ((upwards, y), (normal, z)):
        found = writer.operate("MULTIPLY_ADD", True, axis, writer.spread(length), found)
    return writer.operate("NORMALIZE", True, found)


class DetailNodes:
    """Adds the terms of `with_own_light` to a surface's nodes, and its own shade to its ramp."""

    def __init__(self, writer: NodeWriter, surface: Surface, image: Images, normal: Value) -> None:
        """`writer` knows BASE and the ramp already."""
        detail = surface.detail or Detail()
        self._writer, self._image = writer, image
        self._emission, self._shade, self._rim, self._matcap = (writer.colour_knob() for _ in range(4))
        if detail.own_shade and writer.ramp is not None:
            self._shade_ramp(detail.shade)
        if detail.shift is not None:
            texel, _ = looked_up(writer, image(detail.shift.texture, True, True), detail.shift)
            red = writer.add("ShaderNodeSeparateXYZ", (texel,)).outputs[0]
            writer.ramp_shift = writer.operate("MULTIPLY_ADD", False, red, detail.shifts[1], detail.shifts[0])
        eye = writer.add("ShaderNodeNewGeometry").outputs["Incoming"]
        writer.terms |= {
            EMISSION.name: self._times(self._emission, detail.emission),
            RIM.name: self._rim,
            RIM_MASK.name: self._times(_WHITE, detail.rim),
            MATCAP.name: (0.0, 0.0, 0.0) if detail.matcap is None else self._reflected(detail.matcap, normal, eye),
            LOOKING.name: writer.dot(normal, eye),
            RIM_LIFT.name: detail.rim_lift,
            RIM_POWER.name: detail.rim_power,
            RIM_MIX.name: detail.rim_mix,
        }

    def set_look(self, look: Look) -> None:
        """Change the colours."""
        for knob, colour in (
            (self._emission, look.emission),
            (self._shade, look.shade),
            (self._rim, look.rim),
            (self._matcap, look.matcap),
        ):
            knob.default_value = (*colour, 1.0)

    def _times(self, colour: Value, one: Map | None) -> Value:
        if one is None:
            return colour
        texel, _ = looked_up(self._writer, self._image(one.texture, True, False), one)
        return self._writer.operate("MULTIPLY", True, texel, colour)

    def _shade_ramp(self, one: Map | None) -> None:
        """The ramp's dark end becomes the shade against the surface's own colour, so that their product is the shade."""
        writer = self._writer
        assert writer.ramp is not None
        base = writer.operate("MAXIMUM", True, writer.terms[BASE.name], (LEAST_BASE,) * 3)
        writer.terms[BASE.name] = base
        floor = writer.operate("DIVIDE", True, self._times(self._shade, one), base)
        writer.ramp = writer.ramp[0], writer.operate("SUBTRACT", True, _WHITE, floor), floor

    def _reflected(self, matcap: Map, normal: Value, eye: Value) -> Value:
        """The matcap where VRMC_materials_mtoon looks it up: by axes at right angles to the direction to the eye."""
        writer = self._writer
        across = writer.operate("NORMALIZE", True, writer.operate("CROSS_PRODUCT", True, _UP, eye))
        upwards = writer.operate("CROSS_PRODUCT", True, eye, across)
        x, y = (
            writer.operate("MULTIPLY_ADD", False, writer.dot(axis, normal), 0.495, 0.5) for axis in (across, upwards)
        )
        place = writer.add("ShaderNodeCombineXYZ", (x, y, 0.0)).outputs["Vector"]
        colour, _ = writer.texture(self._image(matcap.texture, True, False), place, "EXTEND")
        return writer.operate("MULTIPLY", True, colour, self._matcap)
