"""Measures what every source morph of a character does to its face: the geometric evidence of an annotation.

Morphs are taken apart and bones posed by what draws them (`farm.models.posing`), so that the measures are those of the
picture. Only vertices of triangles about the face count: what a morph does to the body, to hair behind it, or to vertices
that no triangle shows, is not measured. Whether something that counts is hidden behind hair, is not known here. Of a head
that is rolled or turned at rest the axes are its own (`farm.models.posing.bearing`).
"""

import numpy as np
from numpy.typing import NDArray

from farm.models.description import BoneMorph, Character, Expression, GroupMorph, MaterialMorph, UVMorph
from farm.models.posing.armature import Armature
from farm.models.posing.bearing import bearing_of
from farm.models.posing.head import head_height
from farm.models.posing.morphs import Morph, ShapeEffect, combine
from farm.models.posing.skeleton import Skeleton, Skin
from farm.models.posing.taking import MOST_STEPS, Taker, summed
from farm.models.posing.turns import NO_TURN
from farm.models.skeleton import turning_bones
from farm.morphs.evidence import LEAST_MOVEMENT, MAX_POINTS, Evidence, SideMovement, Vector

_MIDDLE, _REACH, _DEPTH = 0.4, 0.5, (-0.8, 0.15)
"""Head heights from the neck bone: the face is what is within the reach of its middle, seen from the front, and between
these depths. In 706 morphs of the hand annotation that play a target, all but one in a hundred stay within 0.36 to the side
of the neck, 0.45 before it, 0.11 behind, 0.07 below and 0.67 above; cats' ears begin at 0.25 to the side and 0.87 above."""
_MOST_MORPHS = 10_000
"""What a hostile file has beyond is not measured: the names decide."""
_FAR = 1000.0
"""Head heights; a file may say more."""
_NARROW = 1e-4
"""Head heights; what has no width has no slope."""
_LID = 0.01
"""Head heights; where nothing sinks so far, and nothing rises so far, no two lids meet."""
_OF_LID = 0.4
"""Of the farthest: what sinks or rises by so much is lid or lash."""
_FEWEST, _WIDE = 5, 0.02
"""Vertices, and head heights from one end to the other: what is less has no curve."""
_DECIMALS = 4

type Array = NDArray[np.float64]


def measure(character: Character) -> dict[int, Evidence]:
    """The evidence of the morphs that can move a vertex, by index: shapes, bones, groups and flips of such, expressions.

    Left out are those that change colours or textures and move nothing, and what is too much to measure. Any other that
    moves nothing of the face has evidence without sides. Raises NoNeckBoneError.
    """
    with np.errstate(all="ignore"):  # a file may hold any numbers
        return _measured(character)


def _measured(character: Character) -> dict[int, Evidence]:
    face = _Face(character)
    if face.height <= 0:
        return {}
    found: dict[int, Evidence] = {}
    taker = Taker(character, face.world)
    posed = 0
    for index in range(len(character.morphs)):
        morph = taker.morph(index)
        effects = list(morph.at(1.0))
        if not effects:
            continue
        if any(not isinstance(effect, ShapeEffect) for effect, _ in effects):
            posed += len(character.positions)
        if taker.steps + posed > MOST_STEPS or len(found) == _MOST_MORPHS:
            break
        places, moves = face.moved_by(morph)
        if len(moves) or not _paints(character, index):
            found[index] = _evidence(places, moves)
    return found


def _paints(character: Character, index: int) -> bool:
    """Whether a morph changes colours or textures besides what it moves."""
    match character.morphs[index]:
        case Expression() as expression:
            return bool(expression.colours or expression.transforms)
        case GroupMorph(morphs=children):
            return any(isinstance(character.morphs[child], UVMorph | MaterialMorph) for child in children.tolist())
        case _:
            return False


