"""The PNG encoder against Pillow, an independent decoder."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from farm.drawing.png import encode


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["RGB", "RGBA"]), st.integers(0, 2**32))
def test_pillow_reads_back_the_same_pixels(height: int, width: int, mode: str, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, len(mode)), np.uint8)

    with Image.open(io.BytesIO(encode(pixels))) as picture:
        picture.verify()
    with Image.open(io.BytesIO(encode(pixels))) as picture:
        assert picture.mode == mode
        np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_equal_pixels_give_equal_bytes_whatever_their_layout_in_memory() -> None:
    pixels = np.arange(8 * 8 * 4, dtype=np.uint8).reshape(8, 8, 4)

    assert encode(pixels) == encode(np.asfortranarray(pixels)) == encode(pixels[::-1][::-1])


@pytest.mark.parametrize("value", [0, 255])
def test_a_plain_picture_is_small(value: int) -> None:
    assert len(encode(np.full((256, 256, 4), value, np.uint8))) < 4000
