"""Formulas (`farm.styles.expression`) as Blender's material nodes."""

from collections.abc import Iterable

import bpy
import numpy as np

from blender_worker.character.ramps import RAMP_SIZE, Ramp
from farm.styles.expression import Applied, Colour, Node, Number, Operation, Term

type Value = bpy.types.NodeSocket | float | tuple[float, float, float]
"""What a formula came to: an output of a node, or a constant."""

_PLAIN = {
    Operation.ADD: "ADD",
    Operation.SUBTRACT: "SUBTRACT",
    Operation.MULTIPLY: "MULTIPLY",
    Operation.DIVIDE: "DIVIDE",
    Operation.MAXIMUM: "MAXIMUM",
    Operation.MINIMUM: "MINIMUM",
    Operation.POWER: "POWER",
}
"""What Blender's two mathematics nodes call these operations."""


_FINE = 16
"""Texels of a ramp's picture for each of the ramp's values."""


def ramp_image(name: str, ramp: Ramp) -> bpy.types.Image:
    """A ramp as a picture of RAMP_SIZE * _FINE x 1 floats, to be looked up without interpolation.

    Blender's interpolated look-up goes through mipmaps: where the shade changes fast from pixel to pixel, as on thin
    triangles, it gives the mean of both tones, and dots appear along the shade's edge. So the ramp is interpolated here.
    """
    places = (np.arange(RAMP_SIZE * _FINE) + 0.5) / _FINE - 0.5
    channels = [np.interp(places, np.arange(RAMP_SIZE), ramp[:, channel]) for channel in range(3)]
    values = np.column_stack([*channels, np.ones(len(places))]).astype(np.float32)
    image = bpy.data.images.new(name, len(values), 1, float_buffer=True, is_data=True)
    image.pixels.foreach_set(values.ravel())
    return image


class NodeWriter:
    """Writes formulas into one node tree; a formula, or a part of one, that comes again is not written twice."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self.terms: dict[str, Value] = {}
        """The values of the formulas' terms, by name."""
        self.ramp: tuple[bpy.types.Image, Value, Value] | None = None
        """The surface's shade ramp, what it is multiplied with, and what is added to it then."""
        self.ramp_shift: Value | None = None
        """What is added to the place at which the ramp is looked up; None for nothing."""
        self._tree = tree
        self._written: dict[Node, Value] = {}

    def write(self, formula: Node) -> Value:
        """The value of `formula`."""
        if formula not in self._written:
            self._written[formula] = self._write(formula)
        return self._written[formula]

    def _write(self, formula: Node) -> Value:
        match formula:
            case Number(value=value):
                return value
            case Colour(value=value):
                return value
            case Term(name=name):
                return self.terms[name]
            case Applied(operation=Operation.RAMP, arguments=(place,)):
                return self._look_up(self.write(place))
            case Applied(operation=Operation.MIX, arguments=(a, b, share)):
                return self.mix(formula.colour, self.write(a), self.write(b), self.write(share))
            case Applied(operation=operation, arguments=arguments):
                return self.operate(_PLAIN[operation], formula.colour, *(self.write(each) for each in arguments))
        raise TypeError(f"no such node: {formula}")

    def operate(self, operation: str, colour: bool, *values: Value) -> bpy.types.NodeSocket:
        """An operation of Blender's mathematics node, on colours or on numbers."""
        node = self.add("ShaderNodeVectorMath" if colour else "ShaderNodeMath", values, operation=operation)
        return node.outputs["Vector" if colour else "Value"]

    def dot(self, a: Value, b: Value) -> bpy.types.NodeSocket:
        """The scalar product of two vectors."""
        return self.add("ShaderNodeVectorMath", (a, b), operation="DOT_PRODUCT").outputs["Value"]

    def spread(self, value: Value) -> bpy.types.NodeSocket:
        """A number as a colour of three equal channels."""
        return self.add("ShaderNodeCombineXYZ", (value, value, value)).outputs["Vector"]

    def mix(self, colour: bool, a: Value, b: Value, share: Value) -> bpy.types.NodeSocket:
        """`a` where `share` is 0, `b` where it is 1; both are colours or both are numbers."""
        kind = "VECTOR" if colour else "FLOAT"
        node = self.add("ShaderNodeMix", (), data_type=kind, clamp_factor=False)
        # A mix node has its sockets once for each kind of value; those of the others are switched off.
        sockets = [socket for socket in node.inputs if socket.enabled]
        for socket, value in zip(sockets, (share, a, b), strict=True):
            self.feed(socket, value)
        return next(socket for socket in node.outputs if socket.enabled)

    def texture(
        self, image: bpy.types.Image, place: Value, extension: str, interpolation: str = "Linear"
    ) -> tuple[bpy.types.NodeSocket, bpy.types.NodeSocket]:
        """Colour and alpha of a picture at `place`, (u, v, any)."""
        node = self.add("ShaderNodeTexImage", (place,), image=image, interpolation=interpolation, extension=extension)
        return node.outputs["Color"], node.outputs["Alpha"]

    def _look_up(self, place: Value) -> bpy.types.NodeSocket:
        if self.ramp is None:
            raise ValueError("the formula asks for a shade ramp, and there is none")
        image, tint, floor = self.ramp
        if self.ramp_shift is not None:
            place = self.operate("ADD", False, place, self.ramp_shift)
        point = self.add("ShaderNodeCombineXYZ", (place, 0.5, 0.0)).outputs["Vector"]
        colour, _ = self.texture(image, point, "EXTEND", "Closest")
        return self.operate("MULTIPLY_ADD", True, colour, tint, floor)

    def colour_knob(self) -> bpy.types.NodeSocket:
        """A colour whose `default_value` may be changed at any time."""
        return self.add("ShaderNodeRGB").outputs[0]

    def number_knob(self) -> bpy.types.NodeSocket:
        """A number whose `default_value` may be changed at any time."""
        return self.add("ShaderNodeValue").outputs[0]

    def add(self, kind: str, values: Iterable[Value] = (), **properties: object) -> bpy.types.Node:
        """A node with its properties set and its first inputs fed."""
        node = self._tree.nodes.new(kind)
        for name, value in properties.items():
            setattr(node, name, value)
        for socket, value in zip(node.inputs, values, strict=False):
            self.feed(socket, value)
        return node

    def feed(self, socket: bpy.types.NodeSocket, value: Value) -> None:
        """Let `value` be a node's input; a number for a colour counts for all of its channels."""
        if isinstance(value, bpy.types.NodeSocket):
            self._tree.links.new(value, socket)
        elif isinstance(value, tuple):
            socket.default_value = (*value, 1.0)[: len(socket.default_value)]
        elif not hasattr(socket.default_value, "__len__"):
            socket.default_value = value
        else:
            socket.default_value = (value, value, value, 1.0)[: len(socket.default_value)]
