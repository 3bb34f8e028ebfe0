"""Traits: what an evidence says in numbers that mean the same for every character.

Characters differ in size, style and place of their features, so movements are given in units of the character's own: of
the way that its lid goes when it shuts, that its brows go, that its lips go. Places are given from its own eyes, brows
and mouth.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import log
from statistics import median

from farm.morphs.evidence import Evidence, MovedPoint, SideMovement
from farm.morphs.naming import Naming, Promise
from farm.morphs.vocabulary import Side

PARTS = ("eye", "eyebrow", "mouth")
_PAIRED = ("eye", "eyebrow")
TYPICAL_PLACES = {"eye": 0.45, "eyebrow": 0.545, "mouth": 0.26}
"""Head heights above the neck bone: medians of the 37 characters that the weights were fitted on."""
TYPICAL_TRAVELS = {"eye": 0.105, "eyebrow": 0.04, "mouth": 0.05}
"""Head heights, likewise: how far the quickest vertex goes up or down when the part does all it can."""
TYPICAL_ENERGY = 0.2
_FULL = {"eye": "eye/closed", "eyebrow": "eyebrow/raised", "mouth": "mouth/a"}
"""The semantic of each part that goes all the way."""
_ASIDE = 0.07
"""Head heights to the side: what moves at the mouth is nearer to the middle, and what moves at eyes and brows is not. Of all
characters at hand mouths are within 0.061, brows beyond 0.08, eyes beyond 0.1, over their morphs."""
_APART = 0.03
"""Head heights: of all these the eyes are higher than the mouth by 0.057 and more, the brows than the eyes by 0.032."""
_BELIEVED = 0.5
ONE_SIDED = 0.1
"""A morph whose lesser side has less than this share of the other's energy moves one side."""
SMILING = 0.04
"""Of its width: so much higher stands the middle of each lid of a smile. Of the characters that were looked at those of
smiles do by 0.055 and more; of a blink's two, one does by -0.019 at most."""
LEAST_PIXELS = 6
"""Pixels; fewer are no change that anybody sees."""


@dataclass(frozen=True, slots=True)
class Face:
    """Where a character's parts are, and how far they go. Both in head heights, by part."""

    places: Mapping[str, float]
    travels: Mapping[str, float]
    energies: Mapping[str, float]
    """The energy of one side when the part does what `travels` says."""


def sides(evidence: Evidence) -> tuple[SideMovement, ...]:
    """What moves, without the side that hardly does."""
    both = [side for side in (evidence.left, evidence.right) if side is not None and side.energy > 0]
    most = max((side.energy for side in both), default=0.0)
    return tuple(side for side in both if side.energy >= ONE_SIDED * most)


def moved_side(evidence: Evidence) -> Side | None:
    """The side that a morph moves; by pixels where no vertex moves (textures); None when nothing changes."""
    if moving := sides(evidence):
        if len(moving) == 2:
            return Side.BOTH
        return Side.LEFT if moving[0] is evidence.left else Side.RIGHT
    picture = evidence.picture
    if picture is None or picture.count < LEAST_PIXELS:
        return None
    # The character's left is on the picture's right.
    left, right = picture.picture_right, picture.picture_left
    if min(left, right) >= ONE_SIDED * max(left, right):
        return Side.BOTH
    return Side.LEFT if left > right else Side.RIGHT


def sides_at(part: str, evidence: Evidence, face: Face) -> tuple[SideMovement, ...]:
    """The sides that move at `part`, without the one that hardly does there: a morph may move one eye and the other brow, and
    more of the one than of the other. Where nothing moves nearest to the part, `sides`."""
    if part not in _PAIRED:
        return sides(evidence)
    near = [
        (side, side.energy * _share_at(_on(evidence.points, outward), part, face))
        for side, outward in ((evidence.left, 1.0), (evidence.right, -1.0))
        if side is not None
    ]
    most = max((energy for _, energy in near), default=0.0)
    return tuple(side for side, energy in near if energy >= ONE_SIDED * most) if most else sides(evidence)


