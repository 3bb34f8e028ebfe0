"""Checks every picture and its labels before they are stored: what is wrong here would be wrong in the data set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.dataset.usability import KEEP_IT
from farm.errors import InvalidSampleError, UnusableModelError
from farm.joints import COCO_JOINTS, HUMANOID_JOINTS
from farm.labels import LANDMARKS, LabelName, Layer, Part
from farm.marks import CameraLabel, JointLabel, Joints, Marks
from farm.occluders import CODES, NOTHING

_UNIT = 2e-3
"""By how much the length of a normal may miss 1."""
_IS_PART = np.isin(np.arange(256), list(Part))
_IS_LAYER = np.isin(np.arange(256), list(Layer))
_REPROJECTED = 0.5
"""Pixels by which a joint's place in the picture may miss that of its point in space."""
_PINK_SHARE = 0.5
"""Blender draws what it has no texture for in magenta; a picture that is magenta by more than this shows that."""


_ONE_COLOUR = 3
"""Levels of 255 by which pixels of one colour may differ, the more solid half of them: the filter's rounding."""

_FEW = 61
"""One pixel in so many is looked at first."""


def check_pictures(pictures: NDArray[np.uint8], styles: Sequence[str], shows_face: bool = True) -> None:
    """Check (styles, size, size, 4) straight-alpha pictures. Raises InvalidSampleError.

    `shows_face`: they are seen from where a face is; the back of a head may well be all one colour.
    """
    for style, picture in zip(styles, pictures, strict=True):
        pixels = np.ascontiguousarray(picture).view("<u4")[..., 0]  # red in the lowest byte, alpha in the highest
        covered = pixels >= 1 << 24
        shown = np.count_nonzero(covered)
        if not shown:
            raise InvalidSampleError(f"The picture in style {style} is empty.")
        if np.count_nonzero(pixels) > shown:
            raise InvalidSampleError(f"The picture in style {style} has colour where it is transparent.")
        red, green, blue, alpha = (picture[..., channel] for channel in range(4))
        pink = (red > 250) & (blue > 250) & (green < 5)
        if np.count_nonzero(pink) and np.count_nonzero(pink & covered) > _PINK_SHARE * shown:
            raise InvalidSampleError(f"The picture in style {style} is pink: a texture or a shader is missing.")
        if shows_face and _is_one_colour(pixels, alpha):
            raise InvalidSampleError(f"What the picture in style {style} shows is all one colour.")


def check_neutral(pictures: NDArray[np.uint8], styles: Sequence[str]) -> None:
    """Check the neutral face, (styles, size, size, 4). Raises UnusableModelError when it has no features to be seen."""
    for style, picture in zip(styles, pictures, strict=True):
        pixels = np.ascontiguousarray(picture).view("<u4")[..., 0]
        if picture[..., 3].any() and _is_one_colour(pixels, picture[..., 3]):
            raise UnusableModelError(
                f"It has no face to be seen: its neutral picture in style {style} is all one colour. Leave out the style, or "
                f"the model. {KEEP_IT}"
            )


