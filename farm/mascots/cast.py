"""The two mascots: Nagi, who has every target morph, and Momo, who has only four."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from farm.mascots import body, face, hair, paint, rig
from farm.mascots.face import BrowShape, Eye, EyeShape, Mouth, MouthShape, Skull
from farm.mascots.hair import Lock, Scalp
from farm.mascots.paint import Colour, in_box
from farm.mascots.sculpt import (
    Array,
    Finished,
    Mesh,
    Part,
    joined,
    mirrored,
    ribbon,
    sheet,
    smoothstep,
    unit,
)
from farm.models.description import (
    Character,
    GroupMorph,
    Material,
    MaterialFlag,
    Morph,
    Panel,
    SphereMode,
    VertexMorph,
)

COMMENT = "Facefarm mascot, CC0 1.0: made by code"
_TEXTURES = ("face", "features", "hair", "clothes")
_SEVERAL = ("left", "right")


@dataclass(frozen=True)
class Mascot:
    """A character and the pictures that its textures name."""

    character: Character
    pictures: Mapping[str, Image.Image]
    """By the texture's path as the character writes it."""


@dataclass(frozen=True)
class _Surface:
    """How a material is drawn."""

    name: str
    name_en: str
    texture: str
    edge: Colour | None = None
    double_sided: bool = False
    edge_size: float = 0.7


@dataclass(frozen=True)
class _Wish:
    """A morph by the shapes or the other morphs that it is made of."""

    name: str
    name_en: str
    panel: Panel
    shapes: Sequence[str] = ()
    group: Sequence[str] = ()


_EYE, _BROW, _MOUTH = Panel.EYE, Panel.EYEBROW, Panel.MOUTH

_NAGI_MORPHS = (
    _Wish("ウィンク２", "wink2_L", _EYE, ["closed.left"]),
    _Wish("ｳｨﾝｸ２右", "wink2_R", _EYE, ["closed.right"]),
    _Wish("まばたき", "blink", _EYE, group=["ウィンク２", "ｳｨﾝｸ２右"]),
    _Wish("笑い", "smile", _EYE, ["happy.left", "happy.right"]),
    _Wish("ウィンク", "wink_L", _EYE, ["happy.left"]),
    _Wish("ウィンク右", "wink_R", _EYE, ["happy.right"]),
    _Wish("びっくり", "surprised", _EYE, ["wide.left", "wide.right"]),
    _Wish("びっくり左", "surprised_L", _EYE, ["wide.left"]),
    _Wish("びっくり右", "surprised_R", _EYE, ["wide.right"]),
    _Wish("じと目", "half-closed", _EYE, ["half.left", "half.right"]),
    _Wish("じと目左", "half-closed_L", _EYE, ["half.left"]),
    _Wish("じと目右", "half-closed_R", _EYE, ["half.right"]),
    _Wish("上", "brows up", _BROW, ["raised.left", "raised.right"]),
    _Wish("上左", "brow up_L", _BROW, ["raised.left"]),
    _Wish("上右", "brow up_R", _BROW, ["raised.right"]),
    _Wish("下左", "brow down_L", _BROW, ["lowered.left"]),
    _Wish("下右", "brow down_R", _BROW, ["lowered.right"]),
    _Wish("下", "brows down", _BROW, group=["下左", "下右"]),
    _Wish("怒り左", "angry_L", _BROW, ["angry.left"]),
    _Wish("怒り右", "angry_R", _BROW, ["angry.right"]),
    _Wish("怒り", "angry", _BROW, group=["怒り左", "怒り右"]),
    _Wish("困る", "troubled", _BROW, ["troubled.left", "troubled.right"]),
    _Wish("にこり", "cheerful", _BROW, ["cheerful.left", "cheerful.right"]),
    _Wish("あ", "a", _MOUTH, ["a"]),
    _Wish("い", "i", _MOUTH, ["i"]),
    _Wish("う", "u", _MOUTH, ["u"]),
    _Wish("え", "e", _MOUTH, ["e"]),
    _Wish("お", "o", _MOUTH, ["o"]),
    _Wish("にやり", "smirk", _MOUTH, ["smirk"]),
    _Wish("▲", "triangle", _MOUTH, ["triangle"]),
)

_MOMO_MORPHS = (
    _Wish("まばたき", "blink", _EYE, ["closed.left", "closed.right"]),
    _Wish("笑い", "smile", _EYE, ["happy.left", "happy.right"]),
    _Wish("あ", "a", _MOUTH, ["a"]),
    _Wish("い", "i", _MOUTH, ["i"]),
    _Wish("お", "o", _MOUTH, ["o"]),
)


