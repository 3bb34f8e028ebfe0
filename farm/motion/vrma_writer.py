"""Writes VRMA, for the tests: a skeleton whose nodes may be turned and scaled in any way, and what moves them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from farm.models.gltf.glb_writer import GlbWriter
from farm.models.gltf.values import Json
from farm.models.posing.turns import NO_TURN, Turn
from farm.motion.vrma import EXTENSION


@dataclass(frozen=True, slots=True)
class BodyNode:
    """A node of the skeleton."""

    name: str
    parent: int | None
    translation: Sequence[float]
    rotation: Turn = NO_TURN
    bone: str = ""
    """Of the humanoid; "" for none."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What moves a node: `values` has a row a key, or three (arriving, value, leaving) for "CUBICSPLINE"."""

    node: int
    path: str
    times: Sequence[float]
    values: Any
    interpolation: str = "LINEAR"


@dataclass(frozen=True, slots=True)
class ExpressionCurve:
    """An expression, and its weight at times."""

    name: str
    times: Sequence[float]
    weights: Sequence[float]
    preset: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)


def vrma_draft(
    nodes: Sequence[BodyNode], curves: Sequence[Curve], expressions: Sequence[ExpressionCurve] = ()
) -> GlbWriter:
    """A motion as a draft whose JSON can still be changed."""
    w = GlbWriter()
    for place, node in enumerate(nodes):
        children = [child for child, other in enumerate(nodes) if other.parent == place]
        entry: Json = {"name": node.name, "translation": list(node.translation), "rotation": list(node.rotation)}
        w.add("nodes", entry | ({"children": children} if children else {}))
    samplers: list[Json] = []
    channels: list[Json] = []

    def write(curve: Curve) -> None:
        times = w.accessor(np.array(curve.times, "<f4"))
        values = w.accessor(np.array(curve.values, "<f4"))
        samplers.append({"input": times, "output": values, "interpolation": curve.interpolation})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": curve.node, "path": curve.path}})

    for curve in curves:
        write(curve)
    named: dict[str, Json] = {"preset": {}, "custom": {}}
    for played in expressions:
        place = w.add("nodes", {"name": played.name, "translation": [0.0, 0.0, 0.0]})
        named["preset" if played.preset else "custom"][played.name] = {"node": place, **played.extra}
        write(Curve(place, "translation", played.times, [(weight, 0.0, 0.0) for weight in played.weights]))
    w.add("scenes", {"nodes": [place for place, entry in enumerate(nodes) if entry.parent is None]})
    w.content["animations"] = [{"samplers": samplers, "channels": channels}]
    w.content["extensionsUsed"] = [EXTENSION]
    w.content["extensions"] = {
        EXTENSION: {
            "specVersion": "1.0",
            "humanoid": {"humanBones": {node.bone: {"node": place} for place, node in enumerate(nodes) if node.bone}},
            "expressions": named,
        }
    }
    return w


def vrma_bytes(
    nodes: Sequence[BodyNode], curves: Sequence[Curve], expressions: Sequence[ExpressionCurve] = ()
) -> bytes:
    """The same as the bytes of a .vrma file."""
    return vrma_draft(nodes, curves, expressions).to_bytes()
