"""Pictures and the part of the character that each of their pixels shows."""

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from farm.dataset.splits import Split
from farm.poses import Partition
from farm.torch.faces import Faces
from farm.torch.tensors import WHITE, over, tensor_of


class Segmentation(Dataset[dict[str, Any]]):
    """A picture in one style and its parts, of every row of a side.

    An item has `picture` (3, side, side) float32 in [0, 1], transparent parts over the colour `ground`, and `parts`
    (side, side) int64, a `farm.labels.Part` each: 0 to 11, and 255 where it cannot be decided (`ignore_index=255`).
    `partition` None takes both. Raises SpecError as `Faces.select` does.
    """

    def __init__(
        self,
        faces: Faces,
        split: Split,
        *,
        style: str = "default",
        partition: Partition | str | None = None,
        ground: tuple[int, int, int] = WHITE,
    ) -> None:
        self._faces, self._style, self._ground = faces, style, ground
        self._places = faces.select(split, [style], parts=True, partition=partition, worn=None)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> dict[str, Any]:
        number, row = self._places[index]
        model = self._faces.models[number]
        return {
            "picture": tensor_of(over(model.picture(row, self._style), self._ground)),
            "parts": torch.from_numpy(model.parts(row).astype(np.int64)),
        }