def _morphs(wishes: Sequence[_Wish], mesh: Finished) -> tuple[Morph, ...]:
    order = {wish.name: index for index, wish in enumerate(wishes)}
    result: list[Morph] = []
    for wish in wishes:
        if wish.group:
            indices = np.array([order[name] for name in wish.group], dtype=np.int32)
            result.append(
                GroupMorph(
                    wish.name,
                    wish.name_en,
                    wish.panel,
                    indices,
                    np.ones(len(indices), np.float32),
                )
            )
            continue
        vertices = np.concatenate([mesh.shapes[shape][0] for shape in wish.shapes])
        offsets = np.concatenate([mesh.shapes[shape][1] for shape in wish.shapes])
        result.append(
            VertexMorph(
                wish.name,
                wish.name_en,
                wish.panel,
                vertices,
                offsets.astype(np.float32),
            )
        )
    return tuple(result)


def _materials(surfaces: Sequence[_Surface], mesh: Finished) -> tuple[Material, ...]:
    result = []
    for surface in surfaces:
        first, count = mesh.runs[surface.name_en]
        flags = MaterialFlag(0)
        if surface.double_sided:
            flags |= MaterialFlag.DOUBLE_SIDED
        if surface.edge is not None:
            flags |= (
                MaterialFlag.EDGE
                | MaterialFlag.GROUND_SHADOW
                | MaterialFlag.CASTS_SHADOW
                | MaterialFlag.TAKES_SHADOW
            )
        r, g, b = surface.edge or (0, 0, 0)
        result.append(
            Material(
                surface.name,
                surface.name_en,
                diffuse=(1.0, 1.0, 1.0, 1.0),
                specular=(0.0, 0.0, 0.0),
                shininess=5.0,
                ambient=(0.5, 0.5, 0.5),
                flags=flags,
                edge_colour=(r / 255.0, g / 255.0, b / 255.0, 1.0),
                edge_size=surface.edge_size,
                texture=_TEXTURES.index(surface.texture),
                sphere=None,
                sphere_mode=SphereMode.OFF,
                toon=None,
                shared_toon=0,
                first_triangle=first,
                triangle_count=count,
                memo=COMMENT,
            )
        )
    return tuple(result)


