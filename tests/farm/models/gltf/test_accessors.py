"""Arrays of a glTF file: of every type, strided, sparse, and never beyond the bytes that are there."""

from typing import Any

import numpy as np
import pytest

from farm.errors import ModelFormatError
from farm.models.gltf.glb_writer import GlbWriter
from farm.models.gltf.values import Json
from tests.farm.models import made_files as made
from tests.farm.models.gltf.written import accessor_of, accessors_of, primitive_of, read_draft


@pytest.mark.parametrize(
    ("kind", "normalised", "values", "expected"),
    [
        (np.uint8, True, [0, 51, 255], [0, 0.2, 1]),
        (np.int8, True, [-128, -127, 127], [-1, -1, 1]),
        (np.uint16, True, [0, 13107, 65535], [0, 0.2, 1]),
        (np.int16, True, [-32768, 0, 32767], [-1, 0, 1]),
        (np.int16, False, [-32768, 0, 32767], [-32768, 0, 32767]),
        (np.float32, False, [1.5, np.nan, np.inf], [1.5, 0, 0]),
        (np.float32, False, [-np.inf, 1e30, -0.5], [0, 0, -0.5]),
    ],
)
def test_numbers_of_every_type_are_read(
    kind: Any, normalised: bool, values: list[float], expected: list[float]
) -> None:
    w = GlbWriter()
    number = w.accessor(np.array([values], kind), normalized=normalised)

    np.testing.assert_allclose(accessors_of(w).floats(number, (3,)), [expected], rtol=1e-6)


def test_a_strided_view_is_read() -> None:
    w = GlbWriter()
    rows = np.arange(20, dtype="<f4").reshape(4, 5)
    view = w.view(rows.tobytes(), byteStride=20)
    number = w.add(
        "accessors", {"bufferView": view, "byteOffset": 8, "componentType": 5126, "count": 4, "type": "VEC3"}
    )

    np.testing.assert_array_equal(accessors_of(w).floats(number, (3,)), rows[:, 2:])


def test_a_sparse_accessor_changes_what_it_is_based_on() -> None:
    w = GlbWriter()
    base = np.ones((4, 3), "<f4")
    number = w.sparse([1, 3], np.full((2, 3), 5, "<f4"), 4, bufferView=w.view(base.tobytes()))

    base[[1, 3]] = 5
    np.testing.assert_array_equal(accessors_of(w).floats(number, (3,)), base)
    np.testing.assert_array_equal(accessors_of(w).rows(number, 3, 4).values, base)


@pytest.mark.parametrize("places", [[3, 1, 1], [1, 3, 3], [1, 1, 3]])
def test_sparse_rows_out_of_order_are_read_once_each(places: list[int]) -> None:
    w = GlbWriter()
    number = w.sparse(places, np.arange(1, 10, dtype="<f4").reshape(3, 3), 4)

    dense = accessors_of(w).floats(number, (3,), 4)
    rows = accessors_of(w).rows(number, 3, 4)

    assert rows.places.tolist() == [1, 3]
    np.testing.assert_array_equal(rows.values, dense[[1, 3]])


@pytest.mark.parametrize(
    "change",
    [
        {"count": 2**31 - 1},
        {"count": 4},
        {"count": -1},
        {"count": 1.5},
        {"count": True},
        {"byteOffset": -4},
        {"byteOffset": 2**40},
        {"componentType": 5124},
        {"componentType": [5126]},
        {"type": "VEC4"},
        {"type": {}},
        {"bufferView": -1},
        {"bufferView": 10**6},
        {"sparse": {"count": 1}},
        {"sparse": {"count": 5, "indices": {}, "values": {}}},
        {"sparse": {"count": 2, "indices": {"bufferView": 0, "componentType": 5126}, "values": {"bufferView": 0}}},
        {"sparse": {"count": 2, "indices": {"bufferView": 0, "componentType": 5121}, "values": {"bufferView": 10**6}}},
    ],
)
def test_an_accessor_beyond_its_bytes_is_refused(change: Json) -> None:
    draft = made.vrm()
    accessor_of(draft, "POSITION").update(change)

    with pytest.raises(ModelFormatError):
        read_draft(draft)


@pytest.mark.parametrize(
    "change",
    [
        {"byteOffset": -1},
        {"byteLength": -1},
        {"byteLength": 2**40},
        {"byteStride": -12},
        {"byteStride": 4},
        {"byteStride": 2**40},
        {"buffer": 1},
        {"buffer": -1},
    ],
)
def test_a_buffer_view_beyond_its_buffer_is_refused(change: Json) -> None:
    draft = made.vrm()
    draft.content["bufferViews"][accessor_of(draft, "POSITION")["bufferView"]].update(change)

    with pytest.raises(ModelFormatError):
        read_draft(draft)


def test_sparse_places_out_of_range_are_refused() -> None:
    draft = made.vrm()
    number = draft.sparse([0, 3], np.ones((2, 3), "<f4"), 3)
    primitive_of(draft)["targets"][0] = {"POSITION": number}

    with pytest.raises(ModelFormatError, match="entries that it does not have"):
        read_draft(draft)
