"""Formulas over a surface's terms, said once and translated for each canvas.

A formula is a tree of `Node`: numbers and named terms at its leaves, operations inside. Python's operators build it:
``base * (0.5 + 0.6 * light)``. `glsl` writes it for our own shaders; `blender_worker.canvases.nodes` builds Blender's
material nodes from it. A value is a number or a colour of three numbers (linear light); a number beside a colour counts
for each of the colour's channels.
"""

from dataclasses import dataclass
from enum import StrEnum


class Operation(StrEnum):
    """What a node does with its arguments, `a` first."""

    ADD = "add"
    SUBTRACT = "subtract"
    MULTIPLY = "multiply"
    DIVIDE = "divide"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    POWER = "power"
    """a to the b; a is not negative."""
    MIX = "mix"
    """a where c is 0, b where c is 1; c is a number."""
    RAMP = "ramp"
    """The colour at a (a number in [0, 1]) along the surface's shade ramp: 0 is the dark end."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a formula."""

    colour: bool
    """Whether its value is a colour rather than a number."""

    def __add__(self, other: "Node | float") -> "Node":
        return _operate(Operation.ADD, self, other)

    def __radd__(self, other: float) -> "Node":
        return _operate(Operation.ADD, other, self)

    def __sub__(self, other: "Node | float") -> "Node":
        return _operate(Operation.SUBTRACT, self, other)

    def __rsub__(self, other: float) -> "Node":
        return _operate(Operation.SUBTRACT, other, self)

    def __mul__(self, other: "Node | float") -> "Node":
        return _operate(Operation.MULTIPLY, self, other)

    def __rmul__(self, other: float) -> "Node":
        return _operate(Operation.MULTIPLY, other, self)

    def __truediv__(self, other: "Node | float") -> "Node":
        return _operate(Operation.DIVIDE, self, other)


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Colour(Node):
    """A constant colour, linear light."""

    value: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Term(Node):
    """A value that the canvas supplies for every point of a surface."""

    name: str


@dataclass(frozen=True, slots=True)
class Applied(Node):
    """An operation on other nodes."""

    operation: Operation
    arguments: tuple[Node, ...]


def number(value: float) -> Node:
    """A constant."""
    return Number(False, value)


def colour(red: float, green: float, blue: float) -> Node:
    """A constant colour, linear light."""
    return Colour(True, (red, green, blue))


def term(name: str, is_colour: bool = False) -> Term:
    """A value that the canvas supplies."""
    return Term(is_colour, name)


def _node(value: Node | float) -> Node:
    return value if isinstance(value, Node) else number(value)


def _operate(operation: Operation, *values: Node | float) -> Node:
    arguments = tuple(_node(value) for value in values)
    return Applied(any(argument.colour for argument in arguments), operation, arguments)


def maximum(a: Node | float, b: Node | float) -> Node:
    """The larger one."""
    return _operate(Operation.MAXIMUM, a, b)


def minimum(a: Node | float, b: Node | float) -> Node:
    """The smaller one."""
    return _operate(Operation.MINIMUM, a, b)


def clamp(a: Node | float) -> Node:
    """Within [0, 1]."""
    return minimum(maximum(a, 0.0), 1.0)


def power(a: Node | float, b: Node | float) -> Node:
    """a to the b; a is not negative."""
    return _operate(Operation.POWER, a, b)


def mix(a: Node | float, b: Node | float, share: Node | float) -> Node:
    """a where `share` is 0, b where it is 1."""
    nodes = _node(a), _node(b), _node(share)
    return Applied(nodes[0].colour or nodes[1].colour, Operation.MIX, nodes)


def ramp(place: Node | float) -> Node:
    """The surface's shade ramp at `place` in [0, 1]: 0 is its dark end."""
    return Applied(True, Operation.RAMP, (_node(place),))


def mentions(node: Node, wanted: Term) -> bool:
    """Whether the formula asks for the term `wanted`."""
    return node == wanted or (isinstance(node, Applied) and any(mentions(each, wanted) for each in node.arguments))


_SIGNS = {
    Operation.ADD: "+",
    Operation.SUBTRACT: "-",
    Operation.MULTIPLY: "*",
    Operation.DIVIDE: "/",
}
_FUNCTIONS = {
    Operation.MAXIMUM: "max",
    Operation.MINIMUM: "min",
    Operation.POWER: "pow",
    Operation.MIX: "mix",
    Operation.RAMP: "shade_ramp",
}


def glsl(node: Node) -> str:
    """The formula as a GLSL expression over variables with the terms' names; `shade_ramp(float)` is the canvas's."""
    match node:
        case Number(value=value):
            return f"{value:.8f}"
        case Colour(value=value):
            return f"vec3({', '.join(f'{v:.8f}' for v in value)})"
        case Term(name=name):
            return name
        case Applied(operation=Operation.RAMP, arguments=(place,)):
            return f"shade_ramp({glsl(place)})"
        case Applied(operation=operation, arguments=arguments):
            # The share of a mix stays a number; whatever stands beside a colour becomes one.
            kept = len(arguments) - 1 if operation is Operation.MIX else len(arguments)
            written = [
                f"vec3({glsl(argument)})" if node.colour and not argument.colour and place < kept else glsl(argument)
                for place, argument in enumerate(arguments)
            ]
            if operation in _SIGNS:
                return f"({written[0]} {_SIGNS[operation]} {written[1]})"
            return f"{_FUNCTIONS[operation]}({', '.join(written)})"
    raise TypeError(f"no such node: {node}")
