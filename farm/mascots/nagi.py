"""Nagi (凪, a calm sea): long blue hair and a sailor blouse; she has all 23 target morphs, under her own names."""

import numpy as np
from PIL import Image

from farm.mascots import body, face, hair, paint, rig
from farm.mascots.eye import EyeShape
from farm.mascots.face import BrowShape, Mouth
from farm.mascots.hair import Lock, Scalp
from farm.mascots.kit import (
    BROW,
    EYE,
    MOUTH,
    MOUTHS,
    SKULL,
    Mascot,
    Recipe,
    add_face,
    assembled,
    both_sides,
    clothes_texture,
    ear,
    surfaces_of,
)
from farm.mascots.paint import in_box
from farm.mascots.sculpt import Array, Mesh, Patch, ribbon, smoothstep

_MORPHS = (
    Recipe("ウィンク２", "wink2_L", EYE, ["closed.left"]),
    Recipe("ｳｨﾝｸ２右", "wink2_R", EYE, ["closed.right"]),
    Recipe("まばたき", "blink", EYE, group=["ウィンク２", "ｳｨﾝｸ２右"]),
    Recipe("笑い", "smile", EYE, ["happy.left", "happy.right"]),
    Recipe("ウィンク", "wink_L", EYE, ["happy.left"]),
    Recipe("ウィンク右", "wink_R", EYE, ["happy.right"]),
    Recipe("びっくり", "surprised", EYE, ["wide.left", "wide.right"]),
    Recipe("びっくり左", "surprised_L", EYE, ["wide.left"]),
    Recipe("びっくり右", "surprised_R", EYE, ["wide.right"]),
    Recipe("じと目", "half-closed", EYE, ["half.left", "half.right"]),
    Recipe("じと目左", "half-closed_L", EYE, ["half.left"]),
    Recipe("じと目右", "half-closed_R", EYE, ["half.right"]),
    Recipe("上", "brows up", BROW, ["raised.left", "raised.right"]),
    Recipe("上左", "brow up_L", BROW, ["raised.left"]),
    Recipe("上右", "brow up_R", BROW, ["raised.right"]),
    Recipe("下左", "brow down_L", BROW, ["lowered.left"]),
    Recipe("下右", "brow down_R", BROW, ["lowered.right"]),
    Recipe("下", "brows down", BROW, group=["下左", "下右"]),
    Recipe("怒り左", "angry_L", BROW, ["angry.left"]),
    Recipe("怒り右", "angry_R", BROW, ["angry.right"]),
    Recipe("怒り", "angry", BROW, group=["怒り左", "怒り右"]),
    Recipe("困る", "troubled", BROW, ["troubled.left", "troubled.right"]),
    Recipe("にこり", "cheerful", BROW, ["cheerful.left", "cheerful.right"]),
    Recipe("あ", "a", MOUTH, ["a"]),
    Recipe("い", "i", MOUTH, ["i"]),
    Recipe("う", "u", MOUTH, ["u"]),
    Recipe("え", "e", MOUTH, ["e"]),
    Recipe("お", "o", MOUTH, ["o"]),
    Recipe("にやり", "smirk", MOUTH, ["smirk"]),
    Recipe("▲", "triangle", MOUTH, ["triangle"]),
)

EYE_SHAPE = EyeShape(
    centre=(0.645, 15.03),
    upper=[(-0.40, -0.08), (-0.32, 0.14), (-0.15, 0.315), (0.06, 0.365), (0.26, 0.30), (0.38, 0.14), (0.425, -0.02)],
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
    happy=[(-0.41, -0.23), (-0.31, -0.07), (-0.15, 0.045), (0.03, 0.08), (0.22, 0.03), (0.36, -0.09), (0.44, -0.24)],
    half=[(-0.40, -0.11), (-0.32, -0.04), (-0.16, 0.005), (0.06, 0.015), (0.26, 0.0), (0.38, -0.03), (0.425, -0.05)],
    wide_by=0.10,
    iris=(0.0, 0.0, 0.325, 0.405),
    lash_thickness=0.12,
    wing=(0.03, -0.05),
    spikes=[(0.845, 0.27, 12.0, 0.05), (0.77, 0.20, 30.0, 0.035)],
)

_NECKLINE = ((0.0, 0.36), (14.0, 0.28), (35.0, 0.19), (70.0, 0.105), (120.0, 0.08), (180.0, 0.08))
"""Where Nagi's blouse begins, a little outside her collar's inner edge."""


