"""Labels as pictures for people: contact sheets and documentation, never data."""

import colorsys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from farm.labels import PALETTE, LabelName
from farm.occluders import NOTHING
from farm.pipe import Marks

_WHEEL = np.array([colorsys.hsv_to_rgb(step / 256, 1.0, 1.0) for step in range(256)], np.float32)
_STILL = 0.01
"""Pixels; a point that moves less stands still."""
_OCCLUDER_HUE = 40
"""Of 256 steps around the wheel: from one occluder to the next."""
_DOT, _RING = (255, 255, 255), (20, 20, 30)


def label_pictures(
    arrays: Mapping[LabelName, NDArray[Any]], marks: Marks | None, beneath: NDArray[np.uint8]
) -> dict[str, NDArray[np.uint8]]:
    """A (size, size, 4) picture for each label, by its name; landmarks are drawn over the picture `beneath`."""
    pictures = {}
    for name, array in arrays.items():
        match name:
            case LabelName.PARTS:
                pictures[name.value] = _parts(array)
            case LabelName.DEPTH:
                pictures[name.value] = _depth(array.astype(np.float32))
            case LabelName.NORMALS:
                pictures[name.value] = _normals(array.astype(np.float32))
            case LabelName.UV:
                pictures[name.value] = _uv(array.astype(np.float32))
            case LabelName.FLOW:
                pictures[name.value] = _flow(array.astype(np.float32))
            case LabelName.OCCLUSION:
                pictures[name.value] = _occlusion(array)
            case LabelName.LANDMARKS:
                pass
    if marks is not None:
        pictures[LabelName.LANDMARKS.value] = _landmarks(marks, beneath)
    return pictures


def _rgba(rgb: NDArray[np.floating], shown: NDArray[np.bool_]) -> NDArray[np.uint8]:
    opaque = np.dstack([rgb * 255, np.full(shown.shape, 255.0)]).round().clip(0, 255).astype(np.uint8)
    return np.where(shown[..., None], opaque, np.uint8(0))


def _parts(parts: NDArray[Any]) -> NDArray[np.uint8]:
    return _rgba((np.array(PALETTE, np.float32) / 255)[parts.astype(np.intp)], np.asarray(parts > 0))


def _occlusion(codes: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey where the character is to be seen, a colour of its own for each occluder."""
    hues = np.array([(0, 0, 0), (0.6, 0.6, 0.6), *_WHEEL[_OCCLUDER_HUE::_OCCLUDER_HUE]], np.float32)
    return _rgba(hues[np.minimum(codes.astype(np.intp), len(hues) - 1)], np.asarray(codes > NOTHING))


def _depth(depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Near is light."""
    shown = depth > 0
    near, far = (float(edge(depth[shown])) for edge in (np.min, np.max)) if shown.any() else (0.0, 1.0)
    grey = 1 - 0.85 * (depth - near) / max(far - near, 1e-6)
    return _rgba(np.repeat(grey[..., None], 3, axis=-1), shown)


def _normals(normals: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Red to the right, green up, blue towards the camera."""
    return _rgba(normals * (0.5, -0.5, -0.5) + 0.5, np.asarray(np.abs(normals).max(axis=-1) > 0))


def _uv(uv: NDArray[np.float32]) -> NDArray[np.uint8]:
    place = uv - np.floor(uv)
    return _rgba(np.dstack([place, np.full(uv.shape[:2], 0.4)]), np.asarray(np.abs(uv).max(axis=-1) > 0))


def _flow(flow: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The hue is the direction, the strength the length."""
    length = np.linalg.norm(flow, axis=-1)
    hue = ((np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi)) % 1 * 255).astype(int)
    strength = (length / max(float(length.max()), 1e-6))[..., None]
    return _rgba(_WHEEL[hue] * strength + 1 - strength, length > _STILL)


def _landmarks(marks: Marks, beneath: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Dots where a landmark is visible, rings where it is hidden, boxes about head and face."""
    scale = max(1, 512 // beneath.shape[0])
    picture = Image.fromarray(beneath).convert("RGBA").resize((beneath.shape[1] * scale, beneath.shape[0] * scale))
    pen = ImageDraw.Draw(picture)
    for box in (marks.head_box, marks.face_box):
        if box is not None:
            pen.rectangle([value * scale for value in box], outline=_RING, width=scale)
    radius = 2.2 * picture.width / 256
    for landmark in marks.landmarks.values():
        x, y = landmark.x * scale, landmark.y * scale
        spot = (x - radius, y - radius, x + radius, y + radius)
        pen.ellipse(spot, fill=(*_DOT, 255) if landmark.visible else None, outline=(*_RING, 255), width=scale)
    return np.asarray(picture.resize(beneath.shape[1::-1], Image.Resampling.BOX))
