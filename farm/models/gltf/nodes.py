"""The hierarchy of a glTF file: where its nodes are at rest, and which of them a scene shows.

Source: glTF 2.0, section 3.5; KHR_node_visibility.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from farm.errors import ModelFormatError
from farm.models.description import Bone, BoneFlag
from farm.models.gltf.values import Json, entries, index, member, members, text, vector

_MAX_NODES = 2**14
_FARTHEST = 1e6
_FLAGS = BoneFlag.ROTATABLE | BoneFlag.MOVABLE | BoneFlag.VISIBLE | BoneFlag.ENABLED
_IDENTITY = tuple(np.eye(4).ravel().tolist())


@dataclass(frozen=True, slots=True)
class Nodes:
    """The n nodes of a file."""

    names: tuple[str, ...]
    """Empty where a node has none."""
    parents: tuple[int | None, ...]
    """Without cycles, whatever the file says."""
    worlds: NDArray[np.float64]
    """(n, 4, 4) for column vectors, from each node's space to the file's."""
    meshes: tuple[int | None, ...]
    skins: tuple[int | None, ...]
    shown: tuple[int, ...]
    """Those that the file's scene holds, in ascending order."""
    mended: bool
    """Whether the file's own hierarchy was none: a node below itself, or below two others."""

    def bones(self) -> tuple[Bone, ...]:
        """Every node as a bone."""
        places = self.worlds[:, :3, 3].tolist()
        return tuple(
            Bone(name, "", (x, y, z), parent, 0, _FLAGS)
            for name, parent, (x, y, z) in zip(self.names, self.parents, places, strict=True)
        )


def read_nodes(content: Json) -> Nodes:
    """Read the nodes, in whatever order the file has them. Raises ModelFormatError for a list beyond all measure."""
    nodes = members(content, "nodes")
    if len(nodes) > _MAX_NODES:
        raise ModelFormatError(f"The file has over {_MAX_NODES} nodes. Reduce it in an editor and export again.")
    parents, mended = _parents(nodes)
    worlds = _worlds(nodes, parents)
    return Nodes(
        names=tuple(text(node.get("name")) for node in nodes),
        parents=tuple(parents),
        worlds=worlds,
        meshes=tuple(index(node.get("mesh"), len(entries(content, "meshes"))) for node in nodes),
        skins=tuple(index(node.get("skin"), len(entries(content, "skins"))) for node in nodes),
        shown=_shown(content, parents, nodes),
        mended=mended,
    )


def _parents(nodes: list[Json]) -> tuple[list[int | None], bool]:
    """Each node's parent: the first that names it, unless it would stand below itself then."""
    parents: list[int | None] = [None] * len(nodes)
    mended = False
    for place, node in enumerate(nodes):
        for entry in entries(node, "children"):
            child = index(entry, len(nodes))
            if child is None or parents[child] is not None:
                mended = True
                continue
            parents[child] = place
    seen = [0] * len(nodes)  # the number of the walk that came by, so that each node is passed once
    for start in range(len(nodes)):
        walk: int | None = start
        while walk is not None and not seen[walk]:
            seen[walk] = start + 1
            above = parents[walk]
            if above is not None and seen[above] == start + 1:
                parents[walk], mended = None, True
                break
            walk = above
    return parents, mended


def _in_order(parents: list[int | None]) -> list[int]:
    """All nodes, parents before their children."""
    children: dict[int | None, list[int]] = {}
    for place, parent in enumerate(parents):
        children.setdefault(parent, []).append(place)
    order = list(children.get(None, []))
    for place in order:  # grows on the way
        order += children.get(place, [])
    return order


def _worlds(nodes: list[Json], parents: list[int | None]) -> NDArray[np.float64]:
    worlds = np.tile(np.eye(4), (len(nodes), 1, 1))
    for place in _in_order(parents):
        parent = parents[place]
        above = worlds[parent] if parent is not None else np.eye(4)
        world = above @ _local(nodes[place])
        worlds[place] = world if np.abs(world).max() <= _FARTHEST else above
    return worlds


def _local(node: Json) -> NDArray[np.float64]:
    if isinstance(node.get("matrix"), list):
        return np.array(vector(node["matrix"], _IDENTITY)).reshape(4, 4).T
    local = np.eye(4)
    x, y, z, w = vector(node.get("rotation"), (0.0, 0.0, 0.0, 1.0))
    length = x * x + y * y + z * z + w * w
    if length > 0:
        s = 2 / length
        local[:3, :3] = [
            [1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)],
            [s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)],
            [s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)],
        ]
    local[:3, :3] *= vector(node.get("scale"), (1.0, 1.0, 1.0))
    local[:3, 3] = vector(node.get("translation"), (0.0, 0.0, 0.0))
    return local


def _shown(content: Json, parents: list[int | None], nodes: list[Json]) -> tuple[int, ...]:
    """The nodes of the file's scene with all that is below them, but for what is switched off; all nodes in a file without a
    usable scene."""
    scenes = members(content, "scenes")
    chosen = index(content.get("scene", 0), len(scenes))
    roots = {index(entry, len(parents)) for entry in entries(scenes[chosen], "nodes")} if chosen is not None else set()
    shown: set[int | None] = roots - {None} or set(range(len(parents)))
    off: set[int | None] = set()
    for place in _in_order(parents):
        if parents[place] in shown:
            shown.add(place)
        if parents[place] in off or _switched_off(nodes[place]):
            off.add(place)
    return tuple(place for place in range(len(parents)) if place in shown and place not in off)


def _switched_off(node: Json) -> bool:
    return member(member(node, "extensions"), "KHR_node_visibility").get("visible") is False