def make() -> Mascot:
    """Nagi, built anew."""
    surfaces = surfaces_of((150, 92, 92), (38, 44, 92), (48, 52, 92))
    mesh = Mesh([surface.name_en for surface in surfaces])
    brow = BrowShape([(0.28, 15.76), (0.46, 15.82), (0.72, 15.83), (1.03, 15.70)], 0.066)
    add_face(mesh, SKULL, EYE_SHAPE, brow, Mouth(SKULL.mouth, MOUTHS), {"a": 0.09, "o": 0.07, "e": 0.03})
    mesh.add_pair("face", ear(SKULL), rig.fixed(rig.HEAD))
    _add_body(mesh)
    _add_hair(mesh)
    character = assembled(("凪", "Nagi"), mesh.finished(), surfaces, _MORPHS, EYE_SHAPE.centre)
    return Mascot(character, {f"tex/{name}.png": image for name, image in _pictures().items()})


def _add_body(mesh: Mesh) -> None:
    """Neck, blouse, sailor collar and bow."""
    mesh.add("neck", body.neck(body.NECK, radius=0.42), rig.neck)

    bust = body.Bust()
    mesh.add("neck", bust.patch(body.CHEST, lift=-0.035), rig.bust)
    mesh.add("clothes", bust.patch(body.TORSO, start=_NECKLINE), rig.bust)
    mesh.add_pair(
        "clothes", body.sleeve(body.SLEEVE, shoulder=(1.12, 12.25, 0.14), elbow=(2.45, 9.3, 0.1), puff=0.04), rig.bust
    )
    inner = [(180.0, 0.045), (120.0, 0.045), (70.0, 0.07), (35.0, 0.16), (0.0, 0.34)]
    outer = [(180.0, 0.38), (135.0, 0.40), (90.0, 0.37), (48.0, 0.41), (0.0, 0.48)]
    mesh.add_pair("trim", bust.band(body.TRIM, inner, outer, lift=0.06, edge=0.07), rig.bust)
    knot = bust.at(0.0, 0.375)
    for patch in body.bow(body.ACCENT, (0.0, float(knot[1]), float(knot[2]) - 0.20), 0.68):
        mesh.add("trim", patch, rig.bust)


