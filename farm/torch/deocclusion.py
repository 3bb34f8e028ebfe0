"""Characters with something over the face, and the same without."""

from typing import Any

import torch
from torch.utils.data import Dataset

from farm.dataset.splits import Split
from farm.errors import SpecError
from farm.labels import LabelName
from farm.poses import Partition
from farm.torch.faces import Faces
from farm.torch.tensors import WHITE, over, tensor_of


class Deocclusion(Dataset[dict[str, Any]]):
    """A picture of a character that wears something and the same without it, of every row of a side that shows one.

    An item has `input` and `target`, (3, side, side) float32 in [0, 1], transparent parts over the colour `ground`; `mask`
    (1, side, side) float32, 1 where the occluder is; `occluder`, its number in `farm.occluders.CODES`, int64. `partition`
    None takes both. Raises SpecError as `Faces.select` does, and for folders without the label `occlusion`.
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
        for model in faces.models:
            if not model.spec.occluders or LabelName.OCCLUSION not in model.spec.labels:
                raise SpecError(
                    f"{model.folder} was rendered without occluders or without the label of them; render it again with "
                    "--occluder all --labels occlusion."
                )
        self._places = faces.select(split, [style], partition=partition, worn=True)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> dict[str, Any]:
        number, row = self._places[index].tolist()
        model = self._faces.models[number]
        worn, bare = (over(model.picture(each, self._style), self._ground) for each in (row, row - 1))
        code = int(model.worn[row])
        return {
            "input": tensor_of(worn),
            "target": tensor_of(bare),
            "mask": torch.from_numpy((model.occlusion(row) == code)[None].astype("float32")),
            "occluder": torch.tensor(code),
        }
