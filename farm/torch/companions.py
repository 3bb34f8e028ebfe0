"""Another picture of the same model, seen from the same view, drawn from a seed."""

import numpy as np
from numpy.typing import NDArray

from farm.errors import SpecError
from farm.poses import uniform
from farm.torch.faces import Faces, Places


class Companions:
    """A companion for each of some rows. Rows that have none, as they are the only ones of model and view, are left out."""

    def __init__(self, faces: Faces, places: Places, seed: int) -> None:
        views = np.array([faces.models[model].places[row, 2] for model, row in places])
        first = np.flatnonzero(np.r_[True, (np.diff(places[:, 0]) != 0) | (np.diff(views) != 0)])
        counts = np.diff(np.r_[first, len(places)])
        starts, sizes = np.repeat(first, counts), np.repeat(counts, counts)
        self._faces, self._seed, self._all = faces, seed, places
        self._paired: NDArray[np.int64] = np.flatnonzero(sizes > 1)
        self._starts, self._sizes = starts, sizes
        if not len(self._paired):
            raise SpecError("No model has two pictures from one view to pair; render more samples.")

    def __len__(self) -> int:
        return len(self._paired)

    def pair(self, index: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Model and row of number `index`, and those of its companion, never the same row."""
        place = int(self._paired[index])
        start, size = int(self._starts[place]), int(self._sizes[place])
        number, row = self._all[place].tolist()
        model = self._faces.models[number]
        lot = uniform(self._seed, model.model, int(model.places[row, 0]), f"companion/{model.name(row)}")
        other = start + (place - start + 1 + int(lot * (size - 1))) % size
        return (number, row), tuple(self._all[other].tolist())
