"""Reads VRMA, VRM's animations: binary glTF 2.0 with an extension that says which node stands for which humanoid bone.

The first animation counts. Turns are given as they are about the model's own axes, away from the rest pose (a T-pose), so
that it does not matter how the file's nodes are turned. Sources: glTF 2.0; VRMC_vrm_animation-1.0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from farm.errors import MotionFormatError
from farm.models.description import VRM_1
from farm.models.gltf.accessors import Accessors
from farm.models.gltf.container import read_glb
from farm.models.gltf.nodes import Nodes, read_nodes
from farm.models.gltf.values import Json, index, member, members, text
from farm.models.posing.turns import NO_TURN, products, quaternions, undone, units
from farm.motion.channels import Channel, Cubic, Doubles, Even, Step
from farm.motion.description import BoneTrack, Convention, MorphTrack, Motion, Rest
from farm.motion.humanoid import HUMANOID_BONES
from farm.motion.limits import MAX_SECONDS, check_tracks
from farm.wording import counted

EXTENSION = "VRMC_vrm_animation"
_MOST_KEYS = 2_000_000
"""Of all channels together: half an hour of all bones at 20 keys a second. Channels may share what the file has once."""
_EYES = ("leftEye", "rightEye")
"""Bones that no such animation may move: the gaze does."""
_GAZES = ("lookUp", "lookDown", "lookLeft", "lookRight")
"""Expressions that none may play, for the same reason."""
_FARTHEST = 1e6
"""Metres."""
_TINY = 1e-9

type _Change = Callable[[Doubles], Doubles]


@dataclass(frozen=True, slots=True)
class _Target:
    node: int
    path: str


def read_vrma(data: bytes) -> Motion:
    """Read the bytes of a .vrma file. Raises MotionFormatError, ModelFormatError or ModelTruncatedError."""
    gltf = read_glb(data, "VRMA")
    extensions = member(gltf.content, "extensions")
    if not isinstance(extensions.get(EXTENSION), dict):
        raise MotionFormatError(
            "This glTF file has no VRM animation in it (VRMC_vrm_animation), so it does not say which node is which bone. "
            "Export it as VRM Animation."
        )
    animation = extensions[EXTENSION]
    nodes = read_nodes(gltf.content)
    given = members(gltf.content, "animations")
    reader = _Reader(given[0] if given else {}, Accessors(gltf), nodes)
    bones = _bones_of(member(member(animation, "humanoid"), "humanBones"), len(nodes.names))
    expressions = _expressions_of(member(animation, "expressions"), len(nodes.names))
    check_tracks(len(expressions), "expressions")
    look = index(member(animation, "lookAt").get("node"), len(nodes.names))
    tracks = [reader.bone(name, node) for name, node in bones.items() if name not in _EYES]
    morphs = [reader.expression(name, node) for name, node in expressions.items() if name not in _GAZES]
    hips = bones.get("hips")
    return Motion(
        format=f"VRMA {text(animation.get('specVersion'))[:16] or '1.0'}",
        naming=Convention.HUMANOID,
        rest=Rest.T_POSE,
        axes=VRM_1,
        made_for="",
        bones=tuple(track for track in tracks if track.moves is not None or track.turns is not None),
        morphs=tuple(track for track in morphs if track is not None),
        hips_height=float(nodes.worlds[hips, 1, 3]) if hips is not None else 0.0,
        look=reader.gaze(look) if look is not None else None,
        skipped={"animation": len(given) - 1} if len(given) > 1 else {},
        warnings=tuple(reader.warnings),
    )


def _bones_of(given: Json, count: int) -> dict[str, int]:
    """The node of each bone of the humanoid."""
    found = {name: index(member(given, name).get("node"), count) for name in HUMANOID_BONES}
    return {name: node for name, node in found.items() if node is not None}


def _expressions_of(given: Json, count: int) -> dict[str, int]:
    """The node of each expression; of a custom one that is called like a preset the preset counts."""
    found: dict[str, int] = {}
    for kind in ("preset", "custom"):
        named = member(given, kind)
        for name in named:
            node = index(member(named, name).get("node"), count)
            if node is not None:
                found.setdefault(text(name), node)
    return found


class _Reader:
    """Reads the channels of one animation that are asked for."""

    def __init__(self, animation: Json, accessors: Accessors, nodes: Nodes) -> None:
        self._accessors = accessors
        self._nodes = nodes
        self._samplers = members(animation, "samplers")
        self._left = _MOST_KEYS
        self._turns = _rotations(nodes.worlds[:, :3, :3])
        self._channels: dict[_Target, Json] = {}
        self.warnings: list[str] = []
        for channel in members(animation, "channels"):
            target = member(channel, "target")
            node = index(target.get("node"), len(nodes.names))
            path = text(target.get("path"))
            if node is not None and path in ("translation", "rotation"):
                self._channels.setdefault(_Target(node, path), channel)

    def bone(self, name: str, node: int) -> BoneTrack:
        """How a humanoid bone moves; places of other bones than the hips are no part of such an animation."""
        moves = None
        if name == "hips":
            given = self._read(node, "translation", 3)
            moves = self._moves(given, node) if given is not None else None
        given = self._read(node, "rotation", 4)
        return BoneTrack(name, moves, self._own_turns(given, node) if given is not None else None)

    def expression(self, name: str, node: int) -> MorphTrack | None:
        """The weight of an expression: the x of its node's place."""
        given = self._read(node, "translation", 3)
        return MorphTrack(name, _mapped(given, lambda rows: rows[:, :1].copy())) if given is not None else None

    def gaze(self, node: int) -> Channel | None:
        """The turn of the gaze; the draft of the format had a point instead, which is not read."""
        return self._read(node, "rotation", 4)

    def _moves(self, given: Channel, node: int) -> Channel:
        """Places of a node in its parent as moves in the model, away from where it rests."""
        parent = self._nodes.parents[node]
        above = self._nodes.worlds[parent] if parent is not None else np.eye(4)
        rest = self._nodes.worlds[node, :3, 3]
        linear, origin = above[:3, :3], above[:3, 3] - rest
        moved = _mapped(given, lambda rows: rows @ linear.T, lambda rows: rows @ linear.T + origin)
        largest = np.abs(moved.values).max(initial=0)
        return moved if largest <= _FARTHEST else _mapped(moved, lambda rows: rows.clip(-_FARTHEST, _FARTHEST))

    def _own_turns(self, given: Channel, node: int) -> Channel:
        """Rotations of a node in its parent as turns about the model's axes, away from how it rests."""
        parent = self._nodes.parents[node]
        above = self._turns[parent] if parent is not None else np.array(NO_TURN)
        back = undone(self._turns[node])
        return _mapped(given, lambda rows: products(products(above, rows), back))

    def _read(self, node: int, path: str, width: int) -> Channel | None:
        """The channel of a node's place or rotation; None where there is none, or none of use."""
        channel = self._channels.get(_Target(node, path))
        place = index(channel.get("sampler"), len(self._samplers)) if channel is not None else None
        if place is None:
            return None
        sampler = self._samplers[place]
        kind = text(sampler.get("interpolation")) or "LINEAR"
        parts = 3 if kind == "CUBICSPLINE" else 1
        count = self._accessors.count(sampler.get("input"))
        self._left -= count * parts
        if self._left < 0:
            raise MotionFormatError(
                f"The VRMA has more than {_MOST_KEYS} keys. Reduce it in an editor and export again."
            )
        if not count:
            return None
        times = self._accessors.floats(sampler.get("input"), (1,))[:, 0].astype(np.float64)
        rows = self._accessors.floats(sampler.get("output"), (width,), count * parts).astype(np.float64)
        return self._channel(times, rows.reshape(count, parts, width), kind, width == 4)

    def _channel(self, times: Doubles, rows: Doubles, kind: str, turns: bool) -> Channel | None:
        """(k,) times and (k, 1 or 3, w) values as a channel; of several keys at one time the last in the file counts."""
        kept = np.flatnonzero((times >= 0) & (times <= MAX_SECONDS))
        if len(kept) < len(times):
            astray = counted(len(times) - len(kept), "key")
            self.warnings.append(f"{astray} of a channel stand before 0 or after a whole day; they are left out.")
        if (np.diff(times[kept]) <= 0).any():
            self.warnings.append("Some keys are not in the order of time, as they should be; they are sorted.")
            kept = kept[np.argsort(times[kept], kind="stable")]
            kept = kept[np.append(np.diff(times[kept]) > 0, True)]
        if not len(kept):
            return None
        times, rows = times[kept], rows[kept]
        values = rows[:, rows.shape[1] // 2]
        if turns:
            values = units(values)
        if kind == "CUBICSPLINE":
            return Channel(times, values, Cubic(rows[:, 0], rows[:, 2]), turns)
        return Channel(times, values, Step() if kind == "STEP" else Even(), turns)


def _mapped(
    given: Channel, linear: Callable[[Doubles], Doubles], whole: Callable[[Doubles], Doubles] | None = None
) -> Channel:
    """The channel with other values: `linear` is done to all that changes, `whole` to values if it is not the same."""
    between = given.between
    if isinstance(between, Cubic):
        between = Cubic(linear(between.arriving), linear(between.leaving))
    return Channel(given.times, (whole or linear)(given.values), between, given.turns)


def _rotations(linear: Doubles) -> Doubles:
    """(n, 4) the turns of (n, 3, 3) matrices that scale as well; none of those that flatten everything."""
    lengths = np.linalg.norm(linear, axis=1, keepdims=True)
    straight = np.divide(linear, lengths, out=np.tile(np.eye(3), (len(linear), 1, 1)), where=lengths > _TINY)
    mirrored = np.linalg.det(straight) < 0
    straight[mirrored] *= -1
    return quaternions(straight) if len(straight) else np.zeros((0, 4))
