"""Finds which part of the character every triangle belongs to, once for each model, at rest.

The unit is the piece: triangles of one material that hang together (vertices at one place are one), apart from what turns
with the neck and what does not. A piece's part is decided by the first rule that speaks, and `Pieces.rules` reports it:

- "brow": a small piece on the head that the eyebrow targets move as a whole, whatever its material is called: brows are
  often in the hair's material.
- "name": the material's name says exactly what it is (`part_names`). Clothes on the head are accessories.
- "bones": the bones that hold the piece say it: eyes, brows, tongue, hair, ornaments.
- "morphs": a small piece on the head that the annotated eye or mouth targets move as a whole; above an eye and moved by
  the expressions of the face, it is a brow.
- "eye": a small piece about the middle of an eye: the white that no morph moves.
- "face": what rays from the front meet first between the eyes and the mouth.
- "place": for the rest of the head. What lies on the face belongs to it (blushes), what lies inside it behind the mouth is
  mouth; what covers the back of the skull is hair; what has the face's colour is face (ears); of the rest, what is small is
  an accessory, unless its material is hair for the most part.
- "body": what does not turn with the neck.

Then single triangles leave their piece: those of skin that the neck bone holds are neck, and the lips and the inside of a
mouth that is one piece with the face are mouth (`lips`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_worker.anatomy.figure import STIRS, Figure
from blender_worker.anatomy.neck import held_by_neck, split_neck
from blender_worker.anatomy.part_names import Hint, hint_of
from blender_worker.anatomy.rays import Floats, Mask
from blender_worker.character.actor import Actor, BoneInfo
from farm.labels import MOUTH, Part

_ON_HEAD = 0.5
"""Mean share of the neck's rotation."""
_RIGID = 0.9
"""A vertex with less of it is stretched between head and body."""
_SMALL = 0.42
"""Head heights; the largest eye, brow or mouth."""
_LOW = 0.2
"""Head heights; the highest brow."""
_BROAD = 0.75
"""Head heights; the width of both brows in one piece."""
_WINDOW = (np.linspace(-0.16, 0.16, 9), np.linspace(0.24, 0.56, 9))
"""Where faces are, for a model of which nothing else is known: x and z."""
_LARGE = 0.2
_ON_FACE = 0.06
_NEAR_EYE = 0.05
_JUST_BEFORE = 0.02
"""Head heights; what lies further in front of an eye hangs over it."""
_SAMPLES = 64
"""Points of a piece that are looked at."""
_SAME_COLOUR = 0.12
"""Distance of linear colours in [0, 1]."""
_NAMED = {
    Hint.HAIR: Part.HAIR,
    Hint.EYE: Part.EYE_LEFT,
    Hint.BROW: Part.EYEBROW_LEFT,
    Hint.LIPS: Part.LIPS,
    Hint.MOUTH: Part.MOUTH_INSIDE,
    Hint.ACCESSORY: Part.ACCESSORIES,
    Hint.LID: Part.FACE,
    Hint.CLOTHES: Part.BODY,
    Hint.NECK: Part.NECK,
}
_OF_HEAD = {Hint.EYE, Hint.BROW, Hint.LIPS, Hint.MOUTH, Hint.LID}
"""Names that count only on the head."""
_ROLES = {"leftEye": Hint.EYE, "rightEye": Hint.EYE, "neck": Hint.NECK, "head": Hint.FACE}


def _bone_hint(bone: BoneInfo) -> Hint | None:
    return _ROLES.get(bone.role) or hint_of(bone.name)


