"""A character and all that it may wear, as one actor: what is not worn is as transparent as a hidden overlay of its own.

So the same buffers draw it with and without, in all styles, on all canvases, and for all labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from blender_worker.anatomy.study import Anatomy
from blender_worker.character.actor import Actor, Pose, Run, Vertices
from blender_worker.character.ramps import between
from blender_worker.character.surface import Look, Surface
from blender_worker.occluders.fit import Fit
from blender_worker.occluders.props import PROPS
from blender_worker.occluders.shapes import Shape
from farm.colour import linear_of
from farm.labels import Layer, Part
from farm.models.posing.skeleton import Skin, Skins
from farm.occluders import CODES, OccluderName

_SHADE = (0.55, 0.55, 0.6)
"""What a prop's colour is multiplied with in shade, linear light; a hard edge, as cel shading has it."""
_EDGE = 0.01
_WIDTH = 0.6
"""Of the style's own outline: a frame is hardly wider than that."""
_LINE = 0.08
"""The outline's colour as a share of the prop's own, linear light."""


class _Paint:
    """A `surface.Paint` of one colour that is there, or is not."""

    def __init__(self, colour: tuple[float, float, float]) -> None:
        self.values = np.zeros(1, np.float32)
        """Its alpha."""
        red, green, blue = linear_of(np.array(colour, np.float32)).tolist()
        self._colour, self._line = (red, green, blue), (red * _LINE, green * _LINE, blue * _LINE)

    def look(self, values: NDArray[np.float32]) -> Look:
        """With that alpha."""
        return Look((*self._colour, float(values[0])), (0.0, 0.0, 0.0), _WIDTH, (*self._line, 1.0))

    def add_outline(self, colour: tuple[float, float, float], width: float) -> None:
        """It has one."""


@dataclass(frozen=True, slots=True)
class Wardrobe:
    """What a character can wear, and the character with all of it."""

    actor: Actor
    """The vertices, surfaces and morphs of the bare one come first; its runs are the last."""
    anatomy: Anatomy
    codes: list[int]
    """For each of the actor's runs, the number of what it belongs to among `farm.occluders.CODES`; 0: the character."""
    unworn: list[OccluderName]
    """What it cannot wear: nothing shows where that would have to be."""

    def put_on(self, pose: Pose, occluder: OccluderName | None) -> Pose:
        """The pose, wearing that, and nothing else; what it cannot wear is not to be seen."""
        if occluder is None or occluder in self.unworn:
            return pose
        looks = list(pose.looks)
        shown = np.ones(1, np.float32)
        for run, code in zip(self.actor.runs, self.codes, strict=True):
            if code == CODES[occluder]:
                looks[run.surface] = self.actor.surfaces[run.surface].paint.look(shown)
        return replace(pose, looks=looks)


def wardrobe(actor: Actor, anatomy: Anatomy, names: Sequence[OccluderName]) -> Wardrobe:
    """Make all that is named to the measures of `actor`."""
    with np.errstate(all="ignore"):  # a hostile model's numbers; what comes of them is made finite below
        fit = Fit(actor, anatomy)
        made = [(name, PROPS[name](fit)) for name in names]
    shapes = [(name, shape) for name, of_it in made for shape in of_it]
    counts = [len(shape.triangles) for _, shape in shapes]
    return Wardrobe(
        actor=_wearing(actor, shapes),
        anatomy=replace(
            anatomy,
            triangles=[*(np.full(count, Part.ACCESSORIES, np.uint8) for count in counts), *anatomy.triangles],
            painted=[*(np.zeros(count, bool) for count in counts), *anatomy.painted],
            layers=[*(np.full(count, Layer.ACCESSORIES, np.uint8) for count in counts), *anatomy.layers]
            if anatomy.layers
            else [],
        ),
        codes=[*(CODES[name] for name, _ in shapes), *(0 for _ in actor.runs)],
        unworn=[name for name, of_it in made if not of_it],
    )


def _wearing(actor: Actor, shapes: Sequence[tuple[OccluderName, Shape]]) -> Actor:
    if not shapes:
        return actor
    count, first = len(actor.vertices.positions), len(actor.surfaces)
    unit = np.float32(actor.head_height)
    points = np.concatenate([shape.points for _, shape in shapes]).astype(np.float32) * unit + np.array(
        actor.neck_position, np.float32
    )
    starts = np.cumsum([0, *(len(shape.points) for _, shape in shapes)])[:-1] + count
    runs = [
        Run(first + number, np.ascontiguousarray(shape.triangles + start, np.int32))
        for number, ((_, shape), start) in enumerate(zip(shapes, starts.tolist(), strict=True))
    ]
    held = np.concatenate([shape.held for _, shape in shapes]).astype(np.float32)
    return replace(
        actor,
        vertices=_with(actor.vertices, points, [shape for _, shape in shapes], held),
        surfaces=[*actor.surfaces, *(_surface(name, shape) for name, shape in shapes)],
        # Before the character: it is solid, so what is drawn later behind it is hidden, and hair blends over it.
        runs=[*runs, *actor.runs],
        skin=Skins(actor.skin, _hold(actor, points, held), count),
    )


def _surface(name: OccluderName, shape: Shape) -> Surface:
    return Surface(
        name=f"occluder {name}",
        paint=_Paint(shape.colour),
        base=None,
        double_sided=shape.double_sided,
        ramp=between(_SHADE, 0.5 - _EDGE, 0.5 + _EDGE),
    )


def _with(own: Vertices, points: NDArray[np.float32], shapes: Sequence[Shape], held: NDArray[np.float32]) -> Vertices:
    """A character's vertices, and those of the shapes behind them."""
    count = len(points)
    normals = np.nan_to_num(np.concatenate([shape.normals for shape in shapes])).astype(np.float32)
    uvs = np.concatenate([shape.uvs for shape in shapes]).astype(np.float32)
    return Vertices(
        positions=np.concatenate([own.positions, np.nan_to_num(points)]),
        normals=np.concatenate([own.normals, normals]),
        uvs=np.concatenate([own.uvs, uvs]),
        turns=np.concatenate([own.turns, held]),
        outlines=np.concatenate([own.outlines, np.ones(count, np.float32)]),
        hulls=np.concatenate([own.hulls, normals]),
        bones=np.concatenate([own.bones, np.full(count, -1, np.int32)]),
        second_uvs=None if own.second_uvs is None else np.concatenate([own.second_uvs, uvs]),
        colours=None if own.colours is None else np.concatenate([own.colours, np.ones((count, 4), np.float32)]),
        tangents=None if own.tangents is None else np.concatenate([own.tangents, np.zeros((count, 4), np.float32)]),
    )


def _hold(actor: Actor, points: NDArray[np.float32], held: NDArray[np.float32]) -> Skin:
    """What the head holds by the shares `held` (n,), and what is below the neck by the rest."""
    neck = actor.holders[actor.skeleton.neck]
    roles = [bone.role for bone in actor.bones]
    holder = actor.holders[roles.index("head")] if "head" in roles else neck
    pair = np.array([holder if holder >= 0 else neck, actor.skeleton.joints[neck].parent], np.int32)
    return Skin(np.tile(pair, (len(points), 1)), np.column_stack([held, 1 - held]), points)