def _share_at(points: Sequence[MovedPoint], part: str, face: Face) -> float:
    """The share of the squared movement that is at `part`: nearer to its height than to those of the others."""
    at, total = 0.0, 1e-9
    heights, own = [face.places[each] for each in PARTS], PARTS.index(part)
    for _, _, z, dx, dy, dz in points:
        square = dx * dx + dy * dy + dz * dz
        total += square
        distances = [abs(z - height) for height in heights]
        at += square * (distances.index(min(distances)) == own)
    return at / total


def side_at(part: str, evidence: Evidence, face: Face) -> Side | None:
    """The side that a morph moves at `part`; by pixels where no vertex moves; None when nothing changes."""
    moving = sides_at(part, evidence, face)
    return moved_side(evidence) if len(moving) != 1 else Side.LEFT if moving[0] is evidence.left else Side.RIGHT


def sides_apart(evidence: Evidence, parts: Collection[str], face: Face) -> dict[str, Side]:
    """Of `parts` those where another side moves than that of the whole morph, with it."""
    whole = moved_side(evidence)
    found = {part: side_at(part, evidence, face) for part in PARTS if part in parts and part in _PAIRED}
    return {part: side for part, side in found.items() if side is not None and side is not whole}


def smiles(evidence: Evidence) -> bool:
    """Whether what closes does so in a smile (^): on each side that moves, what comes down stands higher in its middle than
    at its ends, and so does what comes up. Of a blink's lids the lower one never does."""
    moving = sides(evidence)
    arches = [arch or 0.0 for side in moving for arch in (side.sunk_arch, side.risen_arch)]
    return bool(moving) and min(arches) > SMILING


