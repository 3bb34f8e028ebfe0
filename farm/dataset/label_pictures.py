"""Labels as pictures for people: contact sheets and documentation, never data."""

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from farm.joints import above_of
from farm.labels import LAYER_PALETTE, PALETTE, LabelName
from farm.marks import Box, JointLabel, Joints, Marks
from farm.occluders import NOTHING

_WHEEL = np.array([colorsys.hsv_to_rgb(step / 256, 1.0, 1.0) for step in range(256)], np.float32)
_STILL = 0.01
"""Pixels; a point that moves less stands still."""
_OCCLUDER_HUE = 40
"""Of 256 steps around the wheel: from one occluder to the next."""
type Colour = tuple[int, int, int]
_DOT, _RING = (255, 255, 255), (20, 20, 30)
_SIDES: dict[str, Colour] = {"left": (0, 158, 115), "righ": (86, 180, 233)}
_MIDDLE: Colour = (213, 94, 0)


def label_pictures(
    arrays: Mapping[LabelName, NDArray[Any]], marks: Marks | None, beneath: NDArray[np.uint8]
) -> dict[str, NDArray[np.uint8]]:
    """A (size, size, 4) picture for each label, by its name; landmarks and joints are drawn over the picture `beneath`."""
    pictures = {}
    for name, array in arrays.items():
        match name:
            case LabelName.PARTS:
                pictures[name.value] = _indexed(array, PALETTE)
            case LabelName.LAYERS:
                pictures[name.value] = _indexed(array, LAYER_PALETTE)
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
            case LabelName.LANDMARKS | LabelName.JOINTS:
                pass
    if marks is not None and marks.landmarks:
        pictures[LabelName.LANDMARKS.value] = _landmarks(marks, beneath)
    if marks is not None and marks.joints is not None:
        pictures[LabelName.JOINTS.value] = _joints(marks.joints, beneath)
    return pictures


def _rgba(rgb: NDArray[np.floating], shown: NDArray[np.bool_]) -> NDArray[np.uint8]:
    opaque = np.dstack([rgb * 255, np.full(shown.shape, 255.0)]).round().clip(0, 255).astype(np.uint8)
    return np.where(shown[..., None], opaque, np.uint8(0))


def _indexed(ids: NDArray[Any], palette: Sequence[tuple[int, int, int]]) -> NDArray[np.uint8]:
    return _rgba((np.array(palette, np.float32) / 255)[ids.astype(np.intp)], np.asarray(ids > 0))


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
    with _Sketch(beneath) as sketch:
        for box in (marks.head_box, marks.face_box):
            sketch.frame(box)
        for landmark in marks.landmarks.values():
            sketch.dot(landmark.x, landmark.y, 2.2, _DOT, landmark.visible)
    return sketch.picture


def _joints(joints: Joints, beneath: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The humanoid's bones as lines and COCO's joints as dots, or as rings where they are hidden; the person's box."""
    with _Sketch(beneath) as sketch:
        sketch.frame(joints.box)
        for name, joint in joints.humanoid.items():
            above = next((one for one in above_of(name) if joints.humanoid[one].visibility), None)
            if joint.visibility and above is not None:
                sketch.line(joint, joints.humanoid[above], _SIDES.get(name[:4], _MIDDLE))
        for name, joint in joints.coco.items():
            if joint.visibility:
                sketch.dot(joint.x, joint.y, 2.6, _SIDES.get(name[:4], _MIDDLE), joint.visibility == 2)
    return sketch.picture


class _Sketch:
    """Lines and dots over a picture, drawn large and reduced."""

    def __init__(self, beneath: NDArray[np.uint8]) -> None:
        self._size = beneath.shape[1::-1]
        self._scale = max(1, 512 // beneath.shape[0])
        width, height = (side * self._scale for side in self._size)
        self._drawn = Image.fromarray(beneath).convert("RGBA").resize((width, height))
        self._pen = ImageDraw.Draw(self._drawn)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.picture = np.asarray(self._drawn.resize(self._size, Image.Resampling.BOX))

    def frame(self, box: Box | None) -> None:
        if box is not None:
            self._pen.rectangle([value * self._scale for value in box], outline=_RING, width=self._scale)

    def line(self, one: JointLabel, other: JointLabel, colour: Colour) -> None:
        ends = [value * self._scale for value in (one.x, one.y, other.x, other.y)]
        self._pen.line(ends, fill=colour, width=self._scale)

    def dot(self, x: float, y: float, radius: float, colour: Colour, filled: bool) -> None:
        """`radius` is in 256th of the picture's width."""
        x, y, radius = x * self._scale, y * self._scale, radius * self._drawn.width / 256
        spot = (x - radius, y - radius, x + radius, y + radius)
        self._pen.ellipse(spot, fill=(*colour, 255) if filled else None, outline=(*_RING, 255), width=self._scale)
