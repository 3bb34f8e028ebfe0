"""Momo (もも, peach): a pink bob, a cat's ears and a hooded jacket; she has only four target morphs."""

import numpy as np
from PIL import Image

from farm.mascots import body, face, hair, paint, rig
from farm.mascots.eye import EyeShape
from farm.mascots.face import BrowShape, Mouth
from farm.mascots.hair import Lock, Scalp
from farm.mascots.kit import (
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
from farm.mascots.sculpt import Array, Mesh, smoothstep

_MORPHS = (
    Recipe("まばたき", "blink", EYE, ["closed.left", "closed.right"]),
    Recipe("笑い", "smile", EYE, ["happy.left", "happy.right"]),
    Recipe("あ", "a", MOUTH, ["a"]),
    Recipe("い", "i", MOUTH, ["i"]),
    Recipe("お", "o", MOUTH, ["o"]),
)


EYE_SHAPE = EyeShape(
    centre=(0.64, 15.00),
    upper=[(-0.39, -0.06), (-0.33, 0.16), (-0.17, 0.34), (0.04, 0.40), (0.24, 0.33), (0.37, 0.14), (0.42, -0.10)],
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
    happy=[(-0.40, -0.23), (-0.31, -0.07), (-0.16, 0.045), (0.02, 0.085), (0.21, 0.03), (0.35, -0.10), (0.43, -0.26)],
    half=[(-0.39, -0.09), (-0.32, -0.03), (-0.16, 0.01), (0.06, 0.015), (0.26, -0.01), (0.37, -0.05), (0.42, -0.11)],
    wide_by=0.10,
    iris=(0.0, -0.01, 0.335, 0.41),
    lash_thickness=0.10,
    wing=(0.02, -0.05),
    spikes=[(0.84, 0.25, 0.0, 0.05), (0.92, 0.15, -20.0, 0.03)],
)


def make() -> Mascot:
    """Momo, built anew."""
    surfaces = surfaces_of((160, 94, 86), (130, 44, 66), (44, 98, 100))
    mesh = Mesh([surface.name_en for surface in surfaces])
    brow = BrowShape([(0.30, 15.72), (0.48, 15.78), (0.72, 15.78), (0.98, 15.66)], 0.075)
    shapes = {name: MOUTHS[name] for name in ("rest", "a", "i", "o")}
    add_face(mesh, SKULL, EYE_SHAPE, brow, Mouth(SKULL.mouth, shapes), {"a": 0.09, "o": 0.07})
    mesh.add_pair("face", ear(SKULL), rig.fixed(rig.HEAD))
    _add_body(mesh)
    _add_hair(mesh)
    character = assembled(("もも", "Momo"), mesh.finished(), surfaces, _MORPHS, EYE_SHAPE.centre)
    return Mascot(character, {f"tex/{name}.png": image for name, image in _pictures().items()})


def _add_body(mesh: Mesh) -> None:
    """Neck and hooded jacket."""
    mesh.add("neck", body.neck(body.NECK, radius=0.42), rig.neck)
    bust = body.Bust()
    mesh.add("neck", bust.patch(body.CHEST, lift=-0.035), rig.bust)
    mesh.add("clothes", bust.patch(body.TORSO, start=((0.0, 0.12), (180.0, 0.12))), rig.bust)
    mesh.add_pair(
        "clothes", body.sleeve(body.SLEEVE, shoulder=(1.12, 12.25, 0.14), elbow=(2.45, 9.3, 0.1), puff=0.10), rig.bust
    )
    mesh.add("trim", body.hood(body.LINING, centre=(0.0, 12.98, 0.30), radii=(0.92, 0.84), thick=0.35), rig.bust)
    lace = [(0.30, 12.35, -0.86), (0.34, 12.05, -1.1), (0.36, 11.6, -1.22), (0.35, 11.1, -1.3), (0.35, 10.6, -1.3)]
    mesh.add("trim", body.laces(body.DETAIL, lace, 0.05), rig.bust)


def _add_hair(mesh: Mesh) -> None:
    """Fringe, bob, one strand on top and the cat's ears."""
    head = rig.fixed(rig.HEAD)
    scalp = Scalp()
    mesh.add("hair", hair.cap(scalp, lift=0.03), head)
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
        Lock(
            66,
            92,
            0.30,
            0.12,
            lift=0.10,
            fall=[(1.46, 14.9, -0.64), (1.44, 14.35, -0.72), (1.16, 13.62, -0.86)],
            fringe=False,
            profile=hair.LONG,
            column=0.15,
            facing=(0.45, 0.0, -0.9),
        ),
        Lock(
            78,
            92,
            0.36,
            0.14,
            lift=0.08,
            fall=[(1.62, 14.9, -0.36), (1.62, 14.3, -0.40), (1.34, 13.55, -0.48)],
            fringe=False,
            profile=blunt,
            column=0.6,
            facing=(0.8, 0.0, -0.6),
        ),
    ]
    for index, azimuth in enumerate((93.0, 109.0, 127.0, 145.0, 163.0)):
        a = np.radians(azimuth)
        x, z = np.sin(a), -np.cos(a)
        falls = [
            (1.70 * x, 14.9, 0.12 + 1.72 * z),
            (1.72 * x, 14.3, 0.12 + 1.74 * z),
            (1.36 * x, 13.5, 0.12 + 1.38 * z),
        ]
        bob.append(
            Lock(azimuth, 92, 0.42, 0.15, lift=0.07, fringe=False, fall=falls, profile=blunt, column=0.19 * index)
        )
    middle = Lock(
        180,
        92,
        0.42,
        0.16,
        lift=0.07,
        fringe=False,
        profile=blunt,
        column=0.5,
        fall=[(0, 14.9, 1.84), (0, 14.3, 1.86), (0, 13.5, 1.50)],
    )
    for spec in [*both_sides(bob), middle]:
        mesh.add("hair", hair.lock(scalp, spec, count=18), head)
    levels = [
        (16.2, 1.40, 0.1, 1.45),
        (15.0, 1.52, 0.1, 1.55),
        (14.4, 1.52, 0.15, 1.58),
        (13.9, 1.38, 0.2, 1.46),
        (13.45, 1.16, 0.3, 1.22),
    ]
    mesh.add("hair inside", hair.curtain(levels, from_azimuth=80.0, jag=0.22), head)
    cat_ear = hair.CatEar(base=(0.92, 16.70, 0.0), tip=(1.50, 17.85, 0.05), half_width=0.60, depth=0.30)
    fur = in_box(paint.HAIR_SHORT, np.array([0.5, 0.5]), np.array([0.68, 0.78]))
    outer, pink = cat_ear.patches(fur, in_box(body.ACCENT, np.array([0.5, 0.5]), np.array([0.0, 1.0])))
    mesh.add_pair("hair", outer, head)
    mesh.add_pair("trim", pink, head)
    mesh.add(
        "hair",
        hair.strand([(0.05, 17.3, 0.1), (-0.05, 17.6, 0.0), (-0.22, 17.72, -0.15), (-0.38, 17.62, -0.25)], 0.07),
        head,
    )


