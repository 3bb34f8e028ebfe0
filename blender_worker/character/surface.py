"""How a material is drawn, and the part of that which morphs can change."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.ramps import Ramp, two_tone
from blender_worker.character.textures import Texture
from farm.styles.surface import SphereBlend


@dataclass(frozen=True, slots=True)
class Look:
    """The part of a surface that morphs can change. Colours are linear light with straight alpha, in [0, 1]."""

    colour: tuple[float, float, float, float]
    """Multiplied with the texture."""
    added: tuple[float, float, float]
    """Added to the texture before that."""
    outline: float
    """Width of the outline relative to the style's own; 0 draws none."""
    outline_colour: tuple[float, float, float, float]
    sphere: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Multiplied with the sphere map."""
    ramp: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Multiplied with the shade ramp."""


class Paint(Protocol):
    """What a look is mixed from, in the terms of the file it came from."""

    values: NDArray[np.float32]
    """The numbers that `morphs.PaintEffect` multiplies and adds to."""

    def look(self, values: NDArray[np.float32]) -> Look:
        """The look of such numbers."""
        ...

    def add_outline(self, colour: tuple[float, float, float], width: float) -> None:
        """Have an outline at rest, where the file gives none; the colour is linear light."""
        ...


@dataclass(frozen=True, slots=True)
class Surface:
    """How one material is drawn."""

    name: str
    paint: Paint
    texture: Texture | None
    double_sided: bool
    cutoff: float | None = None
    """Texels with less alpha are cut out and the rest is opaque (glTF MASK); None blends."""
    opaque: bool = False
    """Alpha is ignored (glTF OPAQUE)."""
    ramp: Ramp = field(default_factory=two_tone)
    sphere: Texture | None = None
    """Looked up by the normal in the camera's axes; alpha is ignored."""
    sphere_blend: SphereBlend = SphereBlend.NONE
    """How the sphere map acts; NONE where there is no sphere map."""