class _Face:
    """A character at rest, to be moved."""

    def __init__(self, character: Character) -> None:
        neck, head, _ = turning_bones(character)
        self.world = np.array(character.axes.to_world, np.float32)
        self._rest = character.positions @ self.world.T
        self._armature = Armature(character, neck, self.world)
        self.height = head_height(character, self._armature, neck, head, self._rest)
        self._neck = np.array(self._armature.place_of(neck), np.float32)
        self._bearing = bearing_of(self._armature, neck, head, self.height) if self.height > 0 else None
        drawn = np.zeros(len(self._rest), bool)
        for material in character.materials:
            drawn[character.triangles_of(material)] = True
        if self.height > 0:
            places = (self._rest - self._neck) / np.float32(self.height)
            across, back, up = (self._bearing.places(places) if self._bearing is not None else places).T
            drawn &= (across**2 + (up - _MIDDLE) ** 2 < _REACH**2) & (_DEPTH[0] < back) & (back < _DEPTH[1])
        self._counts = drawn
        self._bones = {bone for m in character.morphs if isinstance(m, BoneMorph) for bone in m.bones.tolist()}
        self._frame: tuple[Skeleton, Skin] | None = None

    def moved_by(self, morph: Morph) -> tuple[Array, Array]:
        """Where the vertices that `morph` moves at weight 1 rest, and how they move: (k, 3) each, in head heights and in the
        head's axes."""
        combined = combine(morph.at(1.0))
        if combined.bones:
            moved = self._rest.copy()
            for shape, strength in combined.shapes:
                moved[shape.vertices] += shape.offsets * np.float32(strength)
            if self._frame is None:
                self._frame = self._armature.bind(self._bones, self._rest)
            skeleton, skin = self._frame
            skin.take(moved, skeleton.pose(combined.bones, NO_TURN))
            vertices = np.flatnonzero(self._counts).astype(np.int32)
            moves = moved[vertices] - self._rest[vertices]
        else:
            vertices, moves = summed([(shape.vertices, shape.offsets * np.float32(s)) for shape, s in combined.shapes])
            counts = self._counts[vertices]
            vertices, moves = vertices[counts], moves[counts]
        moves = np.nan_to_num(moves.astype(np.float64) / self.height).clip(-_FAR, _FAR)
        far = (moves**2).sum(axis=1) > LEAST_MOVEMENT**2
        places, moves = (self._rest[vertices[far]].astype(np.float64) - self._neck) / self.height, moves[far]
        if self._bearing is not None:
            return self._bearing.places(places), self._bearing.ways(moves)
        return places, moves


def _evidence(places: Array, moves: Array) -> Evidence:
    """`places` and `moves` are (k, 3), in head heights from the neck bone. What stands in the middle is on both sides."""
    distances = np.linalg.norm(moves, axis=1)
    order = np.argsort(-distances, kind="stable")
    ranks = np.linspace(0, len(order) - 1, min(MAX_POINTS, len(order))).round().astype(np.int64)
    points = np.concatenate([places, moves], axis=1)[order[ranks]].round(_DECIMALS) + 0.0  # no -0
    return Evidence(
        left=_side(places, moves, distances, places[:, 0] >= 0),
        right=_side(places, moves, distances, places[:, 0] <= 0),
        points=tuple(map(tuple, points.tolist())),
    )


def _side(places: Array, moves: Array, distances: Array, chosen: NDArray[np.bool_]) -> SideMovement | None:
    if not chosen.any():
        return None
    places, moves, distances = places[chosen], moves[chosen], distances[chosen]
    up = moves[:, 2]
    outwards = np.abs(places[:, 0])
    spread = outwards - outwards.mean()
    # The slope of the line of least squares, times how far it reaches.
    rise = (spread * up).sum() / (spread**2).sum() * np.ptp(outwards) if np.ptp(outwards) > _NARROW else 0.0
    sunk, risen = _arches(places, moves, distances)
    return SideMovement(
        vertices=len(places),
        energy=_rounded((distances**2).sum()),
        centre=_vector((places * distances[:, None]).sum(axis=0) / distances.sum()),
        move=_vector((moves * distances[:, None]).sum(axis=0) / distances.sum()),
        up_min=_rounded(up.min()),
        up_max=_rounded(up.max()),
        outer_minus_inner=_rounded(rise),
        sunk_arch=sunk,
        risen_arch=risen,
    )


def _arches(places: Array, moves: Array, distances: Array) -> tuple[float | None, float | None]:
    """How what sinks and what rises is curved at weight 1; None of both where not both are there."""
    up = moves[:, 2]
    if up.min() > -_LID or up.max() < _LID:
        return None, None
    lids = up < _OF_LID * up.min(), up > _OF_LID * up.max()
    sunk, risen = (_arch(places[lid, 0], places[lid, 2] + up[lid], distances[lid]) for lid in lids)
    return sunk, risen


def _arch(across: Array, height: Array, distances: Array) -> float | None:
    """How much higher the middle of a lid comes to stand than its ends, by its width: of the parabola of least squares, in
    which what moves farther counts more. `across` is where it rests."""
    width = np.ptp(across)
    if len(across) < _FEWEST or width < _WIDE:
        return None
    x = (across - across.min()) / width * 2 - 1
    powers = np.stack([np.ones_like(x), x, x * x], axis=1)
    curve, _, rank, _ = np.linalg.lstsq(powers * distances[:, None], height * distances, rcond=1e-6)
    return _rounded(-curve[2] / width) if rank == len(curve) else None


def _rounded(value: float) -> float:
    return round(float(value), _DECIMALS) + 0.0  # no -0


def _vector(values: Array) -> Vector:
    x, y, z = map(_rounded, values.tolist())
    return x, y, z
