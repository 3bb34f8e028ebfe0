"""The labels of one picture as files: arrays, part and layer pictures that people can look at, and numbers."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.dataset.label_reading import ARRAYS_SUFFIX, INDEXED, MARKS_SUFFIX
from farm.drawing.npz import encode_npz
from farm.drawing.png import encode_indexed
from farm.labels import LAYER_PALETTE, PALETTE, LabelName
from farm.marks import Marks

_STEPS = {LabelName.DEPTH: 2.0**-16, LabelName.UV: 2.0**-15, LabelName.FLOW: 2.0**-8}
"""Metres, texture widths, pixels: what a value is rounded to, far below what can be seen, so that it packs."""
_PALETTES = {
    LabelName.PARTS: np.array(PALETTE, np.uint8),
    LabelName.LAYERS: np.array(LAYER_PALETTE, np.uint8),
}


def label_files(arrays: Mapping[LabelName, NDArray[Any]], marks: Marks | None) -> dict[str, bytes]:
    """Contents by file name suffix. Normals are stored as float16, all other numbers as float32."""
    files = {}
    pictures = {name.value: _stored(name, array) for name, array in arrays.items() if name not in INDEXED}
    if pictures:
        files[ARRAYS_SUFFIX] = encode_npz(pictures)
    for name, suffix in INDEXED.items():
        if name in arrays:
            files[suffix] = encode_indexed(arrays[name].astype(np.uint8), _PALETTES[name])
    if marks is not None:
        files[MARKS_SUFFIX] = json.dumps(marks.model_dump(mode="json")).encode()
    return files


def _stored(name: LabelName, array: NDArray[Any]) -> NDArray[Any]:
    if name is LabelName.NORMALS:
        return array.astype(np.float16)
    if name is LabelName.OCCLUSION:
        return array.astype(np.uint8)
    step = np.float32(_STEPS[name])
    return np.round(array.astype(np.float32) / step) * step
