"""How a material is drawn, and the part of that which morphs can change."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.ramps import Ramp, flat
from blender_worker.character.textures import Texture
from farm.models.materials import Wrap
from farm.styles.surface import SphereBlend

_BLACK = (0.0, 0.0, 0.0)
_WHITE = (1.0, 1.0, 1.0)
LEAST_ALPHA = 0.004
"""What is more transparent than this is not drawn, and hides nothing."""
_WRAPPED: Mapping[Wrap, Callable[[NDArray[np.floating]], NDArray[np.floating]]] = {
    Wrap.REPEAT: lambda place: place % 1,
    Wrap.MIRROR: lambda place: 1 - np.abs(1 - place % 2),
    Wrap.CLAMP: lambda place: place.clip(0, 1),
}


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
    sphere: tuple[float, float, float] = _WHITE
    """Multiplied with the sphere map."""
    ramp: tuple[float, float, float] = _WHITE
    """Multiplied with the shade ramp."""
    floor: tuple[float, float, float] = _BLACK
    """Added to the shade ramp after that."""
    emission: tuple[float, float, float] = _BLACK
    """Multiplied with the emission's map; may be over 1. This and what follows shows where the surface has details."""
    shade: tuple[float, float, float] = _BLACK
    """Multiplied with the shade's map: what the surface shows in full shade."""
    rim: tuple[float, float, float] = _BLACK
    matcap: tuple[float, float, float] = _BLACK


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
class Map:
    """A texture in one role of a surface."""

    texture: Texture
    wrap: tuple[Wrap, Wrap] = (Wrap.REPEAT, Wrap.REPEAT)
    """Along u and v."""
    smooth: bool = True
    """False shows the nearest texel."""
    second: bool = False
    """Whether it is looked up at the vertices' second texture coordinates."""
    solid: bool = False
    """Whether its alpha is ignored."""
    data: bool = False
    """Whether its channels are numbers and no colours."""

    def texels(self, factor: float) -> NDArray[np.uint8]:
        """(h, w, 4) its pixels with both sides divided by `factor`; its alpha is 255 where it is ignored."""
        if not self.solid:
            return self.texture.shrunk(factor)
        pixels = self.texture.pixels.copy()
        pixels[..., 3] = 255
        return Texture(self.texture.name, pixels).shrunk(factor)

    def texels_at(self, places: NDArray[np.floating]) -> NDArray[np.float32]:
        """(m, 4) the nearest texel's channels, in [0, 1] as the file has them, at (m, 2) places, v from the bottom."""
        height, width = self.texture.pixels.shape[:2]
        places = np.nan_to_num(places, posinf=0.0, neginf=0.0)
        u, v = (_WRAPPED[wrap](places[:, axis]) for axis, wrap in enumerate(self.wrap))
        rows = ((1 - v) * height).astype(np.int64).clip(0, height - 1)
        columns = (u * width).astype(np.int64).clip(0, width - 1)
        return np.asarray(self.texture.pixels[rows, columns] / np.float32(255), np.float32)


@dataclass(frozen=True, slots=True)
class Detail:
    """What few surfaces have: those that have none of it are drawn by a simpler shader."""

    coloured: bool = False
    """Whether the vertices' colours are multiplied with the texture."""
    emission: Map | None = None
    shade: Map | None = None
    own_shade: bool = False
    """Whether its shade is `Look.shade` and the map `shade`, where others take their own colour times the ramp."""
    rim: Map | None = None
    rim_lift: float = 0.0
    rim_power: float = 1.0
    rim_mix: float = 1.0
    matcap: Map | None = None
    """Looked up by the normal, as VRMC_materials_mtoon says."""
    shift: Map | None = None
    """Its red channel moves the shade's edge: by `shifts[0]` where it is 0, and by `shifts[1]` more where it is 1."""
    shifts: tuple[float, float] = (0.0, 0.0)
    """Along the ramp, whose length is 1."""
    normal: Map | None = None
    """Where the normal points, in the axes of the vertices' tangents."""
    normal_scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Surface:
    """How one material is drawn."""

    name: str
    paint: Paint
    base: Map | None
    """Its own picture."""
    double_sided: bool
    cutoff: float | None = None
    """Texels with less alpha are cut out and the rest is opaque (glTF MASK); None blends."""
    opaque: bool = False
    """Alpha is ignored (glTF OPAQUE)."""
    writes_depth: bool = True
    """Whether it hides what is drawn later behind it."""
    ramp: Ramp = field(default_factory=flat)
    sphere: Map | None = None
    """Looked up by the normal in the camera's axes, or, if it is `second`, as a texture; alpha is ignored."""
    sphere_blend: SphereBlend = SphereBlend.NONE
    """How the sphere map acts; NONE where there is no sphere map."""
    absent: str = ""
    """The name of the texture that the file names and that is not there, or cannot be read."""
    detail: Detail | None = None
    outline_mix: float = 0.0
    """How much of the outline's colour is multiplied with what the surface shows."""

    @property
    def texture(self) -> Texture | None:
        """The base map's texture."""
        return self.base.texture if self.base is not None else None

    @property
    def placed(self) -> Iterator[Map]:
        """The maps that are looked up at texture coordinates."""
        sphere = self.sphere if self.sphere is not None and self.sphere.second else None
        detail = self.detail or Detail()
        maps = (self.base, sphere, detail.emission, detail.shade, detail.rim, detail.shift, detail.normal)
        return (one for one in maps if one is not None)

    @property
    def balls(self) -> Iterator[Map]:
        """The maps that are looked up by the normal: pictures of a ball."""
        sphere = self.sphere if self.sphere is not None and not self.sphere.second else None
        matcap = self.detail.matcap if self.detail is not None else None
        return (one for one in (sphere, matcap) if one is not None)

    def outline_alpha(self, look: Look) -> float:
        """The share of the outline's colour that is seen where the texture is solid, in [0, 1]."""
        return look.outline_colour[3] * (1.0 if self.opaque else look.colour[3])
