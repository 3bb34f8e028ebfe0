"""What a surface brings to every style: its own colour, and its own light. Said once for both canvases.

The terms of the colour and their order are MikuMikuDance's: texture, tint, material colour, then the sphere map, multiplied
or added. MikuMikuDance adds what is shown on the screen, not light, so the sum is made there. Emission is glTF's, rim light
and matcap are MToon's. Source: glTF 2.0, section 3.9; VRMC_materials_mtoon-1.0.
"""

from enum import IntEnum

from farm.styles.expression import Node, clamp, mentions, minimum, mix, power, term
from farm.styles.style import LIGHT

TEXEL = term("texel", is_colour=True)
"""The texture's colour times the vertex' own, linear light; white without either."""
COLOUR = term("colour", is_colour=True)
"""The material's colour, linear light."""
ADDED = term("added", is_colour=True)
"""Added to the texture's colour."""
SPHERE = term("sphere", is_colour=True)
"""The sphere map's colour, times its tint, linear light."""
EMISSION = term("emission", is_colour=True)
"""What the surface gives off: its emission's colour times its map, linear light."""
RIM = term("rim", is_colour=True)
"""The colour of its rim light."""
MATCAP = term("matcap", is_colour=True)
"""The colour of its matcap, a picture of a lit ball, where the normal points."""
RIM_MASK = term("rim_mask", is_colour=True)
"""Its rim texture: how much of rim light and matcap there is; white without one."""
LOOKING = term("looking")
"""The cosine between the surface's normal and the direction to the eye."""
RIM_LIFT, RIM_POWER, RIM_MIX = term("rim_lift"), term("rim_power"), term("rim_mix")
"""How far the rim light reaches, how fast it fades, and how much of it the light lights."""
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


def with_own_light(shown: Node) -> Node:
    """What a style shows, and the surface's emission; in styles that show the light, rim light and matcap too."""
    if not mentions(shown, LIGHT):
        return shown + EMISSION
    edge = power(clamp(1.0 - LOOKING + RIM_LIFT), RIM_POWER)
    return shown + EMISSION + (RIM * edge + MATCAP) * RIM_MASK * mix(1.0, LIGHT, RIM_MIX)
