"""Labels as files: what is written is what numpy and Pillow read back."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from farm.dataset.label_reading import ARRAYS_SUFFIX, LAYERS_SUFFIX, MARKS_SUFFIX, PARTS_SUFFIX
from farm.drawing.label_files import label_files
from farm.drawing.npz import encode_npz
from farm.labels import LAYER_COLOURS, PART_COLOURS, LabelName, Layer, Part
from farm.marks import CameraLabel, JointLabel, Joints, LandmarkLabel, Marks

SIZE = 16
CAMERA = CameraLabel(
    intrinsics=((100.0, 0.0, 8.0), (0.0, 100.0, 8.0), (0.0, 0.0, 1.0)),
    extrinsics=((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, -1.0, 1.0), (0.0, 1.0, 0.0, 2.0)),
    orthographic=False,
    rotation_pivot=(0.0, 0.0, 1.2),
)
MARKS = Marks(
    landmarks={"nose": LandmarkLabel(x=4.5, y=5.5, point=(0.0, 0.1, 1.9), visible=True)},
    head_box=(1.0, 2.0, 12.0, 13.0),
    face_box=None,
    camera=CAMERA,
)


def some_arrays() -> dict[LabelName, np.ndarray]:
    numbers = np.random.default_rng(3)
    normals = numbers.normal(size=(SIZE, SIZE, 3)).astype(np.float32)
    return {
        LabelName.PARTS: numbers.integers(0, len(Part), (SIZE, SIZE)).astype(np.uint8),
        LabelName.DEPTH: numbers.uniform(1, 3, (SIZE, SIZE)).astype(np.float32),
        LabelName.NORMALS: normals / np.linalg.norm(normals, axis=-1, keepdims=True),
        LabelName.UV: numbers.uniform(-1, 2, (SIZE, SIZE, 2)).astype(np.float32),
        LabelName.FLOW: numbers.uniform(-90, 90, (SIZE, SIZE, 2)).astype(np.float32),
    }


def test_numpy_reads_the_arrays_back_within_their_steps() -> None:
    arrays = some_arrays()

    with np.load(io.BytesIO(label_files(arrays, None)[ARRAYS_SUFFIX])) as read:
        assert set(read) == {"depth", "normals", "uv", "flow"}
        for name, tolerance in (("depth", 2**-16), ("normals", 1e-3), ("uv", 2**-15), ("flow", 2**-8)):
            np.testing.assert_allclose(read[name], arrays[LabelName(name)], rtol=0, atol=tolerance)


def test_the_part_picture_shows_colours_and_holds_ids() -> None:
    arrays = some_arrays()

    picture = Image.open(io.BytesIO(label_files(arrays, None)[PARTS_SUFFIX]))

    np.testing.assert_array_equal(np.asarray(picture), arrays[LabelName.PARTS])
    assert picture.convert("RGB").getpixel((0, 0)) == PART_COLOURS[Part(int(arrays[LabelName.PARTS][0, 0]))]


def test_the_layer_picture_stands_beside_it() -> None:
    layers = np.array([[0, Layer.SKIN], [Layer.CLOTHES, Layer.IGNORE]], np.uint8)

    files = label_files({LabelName.PARTS: layers, LabelName.LAYERS: layers}, None)

    assert list(files) == [PARTS_SUFFIX, LAYERS_SUFFIX]
    picture = Image.open(io.BytesIO(files[LAYERS_SUFFIX]))
    np.testing.assert_array_equal(np.asarray(picture), layers)
    assert picture.convert("RGB").getpixel((0, 1)) == LAYER_COLOURS[Layer.CLOTHES]


def test_joints_are_in_the_marks_and_leave_no_trace_where_nobody_asked() -> None:
    joint = JointLabel(x=4.5, y=5.5, point=(0.0, 0.1, 1.9), visibility=2)
    jointed = MARKS.model_copy(update={"joints": Joints(box=None, coco={"nose": joint}, humanoid={})})

    files = label_files({}, jointed)

    assert Marks.model_validate(json.loads(files[MARKS_SUFFIX])) == jointed
    assert "joints" not in json.loads(label_files({}, MARKS)[MARKS_SUFFIX])


def test_marks_are_plain_json() -> None:
    files = label_files({}, MARKS)

    assert list(files) == [MARKS_SUFFIX]
    assert Marks.model_validate(json.loads(files[MARKS_SUFFIX])) == MARKS


def test_only_what_was_asked_for_is_written() -> None:
    assert label_files({}, None) == {}
    assert list(label_files({LabelName.PARTS: np.zeros((4, 4), np.uint8)}, None)) == [PARTS_SUFFIX]


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 5), (40, 40, 3)])
def test_npz_of_any_shape(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)

    data = encode_npz({"a": array, "b": array.astype(np.int16)})

    with np.load(io.BytesIO(data)) as read:
        np.testing.assert_array_equal(read["a"], array)
        np.testing.assert_array_equal(read["b"], array.astype(np.int16))
    assert data == encode_npz({"a": array, "b": array.astype(np.int16)})