def _add_hair(mesh: Mesh) -> None:
    """Fringe, side locks, long back hair, one strand on top and two crossed pins."""
    head = rig.fixed(rig.HEAD)
    scalp = Scalp()
    mesh.add("hair", hair.cap(scalp, lift=0.03), head)
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
        Lock(
            67,
            92,
            0.29,
            0.11,
            lift=0.10,
            fall=[(1.43, 14.9, -0.62), (1.37, 14.3, -0.70), (1.40, 13.6, -0.76), (1.20, 12.8, -0.86)],
            fringe=False,
            profile=hair.LONG,
            column=0.15,
            facing=(0.45, 0.0, -0.9),
        ),
        Lock(
            78,
            92,
            0.30,
            0.12,
            lift=0.08,
            fall=[(1.58, 14.9, -0.34), (1.54, 14.0, -0.42), (1.47, 13.05, -0.50)],
            fringe=False,
            profile=hair.LONG,
            column=0.75,
            facing=(0.7, 0.0, -0.7),
        ),
        Lock(
            90,
            92,
            0.34,
            0.14,
            lift=0.06,
            fall=[
                (1.66, 14.9, 0.05),
                (1.64, 14.0, 0.20),
                (1.62, 13.2, 0.55),
                (1.75, 12.0, 1.1),
                (1.9, 10.5, 1.25),
                (1.9, 9.0, 1.25),
            ],
            fringe=False,
            profile=(0.3, 0.9, 1.0, 1.05, 1.1, 1.1, 1.0),
            column=0.45,
        ),
    ]
    for spec in both_sides(sides):
        mesh.add("hair", hair.lock(scalp, spec, count=20), rig.long_hair)
    back = []
    for index, azimuth in enumerate((100.0, 118.0, 137.0, 157.0)):
        a = np.radians(azimuth)
        x, z = np.sin(a), -np.cos(a)
        back.append(
            Lock(
                azimuth,
                92,
                0.44,
                0.16,
                lift=0.05,
                fringe=False,
                profile=(0.3, 0.9, 1.0, 1.05, 1.1, 1.1, 1.0),
                column=0.21 * index,
                fall=[
                    (1.68 * x, 14.6, 0.12 + 1.70 * z),
                    (1.66 * x + 0.05, 13.4, max(0.75 + 0.95 * z, 0.6)),
                    (1.75 * x + 0.08, 12.2, max(0.95 + 0.75 * z, 1.2)),
                    (1.9 * x + 0.1, 10.8, max(1.0 + 0.7 * z, 1.3)),
                    (1.8 * x + 0.1, 9.0, max(1.0 + 0.6 * z, 1.3)),
                ],
            )
        )
    back_locks = [
        *both_sides(back),
        Lock(
            180,
            92,
            0.46,
            0.16,
            lift=0.05,
            fringe=False,
            profile=(0.3, 0.9, 1.0, 1.05, 1.1, 1.1, 1.0),
            column=0.5,
            fall=[(0, 14.6, 1.85), (0, 13.4, 1.75), (0, 12.0, 1.75), (0, 9.0, 1.7)],
        ),
    ]
    for spec in back_locks:
        mesh.add("hair", hair.lock(scalp, spec, count=22), rig.long_hair)
    levels = [
        (16.2, 1.40, 0.2, 1.45),
        (15.0, 1.50, 0.25, 1.50),
        (14.2, 1.52, 0.45, 1.30),
        (13.4, 1.55, 0.85, 1.15),
        (12.6, 1.65, 1.10, 1.15),
        (11.4, 1.85, 1.15, 1.20),
        (9.0, 1.95, 1.20, 1.25),
    ]
    mesh.add("hair inside", hair.curtain(levels, from_azimuth=88.0), rig.long_hair)
    ahoge = hair.strand(
        [(0.0, 17.34, 0.1), (0.05, 17.68, -0.05), (0.28, 17.92, -0.25), (0.62, 17.86, -0.42), (0.80, 17.66, -0.5)],
        0.085,
    )
    mesh.add("hair", ahoge, head)
    for start, end in (((40.0, 74.0), (52.0, 82.0)), ((52.0, 74.0), (40.0, 82.0))):
        mesh.add("trim", _hairpin(scalp, start, end), head)


def _pictures() -> dict[str, Image.Image]:
    """The textures by name."""
    return {
        "face": face.face_texture(
            SKULL,
            EYE_SHAPE,
            face.SkinColours((254, 230, 216), (243, 194, 180), (250, 150, 146), (196, 112, 104)),
            fringe=15.75,
        ),
        "features": paint.features_texture(
            paint.FeatureColours(
                iris=[(0.0, (20, 70, 120)), (0.45, (36, 142, 178)), (0.8, (92, 214, 208)), (1.0, (150, 240, 214))],
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
                long=[(0.0, (62, 74, 142)), (0.25, (84, 104, 182)), (0.6, (104, 146, 214)), (1.0, (150, 206, 236))],
                short=[(0.0, (62, 74, 142)), (0.5, (86, 108, 186)), (0.85, (108, 146, 214)), (1.0, (134, 182, 230))],
                shine=(206, 226, 252),
                line=(52, 60, 124),
                inside=[(0.0, (40, 44, 96)), (0.5, (56, 66, 128)), (1.0, (84, 106, 170))],
            ),
            seed=7,
        ),
        "clothes": clothes_texture(
            neck=[(0.0, (228, 164, 156)), (0.52, (235, 178, 167)), (0.64, (252, 224, 209)), (1.0, (254, 230, 216))],
            torso=lambda u, v: _blouse(u, v),
            trim=_sailor_stripes,
            accent=[(0.0, (240, 92, 96)), (0.5, (226, 66, 80)), (1.0, (188, 44, 70))],
            sleeve=[(0.0, (250, 250, 255)), (1.0, (226, 230, 246))],
            detail=(255, 214, 120),
            lining=(210, 216, 238),
        ),
    }


def _hairpin(scalp: Scalp, start: tuple[float, float], end: tuple[float, float]) -> Patch:
    """A bar on the fringe between two places (azimuth, polar angle)."""
    way = np.linspace(0.0, 1.0, 8)
    path = scalp.at(start[0] + (end[0] - start[0]) * way, start[1] + (end[1] - start[1]) * way, 0.24)
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
        pixels = paint.mix(pixels, (244, 248, 255), smoothstep(0.030, 0.020, np.abs(v - middle)))
    return pixels
