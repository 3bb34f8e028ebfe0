"""S.2: two-tone cel shading by the surface's own shade ramp; the authors' files call it "toon2"."""

from farm.styles.expression import Node, clamp, power, ramp
from farm.styles.style import BASE, FACING, LIGHT, Style

_DEEPER = 1.25
"""Power of the surface's colour: cel colours are deep, and what has no shade to show is told from `flat` by them. White stays
white, so faces stay clean."""


def cel() -> Node:
    """The ramp's middle lies where the light's edge falls: the brighter the light, the smaller the shade."""
    edge = 0.8 - 0.5 * LIGHT
    return power(BASE, _DEEPER) * ramp(clamp(0.5 + 0.5 * (FACING - edge))) * (0.86 + 0.2 * LIGHT)


STYLE = Style("toon", "two-tone cel shading", cel())
