"""What a style is."""

from dataclasses import dataclass

from farm.styles.expression import Node, glsl, term

BASE = term("base", is_colour=True)
"""The surface's own colour, linear light: texture, material colour, tints and sphere map."""
FACING = term("facing")
"""The cosine between the surface's normal and the direction to the light, in [-1, 1]."""
LIGHT = term("light")
"""The light's intensity, in [0.3, 0.9] (paper)."""


@dataclass(frozen=True, slots=True)
class Style:
    """One way to show a surface; both canvases draw what it says."""

    name: str
    summary: str
    """A phrase for people."""
    shown: Node
    """The colour that is shown, linear light, from BASE, FACING and LIGHT and the surface's shade ramp."""
    outline: float = 0.0
    """Outline width in pixels of a 256-pixel picture; 0 draws none."""

    @property
    def glsl(self) -> str:
        """The shown colour as a GLSL expression over `base`, `facing` and `light`."""
        return glsl(self.shown)
