"""Which layer every triangle is of: skin, hair, clothes, accessories, features; what `farm.labels.Layer` says.

Where the part says it, the layer follows: hair is hair, face and neck are skin. What is left is the body, and each piece of
it is decided by the first of these that speaks:

- the material's name, when it says what covers the body there ("服", "手肌", "Backpack") and not only where it is ("手足");
- the bones that hold the piece, when they are named after clothes: a skirt's;
- the rest of its material, when more than half of that is hair: locks that hang down to the body;
- the colour, against those of the face's skin: of the whole piece when nearly all of it is alike, otherwise of each
  triangle, so that a texture may hold both;
- without any colour, what a name of a limb or of the body means: skin.
"""

import numpy as np
from numpy.typing import NDArray

from blender_worker.anatomy.figure import Figure
from blender_worker.anatomy.part_names import Hint, Worn, hint_of, worn_of
from blender_worker.anatomy.pieces import Pieces
from blender_worker.anatomy.rays import Floats, Mask
from blender_worker.character.actor import Actor
from farm.labels import Layer, Part

_OF_PART = {
    Part.HAIR: Layer.HAIR,
    Part.FACE: Layer.SKIN,
    Part.EYE_LEFT: Layer.FEATURES,
    Part.EYE_RIGHT: Layer.FEATURES,
    Part.EYEBROW_LEFT: Layer.FEATURES,
    Part.EYEBROW_RIGHT: Layer.FEATURES,
    Part.LIPS: Layer.FEATURES,
    Part.MOUTH_INSIDE: Layer.FEATURES,
    Part.NECK: Layer.SKIN,
    Part.ACCESSORIES: Layer.ACCESSORIES,
}
_OF_NAME = {Worn.BARE: Layer.SKIN, Worn.CLOTHES: Layer.CLOTHES, Worn.CARRIED: Layer.ACCESSORIES}
_HELD = 0.5
"""Share of a piece's vertices that bones of clothes hold when it is one of them."""
_NEARLY_ALL = 0.92
"""Share of a piece's area from which the rest of it is taken for the same."""
_SAMPLES = np.array([(1 / 3, 1 / 3, 1 / 3), (0.7, 0.15, 0.15), (0.15, 0.7, 0.15), (0.15, 0.15, 0.7)])
"""Weights of a triangle's corners at the points whose colours are looked at."""
_LEVELS = 24
"""Into so many steps each channel is cut to count the face's colours."""
_USUAL = 0.03
"""Share of the face's front that a colour of its skin has at least."""
_GREY = 0.008
"""Chroma in Oklab under which a skin has no hue: black, white, stone."""
_GREY_REACH = 0.04
"""How far in Oklab from such a skin its shades are."""
_PALER = 0.5
"""Share of its chroma that a skin keeps where it is lightest; white is no skin."""
_RICHER = (0.025, 0.4)
"""By how much more chroma a skin may have, and by how much more for each step that it is darker."""
_OTHER_HUE = (0.012, 0.3)
"""How far off the line of its hue a skin may be, and how much further for each step of chroma."""
_LIGHTER, _DARKER = 0.06, 0.3
"""Steps of lightness in Oklab that a skin's lights and shades are away."""


