"""Line drawings and the colours that belong into them."""

from typing import Any

from torch.utils.data import Dataset

from farm.dataset.splits import Split
from farm.poses import Partition
from farm.torch.companions import Companions
from farm.torch.faces import Faces
from farm.torch.lines import line_drawing
from farm.torch.tensors import WHITE, over, tensor_of

LINES, COLOURS = "ink", "flat"
"""The styles that drawing and colours are taken from. The paper colours its S.3, the flat one."""


class Colorization(Dataset[dict[str, Any]]):
    """A line drawing, its colours and a coloured picture of the same model in another pose, of every row of a side.

    An item has `lines` (1, side, side), 1 paper and 0 line, of the style `ink` and the edges of the parts; `colour`
    (3, side, side), the same in style `flat`; `reference` (3, side, side), another row of the model and view in style
    `flat`, drawn from `seed`, for colorization by reference. All float32 in [0, 1], transparent parts white. `partition` None
    takes both. Raises SpecError as `Faces.select` does.
    """

    def __init__(
        self, faces: Faces, split: Split, *, seed: int = 0, partition: Partition | str | None = Partition.ROTATED
    ) -> None:
        self._faces = faces
        self._pairs = Companions(faces, faces.select(split, [LINES, COLOURS], parts=True, partition=partition), seed)

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        (number, row), (_, other) = self._pairs.pair(index)
        model = self._faces.models[number]
        return {
            "lines": tensor_of(line_drawing(over(model.picture(row, LINES), WHITE), model.parts(row))),
            "colour": tensor_of(over(model.picture(row, COLOURS), WHITE)),
            "reference": tensor_of(over(model.picture(other, COLOURS), WHITE)),
        }
