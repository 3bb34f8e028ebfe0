"""The pictures that stand in a glTF file, and how its materials use them.

Source: glTF 2.0, section 3.8; KHR_texture_transform; EXT_texture_webp; KHR_texture_basisu.
"""

from dataclasses import replace
from typing import Any

from farm.errors import ModelFormatError
from farm.models.gltf.container import Gltf, inline
from farm.models.gltf.values import Json, index, member, members, number, text, vector, whole
from farm.models.materials import TextureUse, Wrap

_WRAPS = {10497: Wrap.REPEAT, 33648: Wrap.MIRROR, 33071: Wrap.CLAMP}
_NEAREST = 9728
_MAX_LAYER = 3


class Textures:
    """The textures of one file, and what was wrong with those that were asked for."""

    def __init__(self, gltf: Gltf) -> None:
        self._textures = members(gltf.content, "textures")
        self._samplers = members(gltf.content, "samplers")
        self._images = members(gltf.content, "images")
        self.names = tuple(text(image.get("name")) or f"image {place}" for place, image in enumerate(self._images))
        self.embedded = _pictures(gltf, self._images)
        self._warnings: dict[str, None] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each texture that a material wants and cannot have."""
        return tuple(self._warnings)

    def use(self, info: Any) -> TextureUse | None:
        """What a material says with a `textureInfo`; None where it names no picture that can be shown."""
        if not isinstance(info, dict):
            return None
        plain = self.plain(info.get("index"))
        if plain is None:
            return None
        transform = member(info, "extensions").get("KHR_texture_transform")
        given = transform if isinstance(transform, dict) else {}
        layer = index(whole(given.get("texCoord", info.get("texCoord", 0))), _MAX_LAYER + 1)
        return replace(
            plain,
            layer=layer if layer is not None else 0,
            scale=vector(given.get("scale"), (1.0, 1.0)),
            offset=vector(given.get("offset"), (0.0, 0.0)),
            rotation=number(given.get("rotation"), 0.0),
        )

    def absent(self, info: Any) -> str:
        """The name of the picture that a material wants with a `textureInfo` and cannot have; "" for one that it can have."""
        found = index(info.get("index"), len(self._textures)) if isinstance(info, dict) else None
        if found is None or self._picture(self._textures[found]) is not None:
            return ""
        extensions = member(self._textures[found], "extensions")
        named = (member(extensions, name).get("source") for name in ("EXT_texture_webp", "KHR_texture_basisu"))
        pictures = (index(source, len(self._images)) for source in (self._textures[found].get("source"), *named))
        return next((self.names[picture] for picture in pictures if picture is not None), "")

    def plain(self, place: Any) -> TextureUse | None:
        """The texture at `place` of the file's list, as its sampler has it."""
        found = index(place, len(self._textures))
        if found is None:
            return None
        texture = self._textures[found]
        picture = self._picture(texture)
        if picture is None:
            return None
        chosen = index(texture.get("sampler"), len(self._samplers))
        sampler = self._samplers[chosen] if chosen is not None else {}
        u, v = (_WRAPS.get(whole(sampler.get(key)) or 0, Wrap.REPEAT) for key in ("wrapS", "wrapT"))
        return TextureUse(picture, wrap=(u, v), smooth=whole(sampler.get("magFilter")) != _NEAREST)

    def _picture(self, texture: Json) -> int | None:
        """The image of a texture: the one in WebP before the fallback, as Pillow reads both."""
        extensions = member(texture, "extensions")
        sources = (member(extensions, "EXT_texture_webp").get("source"), texture.get("source"))
        pictures = [place for source in sources if (place := index(source, len(self._images))) is not None]
        for place in pictures:
            if place in self.embedded:
                return place
        for place in pictures:
            self._warn(f"Texture '{self.names[place]}' has no bytes in the file; its material is drawn plain.")
        packed = index(member(extensions, "KHR_texture_basisu").get("source"), len(self._images))
        if packed is not None:
            self._warn(
                f"Texture '{self.names[packed]}' is there in the format KTX2 alone, which cannot be read here; its material "
                "is drawn plain. Export it as PNG."
            )
        return None

    def _warn(self, sentence: str) -> None:
        self._warnings[sentence] = None


def _pictures(gltf: Gltf, images: list[Json]) -> dict[int, bytes]:
    """The bytes of every image that has some. Raises ModelFormatError."""
    found: dict[int, bytes] = {}
    by_view: dict[int, bytes] = {}
    left = gltf.size
    for place, image in enumerate(images):
        data = inline(image)
        view = index(image.get("bufferView"), len(gltf.views))
        if data is None and view is not None:
            if view not in by_view:
                seen, _ = gltf.view(view)
                left -= len(seen)
                if left < 0:
                    raise ModelFormatError("The VRM's images overlap each other. Export it again.")
                by_view[view] = bytes(seen)
            data = by_view[view]
        if data:
            found[place] = data
    return found
