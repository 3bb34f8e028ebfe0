"""The sprite: everything is in it, nothing over another."""

import io

import numpy as np
import pytest
from PIL import Image

from farm.inspection.record import SIZE
from farm.inspection.sprite import LARGE, WIDTH, pack, reduced
from farm.models.inventory import MAX_MORPHS

LONGEST = 16_383
"""Rows that a WebP may have."""


@pytest.mark.parametrize("seed", range(5))
def test_every_crop_is_found_again_in_the_file(seed: int) -> None:
    random = np.random.default_rng(seed)
    neutral = random.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    crops = {
        key: random.integers(0, 256, (*random.integers(1, LARGE + 1, 2), 3), np.uint8)
        for key in random.permutation(60).tolist()
    }

    sprite = pack(neutral, crops)

    with Image.open(io.BytesIO(sprite.webp())) as file:
        pixels = np.asarray(file.convert("RGB"))
    assert pixels.shape[1] <= WIDTH
    assert (pixels[:SIZE, :SIZE] == neutral).all()
    for key, crop in crops.items():
        left, top = sprite.places[key]
        assert (pixels[top : top + len(crop), left : left + crop.shape[1]] == crop).all()


def test_as_many_as_are_drawn_fit_however_large() -> None:
    crop = np.ones((LARGE, LARGE, 3), np.uint8)

    sprite = pack(np.zeros((SIZE, SIZE, 3), np.uint8), dict.fromkeys(range(MAX_MORPHS), crop))

    assert len(sprite.pixels) <= LONGEST
    assert int((sprite.pixels == 1).sum()) == MAX_MORPHS * crop.size


def test_a_large_crop_is_kept_at_half_its_size_so_that_it_fits_too() -> None:
    kept, scale = reduced(np.zeros((SIZE, 20, 3), np.uint8))

    assert (kept.shape, scale) == ((LARGE, 10, 3), 2)
    assert reduced(np.zeros((LARGE, LARGE, 3), np.uint8))[1] == 1