def _pictures() -> dict[str, Image.Image]:
    """The textures by name."""
    return {
        "face": face.face_texture(
            SKULL,
            EYE_SHAPE,
            face.SkinColours((254, 226, 208), (245, 188, 166), (255, 142, 130), (200, 110, 96)),
            fringe=15.75,
        ),
        "features": paint.features_texture(
            paint.FeatureColours(
                iris=[(0.0, (150, 72, 30)), (0.45, (226, 136, 40)), (0.8, (255, 200, 84)), (1.0, (255, 226, 130))],
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
                long=[(0.0, (214, 92, 118)), (0.3, (238, 122, 140)), (0.65, (248, 152, 154)), (1.0, (255, 200, 176))],
                short=[(0.0, (214, 92, 118)), (0.5, (238, 122, 140)), (0.85, (248, 148, 154)), (1.0, (255, 178, 168))],
                shine=(255, 228, 222),
                line=(186, 70, 100),
                inside=[(0.0, (130, 50, 74)), (1.0, (196, 96, 110))],
            ),
            seed=11,
        ),
        "clothes": clothes_texture(
            neck=[(0.0, (230, 160, 142)), (0.48, (238, 176, 156)), (0.62, (253, 222, 204)), (1.0, (254, 226, 208))],
            torso=_hoodie,
            trim=lambda u, v: np.broadcast_to(np.array((120.0, 196.0, 190.0)), (*u.shape, 3)),
            accent=[(0.0, (255, 158, 164)), (1.0, (255, 206, 200))],
            sleeve=[(0.0, (146, 216, 206)), (1.0, (120, 194, 190))],
            detail=(255, 250, 240),
            lining=(120, 198, 190),
        ),
    }


def _hoodie(u: Array, v: Array) -> Array:
    """Mint, with a zip in the middle."""
    pixels = np.broadcast_to(np.array((146.0, 216.0, 206.0)), (*u.shape, 3))
    pixels = paint.mix(pixels, (108, 184, 182), 0.5 * smoothstep(0.12, 0.28, np.abs(u - 0.5)))
    half_width = 0.045 / (2.0 * np.pi * np.interp(v, np.linspace(0.0, 1.0, 9), [ring[0] for ring in body.Bust().rings]))
    return paint.mix(pixels, (255, 250, 240), smoothstep(1.1, 0.9, np.abs(u - 0.5) / half_width))