class Pieces:
    """The pieces of a figure and what is known of each; arrays are (k,), one entry for a piece."""

    def __init__(self, actor: Actor, figure: Figure) -> None:
        self.actor = actor
        self.figure = figure
        turning = figure.turns[figure.triangles].mean(axis=1) > _ON_HEAD
        _, self.of_triangle = np.unique(figure.components * 2 + turning, return_inverse=True)
        self.count = int(self.of_triangle.max()) + 1
        self.triangles = np.bincount(self.of_triangle, minlength=self.count)
        # Every vertex of a piece once, one after another by piece.
        pairs = np.unique(np.repeat(self.of_triangle, 3) * len(figure.points) + figure.triangles.ravel())
        self._piece, self._vertex = np.divmod(pairs, len(figure.points))
        self._starts = np.searchsorted(self._piece, np.arange(self.count))
        points = figure.points[self._vertex]
        self.low, self.high = np.minimum.reduceat(points, self._starts), np.maximum.reduceat(points, self._starts)
        self.size, self.centre = self.high - self.low, (self.high + self.low) / 2
        self.turns = self.share(figure.turns)
        self.surface = np.zeros(self.count, np.int64)
        self.surface[self.of_triangle] = figure.surface
        self.head = np.zeros(self.count, bool)
        self.head[self.of_triangle] = turning
        hints = [hint_of(surface.name) for surface in actor.surfaces]
        self.hint = [hints[surface] for surface in self.surface]
        self._held_by_neck = held_by_neck(actor, figure)
        self._bone_hints = [_bone_hint(bone) for bone in actor.bones] + [None]
        self.part = np.zeros(self.count, np.uint8)
        self.rule = np.full(self.count, "", dtype=object)

    def share(self, values: NDArray[Any]) -> Floats:
        """(k,) the mean over each piece's vertices of (n,) `values` of all vertices: of a mask, the share."""
        total = np.bincount(self._piece, values[self._vertex].astype(np.float64), minlength=self.count)
        return total / np.maximum(np.bincount(self._piece, minlength=self.count), 1)

    def _held(self, *hints: Hint) -> Floats:
        """The share of each piece's vertices that bones of such names hold."""
        wanted = np.array([hint in hints for hint in self._bone_hints])
        known = np.where((self.figure.bones >= 0) & (self.figure.bones < len(wanted) - 1), self.figure.bones, -1)
        return self.share(wanted[known])

    def _hinted(self, *hints: Hint | None) -> Mask:
        return np.array([hint in hints for hint in self.hint], bool)

    @property
    def open(self) -> Mask:
        """The pieces that no rule has spoken for."""
        return np.asarray(self.part == Part.BACKGROUND)

    def _set(self, chosen: Mask, part: Part, rule: str) -> None:
        chosen = chosen & self.open
        self.part[chosen] = part
        self.rule[chosen] = rule

    def put(self, chosen: Mask, part: Part, rule: str) -> None:
        """Decide the pieces `chosen` (k,) anew."""
        self.part[chosen] = part
        self.rule[chosen] = rule

    def decide(self) -> None:
        """Find every piece's part; eyes and brows are all of the left until `triangle_parts`."""
        small = self.head & (self.size.max(axis=1) < _SMALL)
        figure = self.figure
        stir = {
            kind: figure.effect(target for target in figure.targets if target.startswith(kind))
            for kind in ("eye/", "eyebrow/", "mouth/", "face/")
        }
        whole = {kind: self.share(far > STIRS) for kind, far in stir.items()}
        mean = {kind: self.share(far) for kind, far in stir.items()}
        low = self.head & (self.size[:, 2] < _LOW) & (self.size[:, 0] < _BROAD) & (self.size[:, 1] < _SMALL)
        others = np.maximum(mean["eye/"], mean["mouth/"])
        brows = low & (whole["eyebrow/"] > 0.9) & (mean["eyebrow/"] > others)
        self._set(brows & ~self._hinted(Hint.LIPS, Hint.MOUTH, Hint.ACCESSORY, Hint.LID), Part.EYEBROW_LEFT, "brow")
        eyes = (self._held(Hint.EYE) > 0.9) | ((whole["eye/"] > 0.9) & (mean["eye/"] > mean["mouth/"]))
        # Eyes can be in the hair's material, when a model has one texture for all that has no skin's colour.
        named_hair = small & self._hinted(Hint.HAIR)
        self._set(named_hair & eyes, Part.EYE_LEFT, "morphs")
        eyes = self.part == Part.EYE_LEFT
        if eyes.any():
            behind = self.low[:, 1] > self.low[eyes, 1].min() - _JUST_BEFORE
            self._set(named_hair & behind & self._about_an_eye(), Part.EYE_LEFT, "eye")
        self._by_name()
        self._by_bones(small)
        self._by_morphs(small & self.open, whole, mean)
        self._set(small & self._about_an_eye(), Part.EYE_LEFT, "eye")
        self._by_face()
        self._set(self.head & (self._held(Hint.HAIR) > 0.3), Part.HAIR, "bones")
        self._by_place(small)
        self._set(self.open & self.head, Part.HAIR, "place")
        self._set(self.open, Part.BODY, "body")

    def _by_name(self) -> None:
        ornaments = self._held(Hint.ACCESSORY) > 0.5
        self._set(self._hinted(Hint.HAIR) & ornaments, Part.ACCESSORIES, "bones")
        worn = self._hinted(Hint.CLOTHES) & self.head & (self.turns > 0.95) & (self.centre[:, 2] > 0.2)
        self._set(worn, Part.ACCESSORIES, "name")
        self._set(self._hinted(Hint.NECK) & (self.turns < 0.2), Part.BODY, "name")
        huge = self.size.max(axis=1) > 1.0
        for hint, part in _NAMED.items():
            counts = self.head & ~huge if hint in _OF_HEAD else np.ones(self.count, bool)
            self._set(self._hinted(hint) & counts, part, "name")

    def _by_bones(self, small: Mask) -> None:
        self._set(small & (self._held(Hint.EYE) > 0.3), Part.EYE_LEFT, "bones")
        self._set(self._held(Hint.ACCESSORY) > 0.5, Part.ACCESSORIES, "bones")
        self._set(small & (self._held(Hint.BROW) > 0.5), Part.EYEBROW_LEFT, "bones")
        self._set(small & (self._held(Hint.LIPS, Hint.MOUTH) > 0.5), Part.MOUTH_INSIDE, "bones")

    def _by_morphs(self, small: Mask, whole: dict[str, Floats], mean: dict[str, Floats]) -> None:
        eyes = small & (whole["eye/"] > 0.6) & (mean["eye/"] > np.maximum(mean["mouth/"], mean["eyebrow/"]))
        self._set(eyes, Part.EYE_LEFT, "morphs")
        self._set(small & (whole["mouth/"] > 0.9) & (mean["mouth/"] > mean["eye/"]), Part.MOUTH_INSIDE, "morphs")
        eyes = self.part == Part.EYE_LEFT
        if eyes.any():
            # Far from the middle of the eyes, so that a blush under them is no brow.
            above = self.low[:, 2] > np.average(self.centre[eyes, 2], weights=self.triangles[eyes]) + 0.04
            thin = self.size[:, 2] < _LOW / 2
            self._set(small & above & thin & (whole["face/"] > 0.9), Part.EYEBROW_LEFT, "morphs")

    def _by_face(self) -> None:
        """The face is what the most rays meet first between eyes and mouth, and what a good share of them meets."""
        known = [self.part == Part.EYE_LEFT, np.isin(self.part, MOUTH)]
        across, up = _WINDOW
        if all(chosen.any() for chosen in known):
            eyes, mouth = (np.average(self.centre[chosen], axis=0, weights=self.triangles[chosen]) for chosen in known)
            if eyes[2] > mouth[2]:
                up = np.linspace(mouth[2], eyes[2], 9)
        places = np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)
        candidates = self.open & self.head & (self._held(Hint.HAIR) < 0.6)
        figure = self.figure
        met = figure.cast(places, candidates[self.of_triangle] & figure.shown).triangle
        hits = np.bincount(self.of_triangle[met[met >= 0]], minlength=self.count)
        if not hits.any():
            hits = np.where(candidates, self.triangles, 0)
        if hits.any():
            chosen = (hits == hits.max()) | ((hits > 0.15 * hits.sum()) & self._hinted(Hint.FACE, None))
            self._set(chosen & candidates, Part.FACE, "face")

    def _by_place(self, small: Mask) -> None:
        figure = self.figure
        face = self.rule == "face"
        if not face.any():
            return
        own = face[self._piece] & (~self._held_by_neck & (figure.turns > _RIGID))[self._vertex]
        points = figure.points[self._vertex[own if own.any() else face[self._piece]]]
        low, high = points.min(axis=0), points.max(axis=0)
        surface = figure.cast(self.centre[:, [0, 2]], face[self.of_triangle]).depth
        behind = self.centre[:, 1] - surface
        held = self.head & (self._held(Hint.NECK) > 0.3)
        self._set(held & (self.centre[:, 2] < low[2]), Part.NECK, "place")
        # A neck that goes on up into the head stands about its bone, which strands at the nape do not.
        stands = (np.abs(self.centre[:, 0]) < 0.05) & (self.size[:, 0] > 0.15) & (self.low[:, 2] < 0.08)
        self._set(held & stands, Part.NECK, "place")
        mouths = np.isin(self.part, MOUTH)
        if mouths.any():
            mouth = self.centre[mouths].mean(axis=0)
            near = np.linalg.norm((self.centre - mouth)[:, [0, 2]], axis=1) < 0.12
            self._set(small & near & (behind > 0.02) & (behind < 0.2), Part.MOUTH_INSIDE, "place")
        self._set(small & (np.abs(behind) < _ON_FACE), Part.FACE, "place")
        self._set(small & self._hinted(Hint.FACE) & (behind > 0) & (self.high <= high).all(axis=1), Part.FACE, "place")
        self._set(self.head & ~small & self._skims(face), Part.FACE, "place")
        self._set(self.head & (self.high[:, 2] < low[2] + 0.05), Part.BODY, "place")
        middle = (low + high) / 2
        covers = self.head & (self.size.max(axis=1) > 2 * _LARGE) & (self.high[:, 1] > middle[1] + 0.2)
        self._set(covers & (self.high[:, 2] > middle[2]), Part.HAIR, "place")
        self._set(self.head & self._coloured_like(face), Part.FACE, "place")
        self._set(self.head & ~small & (self.high[:, 2] > middle[2]), Part.HAIR, "place")
        self._set(self.head & (self.size.max(axis=1) > _LARGE), Part.HAIR, "place")
        # What is left is small: with hair it is a strand, elsewhere it is worn.
        on_head = np.where(self.head, self.triangles, 0)
        hair = np.bincount(self.surface, on_head * (self.part == Part.HAIR), minlength=len(self.actor.surfaces))
        total = np.bincount(self.surface, on_head, minlength=len(self.actor.surfaces))
        self._set(self.head & (hair > 0.7 * total)[self.surface], Part.HAIR, "place")
        self._set(self.head, Part.ACCESSORIES, "place")

    def _about_an_eye(self) -> Mask:
        """Whether the middle of a piece is the middle of an eye: the white of an eye that no morph moves."""
        result = np.zeros(self.count, bool)
        for sign in (1, -1):
            eye = (self.part == Part.EYE_LEFT) & (self.centre[:, 0] * sign > 0)
            if eye.any():
                middle = np.average(self.centre[eye], axis=0, weights=self.triangles[eye])
                result |= np.linalg.norm((self.centre - middle)[:, [0, 2]], axis=1) < _NEAR_EYE
        return result

    def _skims(self, face: Mask) -> Mask:
        """Whether most of a piece lies just on the front of the face: a mask of blush or pallor."""
        counts = np.bincount(self._piece, minlength=self.count)
        number = np.arange(len(self._piece)) - self._starts[self._piece]
        sampled = number % (1 + counts // _SAMPLES)[self._piece] == 0
        sampled &= (self.open & self.head)[self._piece]
        points, piece = self.figure.points[self._vertex[sampled]], self._piece[sampled]
        depth = self.figure.cast(points[:, [0, 2]], face[self.of_triangle]).depth
        on_it = np.abs(points[:, 1] - depth) < _ON_FACE / 2
        total = np.bincount(piece, minlength=self.count)
        # Some of it hangs over the edge of the face, where hair begins.
        return np.asarray(np.bincount(piece, on_it, minlength=self.count) > 0.7 * np.maximum(total, 1))

    def _coloured_like(self, face: Mask) -> Mask:
        """Whether a piece has the colour of the front of the face; unknown, so False, without textures."""
        front = face[self.of_triangle] & self.figure.shown
        if not front.any():
            return np.zeros(self.count, bool)
        front &= self.figure.centres[:, 1] <= np.median(self.figure.centres[front, 1])
        colours = self._colours(front | (self.open & self.head)[self.of_triangle])
        own = np.median(colours[front], axis=0)
        total = [np.bincount(self.of_triangle, colours[:, i], minlength=self.count) for i in range(3)]
        means = np.column_stack(total) / self.triangles[:, None]
        return np.asarray(np.linalg.norm(means - own, axis=1) < _SAME_COLOUR)

    def _colours(self, triangles: Mask) -> Floats:
        """(m, 3) colours in [0, 1] of the chosen triangles' middles; NaN for others and where there is no texture."""
        figure = self.figure
        colours = np.full((len(triangles), 3), np.nan)
        for surface in np.unique(figure.surface[triangles]):
            rows = np.flatnonzero(triangles & (figure.surface == surface))
            texels = figure.texels(int(surface), figure.uvs[figure.triangles[rows]].mean(axis=1))
            if texels is not None:
                colours[rows] = texels[:, :3] / 255.0
        return colours

    def triangle_parts(self) -> NDArray[np.uint8]:
        """(m,) the part of every triangle of the figure, where lips that are one piece with the face are face still."""
        parts = self.part[self.of_triangle]
        skin = self.rule != "name"
        skin |= self._hinted(Hint.SKIN, Hint.FACE, None)
        split_neck(self.figure, self._held_by_neck, parts, skin[self.of_triangle])
        right = self._is_right()
        parts[(parts == Part.EYE_LEFT) & right] = Part.EYE_RIGHT
        parts[(parts == Part.EYEBROW_LEFT) & right] = Part.EYEBROW_RIGHT
        return parts

    def decided_by(self, rule: str) -> Mask:
        """(m,) whether `rule` decided the piece of a triangle."""
        return np.asarray((self.rule == rule)[self.of_triangle])

    def _is_right(self) -> Mask:
        """(m,) whether a triangle of eyes or brows is the right one's: by its piece, or by itself in a piece of both."""
        one_sided = np.abs(self.centre[:, 0]) > 0.25 * self.size[:, 0]
        own = self.figure.centres[:, 0]
        x = np.where(one_sided[self.of_triangle], self.centre[self.of_triangle, 0], own)
        return np.asarray(x < 0)

    def rules(self) -> dict[str, str]:
        """Material name to the rules that decided its pieces, by triangles."""
        found: dict[str, dict[str, int]] = {}
        for piece in range(self.count):
            name = self.actor.surfaces[self.surface[piece]].name
            counts = found.setdefault(name, {})
            counts[self.rule[piece]] = counts.get(self.rule[piece], 0) + int(self.triangles[piece])
        return {
            name: ", ".join(sorted(counts, key=lambda rule: (-counts[rule], rule))) for name, counts in found.items()
        }