def _is_one_colour(pixels: NDArray[np.uint32], alpha: NDArray[np.uint8]) -> bool:
    """Whether the more solid half of the pixels, red in the lowest byte, have one colour."""
    solid = pixels[alpha > alpha.max() // 2]
    # Few pixels show that most pictures have several colours; only all of them, that one has not.
    return all(np.ptp(some >> shift & 255) <= _ONE_COLOUR for some in (solid[::_FEW], solid) for shift in (0, 8, 16))


def check_labels(arrays: Mapping[LabelName, NDArray[Any]], marks: Marks | None, size: int) -> None:
    """Check the labels of one picture against each other. Raises InvalidSampleError."""
    shown = None
    if LabelName.PARTS in arrays:
        parts = arrays[LabelName.PARTS]
        known = _IS_PART[parts]
        if not known.all():
            raise InvalidSampleError(f"The part picture holds {parts[~known].max()}, which is no part.")
        shown = parts > 0
    if LabelName.OCCLUSION in arrays:
        occlusion = arrays[LabelName.OCCLUSION]
        if occlusion.max(initial=0) > max(CODES.values()):
            raise InvalidSampleError(f"The label occlusion holds {occlusion.max()}, which is no occluder.")
        _agree(shown, occlusion > NOTHING, "occlusion")
    if LabelName.LAYERS in arrays:
        layers = arrays[LabelName.LAYERS]
        known = _IS_LAYER[layers]
        if not known.all():
            raise InvalidSampleError(f"The layer picture holds {layers[~known].max()}, which is no layer.")
        _agree(shown, layers > 0, "layers")
        shown = layers > 0
    for name in (LabelName.DEPTH, LabelName.NORMALS, LabelName.UV, LabelName.FLOW):
        # A sum in float64 is finite exactly if every number is, and makes no array of its own.
        if name in arrays and not np.isfinite(arrays[name].sum(dtype=np.float64)):
            raise InvalidSampleError(f"The label {name} holds values that are no numbers.")
    if LabelName.DEPTH in arrays:
        depth = arrays[LabelName.DEPTH]
        if (depth < 0).any():
            raise InvalidSampleError("The depth is negative somewhere.")
        _agree(shown, depth > 0, "depth")
    if LabelName.NORMALS in arrays:
        normals = arrays[LabelName.NORMALS].astype(np.float32, copy=False)
        square = np.einsum("...i,...i->...", normals, normals)
        there = square > 0
        if (there & ((square < (1 - _UNIT) ** 2) | (square > (1 + _UNIT) ** 2))).any():
            raise InvalidSampleError("Some normals are not of unit length.")
        _agree(shown, there, "normals")
    if marks is not None:
        _check_marks(marks, arrays.get(LabelName.PARTS), size)
        if marks.joints is not None:
            _check_joints(marks.joints, marks.camera, shown, size)


def _agree(shown: NDArray[np.bool_] | None, there: NDArray[np.bool_], what: str) -> None:
    if shown is not None and not np.array_equal(shown, there):
        raise InvalidSampleError(f"The part or layer picture and the {what} disagree about where the character is.")


def _check_marks(marks: Marks, parts: NDArray[Any] | None, size: int) -> None:
    for name, box in (("head", marks.head_box), ("face", marks.face_box)):
        if box is not None and not (0 <= box[0] < box[2] <= size and 0 <= box[1] < box[3] <= size):
            raise InvalidSampleError(f"The box of the {name} is not inside the picture.")
    for name, landmark in marks.landmarks.items():
        if not landmark.visible:
            continue
        column, row = int(landmark.x // 1), int(landmark.y // 1)
        if not (0 <= column < size and 0 <= row < size):
            raise InvalidSampleError(f"The landmark {name} is called visible and lies outside the picture.")
        if parts is not None:
            around = parts[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
            if not np.isin(around, LANDMARKS[name]).any():
                raise InvalidSampleError(f"The landmark {name} is called visible and lies outside its part.")


def _check_joints(joints: Joints, camera: CameraLabel, shown: NDArray[np.bool_] | None, size: int) -> None:
    """`shown` (size, size) says where the character is, if any label does."""
    for names, given in ((COCO_JOINTS, joints.coco), (HUMANOID_JOINTS, joints.humanoid)):
        if list(given) != list(names):
            raise InvalidSampleError("The joints are not those of the table, in its order.")
        for name, joint in given.items():
            _check_joint(name, joint, camera, size)
    if joints.box is not None:
        left, top, right, bottom = joints.box
        if not (0 <= left < right <= size and 0 <= top < bottom <= size):
            raise InvalidSampleError("The box of the person is not inside the picture.")
    if shown is not None and _bounds(shown) != joints.box:
        raise InvalidSampleError("The box of the person is not about what the labels show.")


def _check_joint(name: str, joint: JointLabel, camera: CameraLabel, size: int) -> None:
    if (joint.point is None) != (joint.visibility == 0):
        raise InvalidSampleError(f"The joint {name} has no place, or has one and is called absent.")
    if joint.point is None:
        return
    if joint.visibility == 2 and not (0 <= joint.x < size and 0 <= joint.y < size):
        raise InvalidSampleError(f"The joint {name} is called visible and lies outside the picture.")
    x, y, z = joint.point
    if not camera.orthographic and z <= 0:
        return  # behind the camera there is no place in the picture
    ray = (x, y, 1.0) if camera.orthographic else (x / z, y / z, 1.0)
    column, row, _ = np.array(camera.intrinsics) @ ray
    if not np.hypot(column - joint.x, row - joint.y) < _REPROJECTED:
        raise InvalidSampleError(f"The joint {name} is elsewhere in the picture than its point in space.")


def _bounds(shown: NDArray[np.bool_]) -> tuple[float, float, float, float] | None:
    rows, columns = (np.flatnonzero(shown.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
