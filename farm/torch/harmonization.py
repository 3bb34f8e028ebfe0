"""Characters in a light that does not belong to the background that they stand before, and the same in one that does.

In both, an accessory may lie over the character.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from farm.backgrounds import cropped, find_pictures, ground, read_pixels
from farm.colour import laid_over, linear_of, srgb_of
from farm.dataset.splits import Split
from farm.errors import SpecError
from farm.poses import Partition, uniform
from farm.torch.accessories import Accessories
from farm.torch.faces import Faces
from farm.torch.rows import PackedRows
from farm.torch.tensors import tensor_of


class Harmonization(Dataset[dict[str, Any]]):
    """A character laid over a picture of the folder `backgrounds` in two ways, of every row of a side.

    An item has `target` (3, side, side), the row in `style` over the background; `input` (3, side, side), over the same
    background the same row in one of `other_styles`, under a light of another colour; `mask` (1, side, side), the alpha of
    all that was laid over the background. All float32 in [0, 1]. With `accessories`, a folder of pictures with transparent
    parts, one of them lies over the character: as it is in `target`, under a light of its own in `input`; its alpha is
    `accessory` (1, side, side).

    Background, its crop, other style, accessory, its place and the lights are drawn from `seed`: the red, green and blue of
    linear light are scaled by factors in [1 - cast, 1 + cast]. `partition` None takes both. The paper harmonizes its S.3,
    the flat style.

    Raises SpecError as `Faces.select` does and for pictures that were rendered over backgrounds, BackgroundError when there
    is no picture in a folder, and later when one cannot be used.
    """

    def __init__(
        self,
        faces: Faces,
        split: Split,
        backgrounds: str | Path,
        accessories: str | Path | None = None,
        *,
        seed: int = 0,
        style: str = "flat",
        other_styles: Sequence[str] = ("default", "toon"),
        cast: float = 0.3,
        partition: Partition | str | None = None,
    ) -> None:
        if not other_styles or not 0 <= cast < 1:
            raise SpecError(f"Give at least one other style, and a cast in [0, 1), not {cast}.")
        self._faces, self._seed, self._style, self._others, self._cast = faces, seed, style, tuple(other_styles), cast
        self._places = faces.select(split, [style, *other_styles], partition=partition)
        for number in np.unique(self._places[:, 0]):
            if (model := faces.models[number]).spec.backgrounds:
                raise SpecError(
                    f"{model.folder} was rendered over backgrounds, so its characters cannot be cut out; render it again "
                    "without --backgrounds."
                )
        self._accessories = None if accessories is None else Accessories(accessories)
        self._folder = Path(backgrounds)
        self._pictures = np.array([str(path.relative_to(self._folder)) for path in find_pictures(self._folder)])

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> dict[str, Any]:
        number, row = self._places[index].tolist()
        model = self._faces.models[number]

        def draw(purpose: str) -> float:
            return uniform(
                self._seed, model.model, int(model.places[row, 0]), f"harmonization/{model.name(row)}/{purpose}"
            )

        behind = self._ground(draw, model)
        character = model.picture(row, self._style)
        other = model.picture(row, self._others[int(draw("style") * len(self._others))])
        target, given = laid_over(character, behind), laid_over(self._lit(other, draw, "light"), behind)
        item, alpha = dict[str, Any](), character[..., 3]
        if self._accessories is not None:
            prop = self._accessories.placed(model, lambda purpose: draw(f"accessory/{purpose}"))
            target, given = laid_over(prop, target), laid_over(self._lit(prop, draw, "accessory/light"), given)
            item["accessory"] = tensor_of(prop[..., 3])
            alpha = _together(alpha, prop[..., 3])
        return item | {"input": tensor_of(given), "mask": tensor_of(alpha), "target": tensor_of(target)}

    def _lit(self, picture: NDArray[np.uint8], draw: Callable[[str], float], light: str) -> NDArray[np.uint8]:
        """The picture under a light of another colour."""
        return _scaled(picture, [1 + self._cast * (2 * draw(f"{light}/{channel}") - 1) for channel in "rgb"])

    def _ground(self, draw: Callable[[str], float], model: PackedRows) -> NDArray[np.uint8]:
        name = str(self._pictures[int(draw("picture") * len(self._pictures))])
        pixels = read_pixels(self._folder / name)
        height, width = pixels.shape[:2]
        return ground(pixels, cropped(name, (width, height), draw), model.spec.size)


def _together(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w) the alpha of two layers, one over the other."""
    through = (255 - one.astype(np.uint32)) * (255 - other)
    return (255 - through // 255).astype(np.uint8)


def _scaled(picture: NDArray[np.uint8], factors: Sequence[float]) -> NDArray[np.uint8]:
    """(h, w, 4) the picture with the red, green and blue of its light scaled."""
    light = linear_of(np.arange(256, dtype=np.float32) / np.float32(255))[:, None] * np.array(factors, np.float32)
    shown = np.rint(np.clip(srgb_of(light), 0, 1) * 255).astype(np.uint8)  # (256, 3), by byte
    return np.stack([*(shown[picture[..., c], c] for c in range(3)), picture[..., 3]], axis=-1)
