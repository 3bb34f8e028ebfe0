"""sRGB and linear light."""

import numpy as np

from farm.colour import laid_over, linear_of, premultiplied, srgb_of

VALUES = np.linspace(0, 1, 4097).astype(np.float32)


def test_the_curve_is_that_of_the_standard() -> None:
    np.testing.assert_allclose(
        linear_of(np.array([0, 0.04, 0.5, 1], np.float32)), [0, 0.04 / 12.92, 0.21404114, 1], rtol=1e-6
    )


def test_there_and_back_again_is_the_same_colour() -> None:
    np.testing.assert_allclose(srgb_of(linear_of(VALUES)), VALUES, atol=2e-6)
    assert linear_of(VALUES).dtype == srgb_of(VALUES).dtype == np.float32


def test_half_of_white_is_half_of_its_light() -> None:
    pixels = np.array([[1, 1, 1, 0.5], [0.2, 0.4, 0.6, 1], [0.2, 0.4, 0.6, 0]], np.float32)

    made = premultiplied(pixels)

    np.testing.assert_allclose(linear_of(made[0, :3]), 0.5, atol=1e-6)
    np.testing.assert_allclose(made[1], pixels[1], atol=1e-6)
    np.testing.assert_array_equal(made[2], 0)
    np.testing.assert_array_equal(made[:, 3], pixels[:, 3])


def test_what_is_opaque_covers_and_what_is_clear_shows_the_ground() -> None:
    picture = np.stack([np.full((256, 4), 0), np.full((256, 4), 255)], 1).astype(np.uint8)
    picture[:, :, :3] = np.arange(256)[:, None, None]
    ground = np.repeat(np.arange(255, -1, -1, dtype=np.uint8)[:, None, None], 2, 1).repeat(3, 2)

    made = laid_over(picture, ground)

    np.testing.assert_array_equal(made[:, 0], ground[:, 0])
    np.testing.assert_array_equal(made[:, 1], picture[:, 1, :3])


def test_what_lies_beyond_black_and_white_goes_on_along_the_curve() -> None:
    np.testing.assert_allclose(linear_of(np.array([-0.5, 2], np.float32)), [-0.5 / 12.92, 4.953846], rtol=1e-6)
