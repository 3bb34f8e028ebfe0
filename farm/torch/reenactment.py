"""Pairs of pictures of one model, with the poses of both: one is to become the other."""

from typing import Any

import torch
from torch.utils.data import Dataset

from farm.dataset.splits import Split
from farm.poses import Partition
from farm.torch.companions import Companions
from farm.torch.faces import Faces
from farm.torch.tensors import WHITE, over, tensor_of


class Reenactment(Dataset[dict[str, Any]]):
    """Every row of a side as a source, and as its target another one of the same model and view, drawn from `seed`.

    An item has `source` and `target`, (3, side, side) float32 in [0, 1], transparent parts over the colour `ground`;
    `source_pose` and `target_pose`, (20,) float32, entries 17 to 19 in degrees, or in another pose space those of
    `Faces.pose_names`; `pose_mask`, as many booleans, which say which of them the model can play; `source_light` and
    `target_light`, the intensities of the one light, which differ in all styles but `flat`. `partition` None takes both.
    Another seed pairs anew, for the next epoch say. Raises SpecError as `Faces.select` does.
    """

    def __init__(
        self,
        faces: Faces,
        split: Split,
        *,
        seed: int = 0,
        style: str = "default",
        partition: Partition | str | None = Partition.ROTATED,
        ground: tuple[int, int, int] = WHITE,
    ) -> None:
        self._faces, self._style, self._ground = faces, style, ground
        self._pairs = Companions(faces, faces.select(split, [style], partition=partition), seed)

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        item: dict[str, Any] = {}
        for role, (number, row) in zip(("source", "target"), self._pairs.pair(index), strict=True):
            model = self._faces.models[number]
            item[role] = tensor_of(over(model.picture(row, self._style), self._ground))
            item[f"{role}_pose"] = torch.from_numpy(model.poses[row].copy())
            item["pose_mask"] = torch.from_numpy(model.pose_mask.copy())
            item[f"{role}_light"] = torch.tensor(float(model.lights[row]))
        return item