def face_of(names: Sequence[Naming], evidence: Mapping[int, Evidence]) -> Face:
    """The face of a character, from those of its morphs whose name or panel says of which part they are.

    `names` are of all morphs, `evidence` by their index. Parts without morphs are where and as they usually are.
    """
    of_part: dict[str, list[tuple[bool, SideMovement]]] = {part: [] for part in PARTS}
    for index, measured in sorted(evidence.items()):
        part = names[index].part
        if part in PARTS:
            full = names[index].promises.get(_FULL[part]) is Promise.NAMED
            of_part[part] += [(full, side) for side in sides(measured)]
    for part, moving in of_part.items():
        # Names lie: what moves in the middle is no eye, whatever it is called.
        moving[:] = [(full, side) for full, side in moving if (abs(side.centre[0]) > _ASIDE) != (part == "mouth")]
    for part in _misplaced({part: [side.centre[2] for _, side in moving] for part, moving in of_part.items()}):
        of_part[part] = []  # as if it had no morphs: these are of something else
    places, travels, energies = {}, {}, {}
    for part, moving in of_part.items():
        ways = sorted(_way(side) for _, side in moving)
        far = ways[len(ways) * 9 // 10] if ways else TYPICAL_TRAVELS[part]
        # A name is believed to go all the way only where that is true: names may be shuffled.
        sure = [side for full, side in moving if full and _BELIEVED * far <= _way(side) <= far / _BELIEVED]
        shown = sure or [side for _, side in moving if _BELIEVED * far <= _way(side) <= far / _BELIEVED]
        if sure or moving:
            places[part] = median(side.centre[2] for side in sure or [side for _, side in moving])
        travels[part] = min(
            max(median(map(_way, shown)) if shown else far, TYPICAL_TRAVELS[part] / 4), TYPICAL_TRAVELS[part] * 2
        )
        energies[part] = median(side.energy for side in shown) if shown else TYPICAL_ENERGY
    middle = median(places[part] - TYPICAL_PLACES[part] for part in places) if places else 0.0
    return Face({part: places.get(part, TYPICAL_PLACES[part] + middle) for part in PARTS}, travels, energies)


def _misplaced(heights: Mapping[str, Sequence[float]]) -> set[str]:
    """The parts whose morphs cannot be of them, by how high these are: a mouth is below eyes, and eyes are below brows. Of
    two that contradict each other the one with fewer morphs; where all names of a part lie, others tell."""
    wrong: set[str] = set()
    for upper, lower in (("eye", "mouth"), ("eyebrow", "eye"), ("eyebrow", "mouth")):
        if wrong & {upper, lower} or not (heights[upper] and heights[lower]):
            continue
        if median(heights[upper]) - median(heights[lower]) < _APART:
            fewest = min(len(heights[upper]), len(heights[lower]))
            wrong |= {part for part in (upper, lower) if len(heights[part]) == fewest}
    return wrong


def _way(side: SideMovement) -> float:
    return max(-side.up_min, side.up_max)


def traits(part: str, evidence: Evidence, face: Face) -> dict[str, float]:
    """What `evidence` says as a morph of `part`: trait to number, the mean of the sides that move. Empty when none does."""
    found = traits_by_side(part, evidence, face)
    return {name: sum(each[name] for each in found) / len(found) for name in found[0]} if found else {}


def traits_by_side(part: str, evidence: Evidence, face: Face) -> list[dict[str, float]]:
    """The traits of each side that moves at `part`."""
    moving = sides_at(part, evidence, face)
    return [
        _OF[part](side, outward, _not_of_the_mouth(part, _on(evidence.points, outward), face), face)
        for side, outward in ((evidence.left, 1.0), (evidence.right, -1.0))
        if side is not None and any(side is each for each in moving)
    ]


def _not_of_the_mouth(part: str, points: list[MovedPoint], face: Face) -> list[MovedPoint]:
    """Of a smirk that goes with a raised brow the points say nothing of the brow. All where none is left."""
    middle = (face.places["eye"] + face.places["mouth"]) / 2
    return [point for point in points if part == "mouth" or point[2] > middle] or points


def _on(points: tuple[MovedPoint, ...], outward: float) -> list[MovedPoint]:
    return [point for point in points if point[0] * outward > 0]


def _clip(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)


def _place(side: SideMovement, part: str, face: Face) -> float:
    unit = max(abs(face.places["eye"] - face.places["mouth"]), 0.05)
    return _clip((side.centre[2] - face.places[part]) / unit, -1.5, 1.5)


def share_near(part: str, evidence: Evidence, face: Face, reach: float) -> float:
    """The share of the squared movement, of the recorded points, that is no higher or lower beside `part` than `reach` of the
    way from mouth to eyes."""
    reach *= max(abs(face.places["eye"] - face.places["mouth"]), 0.05)
    squares = [(z, dx * dx + dy * dy + dz * dz) for _, _, z, dx, dy, dz in evidence.points]
    near = sum(square for z, square in squares if abs(z - face.places[part]) <= reach)
    return near / max(sum(square for _, square in squares), 1e-9)


def _power(side: SideMovement, part: str, face: Face) -> float:
    return _clip(log((side.energy + 1e-6) / (face.energies[part] + 1e-6)), -6.0, 3.0)


def _eye(side: SideMovement, outward: float, points: list[MovedPoint], face: Face) -> dict[str, float]:
    way = face.travels["eye"]
    return {
        "place": _place(side, "eye", face),
        "closing": _clip(-side.up_min / way, -0.3, 1.5),
        "opening": _clip(side.up_max / way, -0.3, 1.5),
        "lift": _clip(side.move[2] / way, -1.0, 1.0),
        "depth": _clip(abs(side.move[1]) / way, 0.0, 1.0),
        "upper": _clip(_upper(points) / way, -1.5, 1.0),
        "power": _power(side, "eye", face),
        "arch": _arch(points),
    }


def _eyebrow(side: SideMovement, outward: float, points: list[MovedPoint], face: Face) -> dict[str, float]:
    way = face.travels["eyebrow"]
    return {
        "place": _place(side, "eyebrow", face),
        "lift": _clip(side.move[2] / way, -2.0, 2.0),
        "tilt": _clip(_tilt(points) / way, -3.0, 3.0),
        "highest": _clip(side.up_max / way, -1.5, 2.0),
        "lowest": _clip(side.up_min / way, -2.0, 1.5),
        "aside": _clip(side.move[0] * outward / way, -2.0, 2.0),
        "power": _power(side, "eyebrow", face),
    }


def _mouth(side: SideMovement, outward: float, points: list[MovedPoint], face: Face) -> dict[str, float]:
    way = face.travels["mouth"]
    return {
        "place": _place(side, "mouth", face),
        "apart": _clip((side.up_max - side.up_min) / way, 0.0, 3.0),
        "drop": _clip(-side.up_min / way, -0.5, 2.5),
        "widening": _clip(_widening(points) / way, -2.0, 2.0),
        "spread": _clip(side.move[0] * outward / way, -1.0, 1.0),
        "forward": _clip(-side.move[1] / way, -1.5, 1.5),
        "power": _power(side, "mouth", face),
    }


_OF = {"eye": _eye, "eyebrow": _eyebrow, "mouth": _mouth}


def _arch(points: list[MovedPoint]) -> float:
    """How much higher the closed lash is in its middle than at its ends, by its width: over 0 it is a smile (^)."""
    deepest, highest = (
        min((point[5] for point in points), default=0.0),
        max((point[5] for point in points), default=0.0),
    )
    if -deepest < highest:
        return 0.0  # more rises than sinks: nothing closes, and what sinks is no lash
    lash = [(x + dx, z + dz) for x, _, z, dx, _, dz in points if dz < 0.4 * deepest]
    if len(lash) < 5:
        return 0.0
    left, right = min(x for x, _ in lash), max(x for x, _ in lash)
    width = right - left
    if width < 0.02:
        return 0.0
    # Means by thirds stand for a parabola, and are not led by one stray vertex as a fit is.
    thirds: list[list[float]] = [[], [], []]
    for x, z in lash:
        thirds[min(int((x - left) / width * 3), 2)].append(z)
    if not all(thirds):
        return 0.0
    inner, middle, outer = (sum(third) / len(third) for third in thirds)
    return _clip((middle - (inner + outer) / 2) / width, -0.3, 0.3)


def _upper(points: list[MovedPoint]) -> float:
    """How the upper half of the moved points goes, on average: a lid that opens rises, an iris that shrinks sinks there."""
    if not points:
        return 0.0
    heights = sorted(point[2] for point in points)
    middle = (heights[0] + heights[-1]) / 2
    rises = [point[5] for point in points if point[2] >= middle]
    return sum(rises) / len(rises)


def _tilt(points: list[MovedPoint]) -> float:
    """How much more the outer end rises than the inner one: a line through the rises, over the width."""
    if len(points) < 3:
        return 0.0
    across = [abs(point[0]) for point in points]
    rises = [point[5] for point in points]
    middle, level = sum(across) / len(points), sum(rises) / len(points)
    scatter = sum((x - middle) ** 2 for x in across)
    if scatter < 1e-8:
        return 0.0
    slope = sum((x - middle) * (rise - level) for x, rise in zip(across, rises, strict=True)) / scatter
    return slope * (max(across) - min(across))


def _widening(points: list[MovedPoint]) -> float:
    """How far the corner goes outwards: the mean of the outer third of the points."""
    if not points:
        return 0.0
    outermost = sorted(points, key=lambda point: -abs(point[0]))[: max(1, len(points) // 3)]
    return sum(point[3] * (1 if point[0] > 0 else -1) for point in outermost) / len(outermost)


TRAITS = {
    "eye": ("place", "closing", "opening", "lift", "depth", "upper", "power", "arch"),
    "eyebrow": ("place", "lift", "tilt", "highest", "lowest", "aside", "power"),
    "mouth": ("place", "apart", "drop", "widening", "spread", "forward", "power"),
}