def _character(
    names: tuple[str, str],
    mesh: Finished,
    surfaces: Sequence[_Surface],
    wishes: Sequence[_Wish],
    eye: tuple[float, float],
) -> Character:
    strongest = np.argsort(-mesh.weights, axis=1, kind="stable")[:, :4]
    weights = np.take_along_axis(mesh.weights, strongest, axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    return Character(
        format="PMX 2.0",
        name=names[0],
        name_en=names[1],
        comment=COMMENT,
        comment_en=COMMENT,
        positions=mesh.positions.astype(np.float32),
        normals=unit(mesh.normals).astype(np.float32),
        uvs=mesh.uvs.astype(np.float32),
        bone_indices=np.where(weights > 0.0, strongest, -1).astype(np.int32),
        bone_weights=weights.astype(np.float32),
        edge_scales=mesh.edges.astype(np.float32),
        triangles=mesh.triangles,
        textures=tuple(f"tex/{name}.png" for name in _TEXTURES),
        materials=_materials(surfaces, mesh),
        bones=rig.bones(eye),
        morphs=_morphs(wishes, mesh),
    )


def _surfaces(
    skin_edge: Colour, hair_edge: Colour, clothes_edge: Colour
) -> tuple[_Surface, ...]:
    """In the order of drawing: what shows through something else comes after it."""
    return (
        _Surface("首", "neck", "clothes", skin_edge),
        _Surface("顔", "face", "face", skin_edge),
        _Surface("口内", "mouth", "features"),
        _Surface("舌", "tongue", "features"),
        _Surface("歯", "teeth", "features"),
        _Surface("唇", "lips", "features"),
        _Surface("白目", "eye white", "features"),
        _Surface("瞳", "iris", "features"),
        _Surface("目影", "eye shade", "features"),
        _Surface("瞼", "lids", "face"),
        _Surface("二重", "lid folds", "features"),
        _Surface("まつ毛", "lashes", "features", double_sided=True),
        _Surface("服", "clothes", "clothes", clothes_edge),
        _Surface("飾り", "trim", "clothes", clothes_edge),
        _Surface("後髪内", "hair inside", "hair", double_sided=True),
        _Surface("髪", "hair", "hair", hair_edge),
        _Surface("眉", "brows", "features", double_sided=True),
    )


def _add_face(
    mesh: Mesh,
    skull: Skull,
    eye: EyeShape,
    brow: BrowShape,
    mouth: Mouth,
    drops: Mapping[str, float],
) -> None:
    head = rig.fixed(rig.HEAD)
    mesh.add("face", skull.part(drops), head)
    for name, part in mouth.parts(skull).items():
        mesh.add({"inside": "mouth"}.get(name, name), part, head)
    maker = Eye(skull, eye)
    mesh.add_pair("eye white", maker.white(), head)
    iris = maker.iris()
    mesh.add("iris", iris, rig.fixed(rig.LEFT_EYE), "left")
    # The lights in both eyes come from one side, so the right iris mirrors its form but not its picture.
    middle = paint.IRIS[0] + paint.IRIS[2]
    turned = replace(
        mirrored(iris), uvs=np.stack([middle - iris.uvs[:, 0], iris.uvs[:, 1]], -1)
    )
    mesh.add("iris", turned, rig.fixed(rig.RIGHT_EYE), "right")
    mesh.add_pair("eye shade", maker.shade(), head)
    mesh.add_pair("lids", maker.skin(), head)
    mesh.add_pair("lid folds", maker.fold(), head)
    mesh.add_pair("lashes", maker.lashes(), head)
    mesh.add_pair("brows", face.brow(skull, brow), head)


def _ear(skull: Skull) -> Part:
    """The left ear, a flattened shell; hair hides most of it."""
    uv = skull.picture_uv(np.array([1.0, 14.9, 0.0]))
    t = np.linspace(0.0, 2.0 * np.pi, 20, endpoint=False)
    ring = np.stack(
        [0.05 * np.cos(t), 0.34 * np.cos(t), 0.19 * np.sin(t) + 0.08 * np.cos(t)], -1
    )
    levels = np.array([0.75, 1.0, 1.0, 0.8, 0.5, 0.02])
    out = np.array([-0.15, 0.02, 0.07, 0.10, 0.09, 0.06])
    points = np.stack(
        [
            np.array([1.33 + o, 14.98, 0.10]) + ring * s
            for s, o in zip(levels, out, strict=True)
        ]
    )
    uvs = np.broadcast_to(uv, (*points.shape[:2], 2))
    part = sheet(points, uvs, wrap=True)
    return (
        part
        if part.normals[:, 0].sum() > 0.0
        else sheet(points, uvs, wrap=True, flip=True)
    )


def _both_sides(locks: Sequence[Lock]) -> list[Lock]:
    """The locks and their mirror images, whose strands come from other columns of the texture."""
    images = [
        replace(
            lock,
            azimuth=-lock.azimuth,
            turn=-lock.turn,
            fall=[(-x, y, z) for x, y, z in lock.fall],
            facing=None if lock.facing is None else (-lock.facing[0], *lock.facing[1:]),
            column=lock.column + 0.37,
        )
        for lock in locks
    ]
    return [*locks, *images]


def _clothes_texture(
    neck: Sequence[tuple[float, Colour]],
    torso: Callable[[Array, Array], Array],
    trim: Callable[[Array, Array], Array],
    accent: Sequence[tuple[float, Colour]],
    sleeve: Sequence[tuple[float, Colour]],
    detail: Colour,
    lining: Colour,
    size: int = 1024,
) -> Image.Image:
    pixels = np.zeros((size, size, 3))
    across, down = paint.unit_grid(size, size)
    fills: tuple[tuple[paint.Box, Callable[[Array, Array], Array]], ...] = (
        (body.NECK, lambda u, v: paint.gradient(neck, v)),
        (
            body.CHEST,
            lambda u, v: np.broadcast_to(
                np.array(neck[-1][1], dtype=np.float64), (*u.shape, 3)
            ),
        ),
        (body.TORSO, torso),
        (body.TRIM, trim),
        (body.ACCENT, lambda u, v: paint.gradient(accent, v)),
        (body.SLEEVE, lambda u, v: paint.gradient(sleeve, v)),
        (
            body.DETAIL,
            lambda u, v: np.broadcast_to(
                np.array(detail, dtype=np.float64), (*u.shape, 3)
            ),
        ),
        (
            body.LINING,
            lambda u, v: np.broadcast_to(
                np.array(lining, dtype=np.float64), (*u.shape, 3)
            ),
        ),
    )
    for box, fill in fills:
        left, top, right, bottom = box
        place = (
            slice(int(top * size), int(bottom * size)),
            slice(int(left * size), int(right * size)),
        )
        pixels[place] = fill(
            (across[place] - left) / (right - left),
            (down[place] - top) / (bottom - top),
        )
    return paint.picture(pixels)


_NAGI_SKULL = Skull(
    sections=(
        (13.70, 0.02, -1.12, -1.05, -1.00),
        (13.76, 0.26, -1.30, -0.92, -0.78),
        (13.92, 0.48, -1.38, -0.70, -0.30),
        (14.20, 0.81, -1.42, -0.38, 0.35),
        (14.60, 1.12, -1.45, -0.12, 0.95),
        (15.00, 1.32, -1.47, 0.02, 1.30),
        (15.45, 1.41, -1.48, 0.10, 1.50),
        (15.95, 1.43, -1.48, 0.12, 1.56),
        (16.45, 1.34, -1.36, 0.12, 1.48),
        (16.85, 1.10, -1.06, 0.12, 1.20),
        (17.12, 0.66, -0.58, 0.12, 0.76),
        (17.22, 0.02, 0.10, 0.12, 0.14),
    )
)

_NAGI_EYE = EyeShape(
    centre=(0.645, 15.03),
    upper=[
        (-0.40, -0.08),
        (-0.32, 0.14),
        (-0.15, 0.315),
        (0.06, 0.365),
        (0.26, 0.30),
        (0.38, 0.14),
        (0.425, -0.02),
    ],
    lower=[
        (-0.40, -0.08),
        (-0.34, -0.24),
        (-0.17, -0.375),
        (0.04, -0.415),
        (0.24, -0.365),
        (0.37, -0.21),
        (0.425, -0.02),
    ],
    closed=[
        (-0.40, -0.11),
        (-0.30, -0.20),
        (-0.14, -0.275),
        (0.05, -0.30),
        (0.24, -0.265),
        (0.37, -0.17),
        (0.435, -0.07),
    ],
    happy=[
        (-0.41, -0.23),
        (-0.31, -0.07),
        (-0.15, 0.045),
        (0.03, 0.08),
        (0.22, 0.03),
        (0.36, -0.09),
        (0.44, -0.24),
    ],
    half=[
        (-0.40, -0.11),
        (-0.32, -0.04),
        (-0.16, 0.005),
        (0.06, 0.015),
        (0.26, 0.0),
        (0.38, -0.03),
        (0.425, -0.05),
    ],
    wide_by=0.10,
    iris=(0.0, 0.0, 0.325, 0.405),
    lash_thickness=0.12,
    wing=(0.03, -0.05),
    spikes=[(0.845, 0.27, 12.0, 0.05), (0.77, 0.20, 30.0, 0.035)],
)

_MOUTHS = {
    "rest": MouthShape(0.22, 0.0, 0.0, corner=0.05),
    "a": MouthShape(
        0.26, 0.07, 0.29, corner=0.02, teeth=0.17, tongue=0.42, squareness=2.3
    ),
    "i": MouthShape(0.32, 0.04, 0.15, corner=0.05, teeth=0.62, squareness=2.6),
    "u": MouthShape(0.115, 0.06, 0.095, corner=0.0, tongue=0.25),
    "e": MouthShape(
        0.25, 0.05, 0.17, corner=0.02, teeth=0.25, tongue=0.38, squareness=2.8
    ),
    "o": MouthShape(0.16, 0.10, 0.24, corner=0.0, tongue=0.33),
    "smirk": MouthShape(0.24, 0.0, 0.0, corner=0.05, lean=0.075),
    "triangle": MouthShape(0.17, 0.13, 0.0, corner=-0.06, tongue=0.3),
}


_NECKLINE = (
    (0.0, 0.36),
    (14.0, 0.28),
    (35.0, 0.19),
    (70.0, 0.105),
    (120.0, 0.08),
    (180.0, 0.08),
)
"""Where Nagi's blouse begins, a little outside her collar's inner edge."""


def _nagi() -> Mascot:
    skull, eye = _NAGI_SKULL, _NAGI_EYE
    surfaces = _surfaces((150, 92, 92), (38, 44, 92), (48, 52, 92))
    mesh = Mesh([surface.name_en for surface in surfaces])
    head = rig.fixed(rig.HEAD)
    brow = BrowShape(
        [(0.28, 15.76), (0.46, 15.82), (0.72, 15.83), (1.03, 15.70)], 0.066
    )
    _add_face(
        mesh,
        skull,
        eye,
        brow,
        Mouth(skull.mouth, _MOUTHS),
        {"a": 0.09, "o": 0.07, "e": 0.03},
    )
    mesh.add_pair("face", _ear(skull), head)
    mesh.add("neck", body.neck(body.NECK, radius=0.42), rig.neck)

    bust = body.Bust()
    mesh.add("neck", bust.part(body.CHEST, lift=-0.035), rig.bust)
    mesh.add("clothes", bust.part(body.TORSO, start=_NECKLINE), rig.bust)
    mesh.add_pair(
        "clothes",
        body.sleeve(
            body.SLEEVE, shoulder=(1.12, 12.25, 0.14), elbow=(2.45, 9.3, 0.1), puff=0.04
        ),
        rig.bust,
    )
    inner = [(180.0, 0.045), (120.0, 0.045), (70.0, 0.07), (35.0, 0.16), (0.0, 0.34)]
    outer = [(180.0, 0.38), (135.0, 0.40), (90.0, 0.37), (48.0, 0.41), (0.0, 0.48)]
    mesh.add_pair(
        "trim", bust.band(body.TRIM, inner, outer, lift=0.06, edge=0.07), rig.bust
    )
    knot = bust.at(0.0, 0.375)
    for part in body.bow(
        body.ACCENT, (0.0, float(knot[1]), float(knot[2]) - 0.20), 0.68
    ):
        mesh.add("trim", part, rig.bust)

    scalp = Scalp()
    mesh.add("hair", hair.cap(scalp), head)
    fringe = [
        Lock(-2, 106, 0.32, turn=-5, lift=0.11, column=0.1),
        Lock(14, 98, 0.32, turn=4, lift=0.08, column=0.3),
        Lock(-19, 99, 0.33, turn=-3, lift=0.07, column=0.5),
        Lock(31, 99, 0.34, turn=5, lift=0.10, column=0.7),
        Lock(-36, 98, 0.34, turn=-6, lift=0.10, column=0.9),
        Lock(47, 103, 0.34, turn=6, lift=0.07, column=0.2),
        Lock(-51, 104, 0.34, turn=-6, lift=0.07, column=0.6),
        Lock(61, 116, 0.36, turn=6, lift=0.10, column=0.4),
        Lock(-64, 116, 0.36, turn=-6, lift=0.10, column=0.8),
        Lock(7, 93, 0.16, turn=6, lift=0.14, column=0.55),
        Lock(-28, 94, 0.17, turn=-7, lift=0.13, column=0.25),
        Lock(39, 96, 0.16, turn=7, lift=0.14, column=0.85),
    ]
    for spec in fringe:
        mesh.add("hair", hair.lock(scalp, spec), head)
    sides = [
        Lock(67, 92, 0.29, 0.11, lift=0.10, fall=[(1.43, 14.9, -0.62), (1.37, 14.3, -0.70), (1.40, 13.6, -0.76), (1.20, 12.8, -0.86)], fringe=False,
             profile=hair.LONG, column=0.15, facing=(0.45, 0.0, -0.9)),
        Lock(78, 92, 0.30, 0.12, lift=0.08, fall=[(1.58, 14.9, -0.34), (1.54, 14.0, -0.42), (1.47, 13.05, -0.50)], fringe=False,
             profile=hair.LONG, column=0.75, facing=(0.7, 0.0, -0.7)),
        Lock(90, 92, 0.34, 0.14, lift=0.06, fall=[(1.66, 14.9, 0.05), (1.64, 14.0, 0.20), (1.62, 13.2, 0.55), (1.75, 12.0, 1.1),
                                                  (1.9, 10.5, 1.25), (1.9, 9.0, 1.25)], fringe=False,
             profile=(0.3, 0.9, 1.0, 1.05, 1.1, 1.1, 1.0), column=0.45),
    ]  # fmt: skip
    for spec in _both_sides(sides):
        mesh.add("hair", hair.lock(scalp, spec, count=24), rig.long_hair)
    back = []
    for index, azimuth in enumerate((100.0, 118.0, 137.0, 157.0)):
        a = np.radians(azimuth)
        x, z = np.sin(a), -np.cos(a)
        back.append(
            Lock(azimuth, 92, 0.44, 0.16, lift=0.05, fringe=False, profile=(0.3, 0.9, 1.0, 1.05, 1.1, 1.1, 1.0), column=0.21 * index,
                 fall=[
                     (1.68 * x, 14.6, 0.12 + 1.70 * z),
                     (1.66 * x + 0.05, 13.4, max(0.75 + 0.95 * z, 0.6)),
                     (1.75 * x + 0.08, 12.2, max(0.95 + 0.75 * z, 1.2)),
                     (1.9 * x + 0.1, 10.8, max(1.0 + 0.7 * z, 1.3)),
                     (1.8 * x + 0.1, 9.0, max(1.0 + 0.6 * z, 1.3)),
                 ])
        )  # fmt: skip
    back_locks = [*_both_sides(back), Lock(180, 92, 0.46, 0.16, lift=0.05, fringe=False, profile=(0.3, 0.9, 1.0, 1.05, 1.1, 1.1, 1.0),
                                          column=0.5, fall=[(0, 14.6, 1.85), (0, 13.4, 1.75), (0, 12.0, 1.75), (0, 9.0, 1.7)])]  # fmt: skip
    for spec in back_locks:
        mesh.add("hair", hair.lock(scalp, spec, count=28), rig.long_hair)
    levels = [
        (16.2, 1.40, 0.2, 1.45), (15.0, 1.50, 0.25, 1.50), (14.2, 1.52, 0.45, 1.30), (13.4, 1.55, 0.85, 1.15),
        (12.6, 1.65, 1.10, 1.15), (11.4, 1.85, 1.15, 1.20), (9.0, 1.95, 1.20, 1.25),
    ]  # fmt: skip
    mesh.add("hair inside", hair.curtain(levels, from_azimuth=88.0), rig.long_hair)
    ahoge = hair.strand(
        [
            (0.0, 17.34, 0.1),
            (0.05, 17.68, -0.05),
            (0.28, 17.92, -0.25),
            (0.62, 17.86, -0.42),
            (0.80, 17.66, -0.5),
        ],
        0.085,
    )
    mesh.add("hair", ahoge, head)
    for start, end in (((40.0, 74.0), (52.0, 82.0)), ((52.0, 74.0), (40.0, 82.0))):
        mesh.add("trim", _hairpin(scalp, start, end), head)

    pictures = {
        "face": face.face_texture(
            skull,
            eye,
            face.SkinColours(
                (254, 230, 216), (243, 194, 180), (250, 150, 146), (196, 112, 104)
            ),
            fringe=15.75,
        ),
        "features": paint.features_texture(
            paint.FeatureColours(
                iris=[
                    (0.0, (20, 70, 120)),
                    (0.45, (36, 142, 178)),
                    (0.8, (92, 214, 208)),
                    (1.0, (150, 240, 214)),
                ],
                rim=(22, 44, 92),
                pupil=(16, 26, 66),
                glow=(196, 255, 226),
                lash=(40, 32, 62),
                lash_root=(112, 62, 84),
                brow=(58, 66, 124),
                line=(168, 88, 88),
            )
        ),
        "hair": paint.hair_texture(
            paint.HairColours(
                long=[
                    (0.0, (62, 74, 142)),
                    (0.25, (84, 104, 182)),
                    (0.6, (104, 146, 214)),
                    (1.0, (150, 206, 236)),
                ],
                short=[
                    (0.0, (62, 74, 142)),
                    (0.5, (86, 108, 186)),
                    (0.85, (108, 146, 214)),
                    (1.0, (134, 182, 230)),
                ],
                shine=(206, 226, 252),
                line=(52, 60, 124),
                inside=[
                    (0.0, (40, 44, 96)),
                    (0.5, (56, 66, 128)),
                    (1.0, (84, 106, 170)),
                ],
            ),
            seed=7,
        ),
        "clothes": _clothes_texture(
            neck=[
                (0.0, (228, 164, 156)),
                (0.52, (235, 178, 167)),
                (0.64, (252, 224, 209)),
                (1.0, (254, 230, 216)),
            ],
            torso=lambda u, v: _blouse(u, v),
            trim=_sailor_stripes,
            accent=[(0.0, (240, 92, 96)), (0.5, (226, 66, 80)), (1.0, (188, 44, 70))],
            sleeve=[(0.0, (250, 250, 255)), (1.0, (226, 230, 246))],
            detail=(255, 214, 120),
            lining=(210, 216, 238),
        ),
    }
    character = _character(
        ("凪", "Nagi"), mesh.finished(), surfaces, _NAGI_MORPHS, eye.centre
    )
    return Mascot(
        character, {f"tex/{name}.png": image for name, image in pictures.items()}
    )


def _hairpin(
    scalp: Scalp, start: tuple[float, float], end: tuple[float, float]
) -> Part:
    """A bar on the fringe between two places (azimuth, polar angle)."""
    way = np.linspace(0.0, 1.0, 8)
    path = scalp.at(
        start[0] + (end[0] - start[0]) * way, start[1] + (end[1] - start[1]) * way, 0.24
    )
    return ribbon(
        path,
        scalp.outward(path),
        np.full(8, 0.035),
        np.full(8, 0.03),
        lambda q, a: in_box(body.DETAIL, 0.5 + 0.1 * q, 0.5),
    )


def _blouse(u: Array, v: Array) -> Array:
    """White, a little bluish at the sides, with soft folds."""
    pixels = np.broadcast_to(np.array((250.0, 250.0, 255.0)), (*u.shape, 3))
    side = smoothstep(0.12, 0.28, np.abs(u - 0.5))
    return paint.mix(pixels, (206, 212, 236), 0.55 * side)


def _sailor_stripes(u: Array, v: Array) -> Array:
    """Navy with two white lines along the outer edge."""
    pixels = np.broadcast_to(np.array((52.0, 62.0, 122.0)), (*u.shape, 3))
    pixels = paint.mix(pixels, (40, 46, 98), smoothstep(0.4, 0.0, v))
    for middle in (0.72, 0.83):
        pixels = paint.mix(
            pixels, (244, 248, 255), smoothstep(0.030, 0.020, np.abs(v - middle))
        )
    return pixels


_MOMO_EYE = EyeShape(
    centre=(0.64, 15.00),
    upper=[
        (-0.39, -0.06),
        (-0.33, 0.16),
        (-0.17, 0.34),
        (0.04, 0.40),
        (0.24, 0.33),
        (0.37, 0.14),
        (0.42, -0.10),
    ],
    lower=[
        (-0.39, -0.06),
        (-0.34, -0.24),
        (-0.19, -0.38),
        (0.02, -0.425),
        (0.23, -0.385),
        (0.36, -0.26),
        (0.42, -0.10),
    ],
    closed=[
        (-0.40, -0.09),
        (-0.30, -0.19),
        (-0.15, -0.27),
        (0.04, -0.305),
        (0.23, -0.28),
        (0.36, -0.20),
        (0.43, -0.12),
    ],
    happy=[
        (-0.40, -0.23),
        (-0.31, -0.07),
        (-0.16, 0.045),
        (0.02, 0.085),
        (0.21, 0.03),
        (0.35, -0.10),
        (0.43, -0.26),
    ],
    half=[
        (-0.39, -0.09),
        (-0.32, -0.03),
        (-0.16, 0.01),
        (0.06, 0.015),
        (0.26, -0.01),
        (0.37, -0.05),
        (0.42, -0.11),
    ],
    wide_by=0.10,
    iris=(0.0, -0.01, 0.335, 0.41),
    lash_thickness=0.10,
    wing=(0.02, -0.05),
    spikes=[(0.84, 0.25, 0.0, 0.05), (0.92, 0.15, -20.0, 0.03)],
)


def _momo() -> Mascot:
    skull, eye = _NAGI_SKULL, _MOMO_EYE
    surfaces = _surfaces((160, 94, 86), (130, 44, 66), (44, 98, 100))
    mesh = Mesh([surface.name_en for surface in surfaces])
    head = rig.fixed(rig.HEAD)
    brow = BrowShape(
        [(0.30, 15.72), (0.48, 15.78), (0.72, 15.78), (0.98, 15.66)], 0.075
    )
    shapes = {name: _MOUTHS[name] for name in ("rest", "a", "i", "o")}
    _add_face(
        mesh, skull, eye, brow, Mouth(skull.mouth, shapes), {"a": 0.09, "o": 0.07}
    )
    mesh.add_pair("face", _ear(skull), head)
    mesh.add("neck", body.neck(body.NECK, radius=0.42), rig.neck)
    bust = body.Bust()
    mesh.add("neck", bust.part(body.CHEST, lift=-0.035), rig.bust)
    mesh.add(
        "clothes", bust.part(body.TORSO, start=((0.0, 0.12), (180.0, 0.12))), rig.bust
    )
    mesh.add_pair(
        "clothes",
        body.sleeve(
            body.SLEEVE, shoulder=(1.12, 12.25, 0.14), elbow=(2.45, 9.3, 0.1), puff=0.10
        ),
        rig.bust,
    )
    mesh.add(
        "trim",
        body.hood(
            body.LINING, centre=(0.0, 12.98, 0.30), radii=(0.92, 0.84), thick=0.35
        ),
        rig.bust,
    )
    lace = [
        (0.30, 12.35, -0.86),
        (0.34, 12.05, -1.1),
        (0.36, 11.6, -1.22),
        (0.35, 11.1, -1.3),
        (0.35, 10.6, -1.3),
    ]
    mesh.add("trim", body.laces(body.DETAIL, lace, 0.05), rig.bust)

    scalp = Scalp()
    mesh.add("hair", hair.cap(scalp), head)
    fringe = [
        Lock(1, 99, 0.36, turn=10, lift=0.11, column=0.1),
        Lock(-15, 99, 0.36, turn=9, lift=0.08, column=0.5),
        Lock(17, 98, 0.36, turn=11, lift=0.07, column=0.3),
        Lock(-31, 100, 0.36, turn=6, lift=0.10, column=0.9),
        Lock(33, 100, 0.36, turn=9, lift=0.09, column=0.7),
        Lock(-48, 104, 0.36, turn=-5, lift=0.07, column=0.6),
        Lock(49, 106, 0.36, turn=8, lift=0.07, column=0.2),
        Lock(-62, 116, 0.36, turn=-8, lift=0.10, column=0.8),
        Lock(63, 116, 0.36, turn=8, lift=0.10, column=0.4),
        Lock(-8, 93, 0.17, turn=12, lift=0.14, column=0.75),
        Lock(25, 94, 0.16, turn=12, lift=0.13, column=0.45),
        Lock(-40, 95, 0.16, turn=-6, lift=0.13, column=0.05),
    ]
    for spec in fringe:
        mesh.add("hair", hair.lock(scalp, spec), head)
    blunt = (0.3, 0.9, 1.0, 1.04, 1.06, 0.95, 0.25)
    bob = [
        Lock(66, 92, 0.30, 0.12, lift=0.10, fall=[(1.46, 14.9, -0.64), (1.44, 14.35, -0.72), (1.16, 13.62, -0.86)], fringe=False,
             profile=hair.LONG, column=0.15, facing=(0.45, 0.0, -0.9)),
        Lock(78, 92, 0.36, 0.14, lift=0.08, fall=[(1.62, 14.9, -0.36), (1.62, 14.3, -0.40), (1.34, 13.55, -0.48)], fringe=False,
             profile=blunt, column=0.6, facing=(0.8, 0.0, -0.6)),
    ]  # fmt: skip
    for index, azimuth in enumerate((93.0, 109.0, 127.0, 145.0, 163.0)):
        a = np.radians(azimuth)
        x, z = np.sin(a), -np.cos(a)
        falls = [
            (1.70 * x, 14.9, 0.12 + 1.72 * z),
            (1.72 * x, 14.3, 0.12 + 1.74 * z),
            (1.36 * x, 13.5, 0.12 + 1.38 * z),
        ]
        bob.append(
            Lock(
                azimuth,
                92,
                0.42,
                0.15,
                lift=0.07,
                fringe=False,
                fall=falls,
                profile=blunt,
                column=0.19 * index,
            )
        )
    middle = Lock(180, 92, 0.42, 0.16, lift=0.07, fringe=False, profile=blunt, column=0.5,
                  fall=[(0, 14.9, 1.84), (0, 14.3, 1.86), (0, 13.5, 1.50)])  # fmt: skip
    for spec in [*_both_sides(bob), middle]:
        mesh.add("hair", hair.lock(scalp, spec, count=22), head)
    levels = [
        (16.2, 1.40, 0.1, 1.45),
        (15.0, 1.52, 0.1, 1.55),
        (14.4, 1.52, 0.15, 1.58),
        (13.9, 1.38, 0.2, 1.46),
        (13.45, 1.16, 0.3, 1.22),
    ]
    mesh.add("hair inside", hair.curtain(levels, from_azimuth=80.0, jag=0.22), head)
    ear = hair.CatEar(
        base=(0.92, 16.70, 0.0), tip=(1.50, 17.85, 0.05), half_width=0.60, depth=0.30
    )
    fur = in_box(paint.HAIR_SHORT, np.array([0.5, 0.5]), np.array([0.68, 0.78]))
    outer, pink = ear.parts(
        fur, in_box(body.ACCENT, np.array([0.5, 0.5]), np.array([0.0, 1.0]))
    )
    mesh.add_pair("hair", outer, head)
    mesh.add_pair("trim", pink, head)
    mesh.add(
        "hair",
        hair.strand(
            [
                (0.05, 17.3, 0.1),
                (-0.05, 17.6, 0.0),
                (-0.22, 17.72, -0.15),
                (-0.38, 17.62, -0.25),
            ],
            0.07,
        ),
        head,
    )

    pictures = {
        "face": face.face_texture(
            skull,
            eye,
            face.SkinColours(
                (254, 226, 208), (245, 188, 166), (255, 142, 130), (200, 110, 96)
            ),
            fringe=15.75,
        ),
        "features": paint.features_texture(
            paint.FeatureColours(
                iris=[
                    (0.0, (150, 72, 30)),
                    (0.45, (226, 136, 40)),
                    (0.8, (255, 200, 84)),
                    (1.0, (255, 226, 130)),
                ],
                rim=(104, 46, 30),
                pupil=(70, 26, 26),
                glow=(255, 246, 176),
                lash=(74, 34, 40),
                lash_root=(150, 78, 76),
                brow=(176, 92, 92),
                line=(184, 92, 86),
            )
        ),
        "hair": paint.hair_texture(
            paint.HairColours(
                long=[
                    (0.0, (214, 92, 118)),
                    (0.3, (238, 122, 140)),
                    (0.65, (248, 152, 154)),
                    (1.0, (255, 200, 176)),
                ],
                short=[
                    (0.0, (214, 92, 118)),
                    (0.5, (238, 122, 140)),
                    (0.85, (248, 148, 154)),
                    (1.0, (255, 178, 168)),
                ],
                shine=(255, 228, 222),
                line=(186, 70, 100),
                inside=[(0.0, (130, 50, 74)), (1.0, (196, 96, 110))],
            ),
            seed=11,
        ),
        "clothes": _clothes_texture(
            neck=[
                (0.0, (230, 160, 142)),
                (0.48, (238, 176, 156)),
                (0.62, (253, 222, 204)),
                (1.0, (254, 226, 208)),
            ],
            torso=_hoodie,
            trim=lambda u, v: np.broadcast_to(
                np.array((120.0, 196.0, 190.0)), (*u.shape, 3)
            ),
            accent=[(0.0, (255, 158, 164)), (1.0, (255, 206, 200))],
            sleeve=[(0.0, (146, 216, 206)), (1.0, (120, 194, 190))],
            detail=(255, 250, 240),
            lining=(120, 198, 190),
        ),
    }
    character = _character(
        ("もも", "Momo"), mesh.finished(), surfaces, _MOMO_MORPHS, eye.centre
    )
    return Mascot(
        character, {f"tex/{name}.png": image for name, image in pictures.items()}
    )


def _hoodie(u: Array, v: Array) -> Array:
    """Mint, with a zip in the middle."""
    pixels = np.broadcast_to(np.array((146.0, 216.0, 206.0)), (*u.shape, 3))
    pixels = paint.mix(
        pixels, (108, 184, 182), 0.5 * smoothstep(0.12, 0.28, np.abs(u - 0.5))
    )
    half_width = 0.045 / (
        2.0
        * np.pi
        * np.interp(
            v, np.linspace(0.0, 1.0, 9), [ring[0] for ring in body.Bust().rings]
        )
    )
    return paint.mix(
        pixels, (255, 250, 240), smoothstep(1.1, 0.9, np.abs(u - 0.5) / half_width)
    )


MASCOTS: Mapping[str, Callable[[], Mascot]] = {"nagi": _nagi, "momo": _momo}
"""Every mascot by the name of its folder."""
