"""S.2: two-tone cel shading by the surface's own shade ramp; the authors' files call it "toon2"."""

from farm.styles.expression import Node, clamp, power, ramp
from farm.styles.style import BASE, FACING, LIGHT, Style

_DEEPER = 1.25
"""Power of the surface's colour: cel colours are deep."""
_DARK, _BY_LIGHT = 0.32, 0.6
"""How bright a surface is without light, and how much brighter with all of it, in linear light: 0.50 to 0.86 over the range
of `LIGHT`. What has no shade to show is told from `flat` by this alone: at 0.7 where the light is 0.6, a white character of
which nothing is textured would be as close as SSIM 0.977."""


def cel() -> Node:
    """The ramp's middle lies where the light's edge falls: the brighter the light, the smaller the shade."""
    edge = 0.8 - 0.5 * LIGHT
    return power(BASE, _DEEPER) * ramp(clamp(0.5 + 0.5 * (FACING - edge))) * (_DARK + _BY_LIGHT * LIGHT)


STYLE = Style("toon", "two-tone cel shading", cel())
