"""The colour that a surface has of itself, before any style: said once for both canvases.

The terms and their order are MikuMikuDance's: texture, tint, material colour, then the sphere map, multiplied or added.
MikuMikuDance adds what is shown on the screen, not light, so the sum is made there.
"""

from enum import IntEnum

from farm.styles.expression import Node, clamp, minimum, power, term

TEXEL = term("texel", is_colour=True)
"""The texture's colour, linear light; white without a texture."""
COLOUR = term("colour", is_colour=True)
"""The material's colour, linear light."""
ADDED = term("added", is_colour=True)
"""Added to the texture's colour."""
SPHERE = term("sphere", is_colour=True)
"""The sphere map's colour where the normal points, times its tint, linear light."""
_SCREEN = 2.2


class SphereBlend(IntEnum):
    """What a sphere map does; the values are PMX's sphere modes."""

    NONE = 0
    MULTIPLY = 1
    ADD = 2


def own_colour(blend: SphereBlend) -> Node:
    """The surface's colour, linear light, at most 1."""
    plain = clamp(TEXEL + ADDED) * COLOUR
    match blend:
        case SphereBlend.NONE:
            return plain
        case SphereBlend.MULTIPLY:
            return plain * SPHERE
        case SphereBlend.ADD:
            return power(minimum(power(plain, 1 / _SCREEN) + power(SPHERE, 1 / _SCREEN), 1.0), _SCREEN)