def find_layers(actor: Actor, figure: Figure, pieces: Pieces, parts: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(m,) the layer of each triangle of `figure`, whose `parts` (m,) are known and whose `pieces` are decided."""
    table = np.zeros(256, np.uint8)
    for part, layer in _OF_PART.items():
        table[part] = layer
    layers = table[parts]
    body = parts == Part.BODY
    if body.any():
        layers[body] = _of_body(actor, figure, pieces, parts)[body]
    return layers


def _of_body(actor: Actor, figure: Figure, pieces: Pieces, parts: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(m,) the layer of each triangle if it is the body's."""
    names = [worn_of(surface.name) for surface in actor.surfaces]
    by_name = np.array([_OF_NAME[name] if name else 0 for name in names] or [0], np.uint8)[figure.surface]
    garments = np.array([worn_of(bone.name) is Worn.CLOTHES for bone in actor.bones] + [False])
    held = pieces.share(garments[figure.bones])[pieces.of_triangle] > _HELD
    layers = np.where(_with_hair(figure, parts), np.uint8(Layer.HAIR), _by_colour(actor, figure, pieces, parts))
    layers = np.where(held, np.uint8(Layer.CLOTHES), layers)
    return np.where(by_name > 0, by_name, layers)


def _with_hair(figure: Figure, parts: NDArray[np.uint8]) -> Mask:
    """(m,) whether more than half of a triangle's material is hair, by area."""
    areas, count = _areas(figure), int(figure.surface.max()) + 1
    hair = np.bincount(figure.surface, areas * (parts == Part.HAIR), minlength=count)
    return np.asarray((hair > 0.5 * np.bincount(figure.surface, areas, minlength=count))[figure.surface])


def _by_colour(actor: Actor, figure: Figure, pieces: Pieces, parts: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(m,) skin where a triangle is coloured like the face, else clothes."""
    body = np.flatnonzero(parts == Part.BODY)
    face = np.flatnonzero((parts == Part.FACE) & pieces.decided_by("face") & figure.shown)
    limbs = np.array([hint_of(surface.name) in (Hint.SKIN, Hint.CLOTHES) for surface in actor.surfaces] or [False])
    unknown = np.where(limbs[figure.surface], Layer.SKIN, Layer.CLOTHES).astype(np.uint8)
    skin = _usual(_colours(actor, figure, face), _areas(figure)[face])
    if not len(skin):
        return unknown
    colours = _colours(actor, figure, body)
    # Corners of a triangle may lie on the border of two colours: more than half of its points decide.
    like = _is_skin(_oklab(colours), skin).mean(axis=1)
    known = ~np.isnan(colours).any(axis=(1, 2))
    share = np.where(known, like, np.nan)
    areas = np.where(known, _areas(figure)[body], 0.0)
    piece = pieces.of_triangle[body]
    total = np.bincount(piece, areas, minlength=pieces.count)
    mean = np.bincount(piece, areas * np.nan_to_num(share), minlength=pieces.count) / np.maximum(total, 1e-30)
    of_piece = mean[piece]
    chosen = np.where(of_piece > _NEARLY_ALL, True, np.where(of_piece < 1 - _NEARLY_ALL, False, share > 0.5))
    layers = unknown
    layers[body[known]] = np.where(chosen, Layer.SKIN, Layer.CLOTHES)[known]
    return layers


def _areas(figure: Figure) -> Floats:
    """(m,)"""
    a, b, c = (figure.points[figure.triangles[:, corner]] for corner in range(3))
    return np.asarray(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2)


def _colours(actor: Actor, figure: Figure, triangles: NDArray[np.int64]) -> Floats:
    """(n, samples, 3) linear colours of points all over each triangle; NaN where a texture is absent."""
    colours = np.ones((len(triangles), len(_SAMPLES), 3))
    places = np.einsum("sc,ncx->nsx", _SAMPLES, figure.uvs[figure.triangles[triangles]])
    for surface in np.unique(figure.surface[triangles]):
        rows = np.flatnonzero(figure.surface[triangles] == surface)
        texels = figure.texels(int(surface), places[rows].reshape(-1, 2))
        if texels is not None:
            colours[rows] = (texels[:, :3].reshape(len(rows), -1, 3) / 255.0) ** 2.2
        elif actor.surfaces[surface].absent:
            colours[rows] = np.nan
        colours[rows] *= actor.rest.looks[surface].colour[:3]
    return colours


def _usual(colours: Floats, areas: Floats) -> Floats:
    """(k, 3) in Oklab what (n, samples, 3) colours of a face show time and again and is its skin, the usual one first; none
    when no colour is known."""
    weights = np.repeat(areas, colours.shape[1])
    flat = colours.reshape(-1, 3)
    known = ~np.isnan(flat).any(axis=1)
    flat, weights = flat[known], weights[known]
    if not len(flat) or weights.sum() <= 0:
        return np.zeros((0, 3))
    steps = (flat.clip(0, 1) ** (1 / 2.2) * (_LEVELS - 1)).round().astype(np.int64)
    _, cell = np.unique(steps @ (1, _LEVELS, _LEVELS**2), return_inverse=True)
    total = np.bincount(cell, weights)
    lab = _oklab(flat)
    sums = np.column_stack([np.bincount(cell, weights * lab[:, i]) for i in range(3)])
    order = np.argsort(-total, kind="stable")
    means = sums[order] / np.maximum(total[order], 1e-30)[:, None]
    often = total[order] >= _USUAL * total.sum()
    often[0] = True
    return np.asarray(means[often & _is_skin(means, means[:1])])


def _is_skin(lab: Floats, skin: Floats) -> NDArray[np.bool_]:
    """(...) whether (..., 3) colours in Oklab are lights or shades of any of the (k, 3) colours of `skin`; NaN is not."""
    found = np.zeros(lab.shape[:-1], bool)
    for light, *hue in skin:
        chroma = float(np.hypot(*hue))
        if chroma < _GREY:
            found |= np.linalg.norm(lab - (light, *hue), axis=-1) < _GREY_REACH
            continue
        along = lab[..., 1:] @ (np.array(hue) / chroma)
        across = np.abs(lab[..., 1:] @ (np.array([-hue[1], hue[0]]) / chroma))
        darker = light - lab[..., 0]
        most = chroma + _RICHER[0] + _RICHER[1] * darker.clip(0, None)
        right = (along >= _PALER * chroma) & (along <= most) & (across <= _OTHER_HUE[0] + _OTHER_HUE[1] * along)
        found |= right & (darker >= -_LIGHTER) & (darker <= _DARKER)
    return found


def _oklab(colours: Floats) -> Floats:
    """Linear colours (..., 3) in Oklab (B. Ottosson): lightness, and two axes of hue."""
    cones = colours @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    return np.asarray(
        np.cbrt(cones)
        @ np.array(
            [
                [0.2104542553, 1.9779984951, 0.0259040371],
                [0.7936177850, -2.4285922050, 0.7827717662],
                [-0.0040720468, 0.4505937099, -0.8086757660],
            ]
        )
    )
