"""Frame buffers and what they draw into: made once for a size and kept, as `shading` says why."""

from functools import lru_cache

import gpu
import numpy as np
from numpy.typing import NDArray

_KEPT = 12
"""Sizes and layer counts that are kept: a batch has one, and a process meets few. One that is let go of is not bound."""


class Frame:
    """Layers of one size behind one depth layer."""

    def __init__(self, size: int, formats: tuple[str, ...], depth: bool) -> None:
        self.size = size
        self.layers = [gpu.types.GPUTexture((size, size), format=form) for form in formats]
        for layer in self.layers:
            if layer.format in ("RGBA16F", "RGBA8"):  # as filters look them up
                layer.filter_mode(True)
                layer.extend_mode("EXTEND")
        self._depth = gpu.types.GPUTexture((size, size), format="DEPTH_COMPONENT32F") if depth else None
        self.buffer = gpu.types.GPUFrameBuffer(depth_slot=self._depth, color_slots=tuple(self.layers))
        self._alone: dict[int, gpu.types.GPUFrameBuffer] = {}

    def alone(self, layer: int) -> gpu.types.GPUFrameBuffer:
        """A frame buffer of one of the layers and the same depth."""
        if layer not in self._alone:
            slots = (self.layers[layer],)
            self._alone[layer] = gpu.types.GPUFrameBuffer(depth_slot=self._depth, color_slots=slots)
        return self._alone[layer]


@lru_cache(_KEPT)
def frame(role: str, size: int, formats: tuple[str, ...], depth: bool = True) -> Frame:
    """The frame for one role ("pictures", "labels", ...): a pass never draws into what it reads from."""
    return Frame(size, formats, depth)


def flat_batch(corners: NDArray[np.float32]) -> gpu.types.GPUBatch:
    """Triangles on a frame, with the attribute position: (3 n, 2) corners in [-1, 1]."""
    form = gpu.types.GPUVertFormat()
    form.attr_add(id="position", comp_type="F32", len=2, fetch_mode="FLOAT")
    buffer = gpu.types.GPUVertBuf(form, len(corners))
    buffer.attr_fill("position", corners)
    return gpu.types.GPUBatch(type="TRIS", buf=buffer)
