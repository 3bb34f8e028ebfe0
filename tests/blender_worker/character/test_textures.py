"""Texture decoding: every format that models bring, under whatever name."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from blender_worker.character.textures import MAX_SIDE, Budget, Texture, UnreadableTextureError, decode


def picture() -> Image.Image:
    """Four plain quarters, which survive JPEG and palettes."""
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[:16, :16, 0], pixels[:16, 16:, 1], pixels[16:, :16, 2], pixels[16:, 16:, :3] = 200, 180, 160, 90
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("form", "mode"),
    [
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("PNG", "L"),
        ("JPEG", "RGB"),
        ("BMP", "RGB"),
        ("BMP", "P"),
        ("TGA", "RGBA"),
        ("TGA", "RGB"),
        ("DDS", "RGBA"),
        ("DDS", "RGB"),
        ("GIF", "P"),
        ("WEBP", "RGBA"),
    ],
)
@pytest.mark.parametrize("name", ["face.png", "shine.spa", "shine.sph", "noname"])
def test_every_format_is_read_whatever_its_name_says(form: str, mode: str, name: str) -> None:
    with io.BytesIO() as out:
        picture().convert(mode).save(out, form, **({"quality": 95} if form == "JPEG" else {}))
        data = out.getvalue()
    expected = np.asarray(picture().convert(mode).convert("RGBA"), int)

    found = decode(data, name, Budget()).pixels

    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - expected)[2:14, 2:14].max() <= 6
    assert np.abs(found.astype(int) - expected)[18:30, 18:30].max() <= 6


def test_a_compressed_dds_is_read() -> None:
    # One 4x4 block of DXT1: both colours pure red in RGB565, all texels the first colour.
    header = struct.pack(
        "<7I44x8I5I", 124, 0x81007, 4, 4, 8, 0, 0, 32, 4, 0x31545844, 0, 0, 0, 0, 0, 0x1000, 0, 0, 0, 0
    )
    data = b"DDS " + header + struct.pack("<HHI", 0xF800, 0xF800, 0)

    np.testing.assert_array_equal(
        decode(data, "x.dds", Budget()).pixels, np.tile(np.array([255, 0, 0, 255], np.uint8), (4, 4, 1))
    )


@pytest.mark.parametrize(
    "data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"BM" + b"\xff" * 60, b"\0" * 18]
)
def test_rubbish_is_unreadable_and_nothing_worse(data: bytes) -> None:
    with pytest.raises(UnreadableTextureError):
        decode(data, "rubbish.png", Budget())


@pytest.mark.parametrize(("size", "words"), [((60000, 30000), "bomb"), ((9000, 8000), "9000 x 8000 pixels")])
def test_a_picture_of_absurd_size_is_refused_before_it_is_decoded(size: tuple[int, int], words: str) -> None:
    with io.BytesIO() as out:
        Image.new("1", size).save(out, "PNG")
        data = out.getvalue()
    assert len(data) < 2**20

    with pytest.raises(UnreadableTextureError, match=words):
        decode(data, "bomb.png", Budget())


def test_a_large_picture_is_reduced() -> None:
    with io.BytesIO() as out:
        Image.new("RGB", (2 * MAX_SIDE, 64), (10, 20, 30)).save(out, "PNG")
        found = decode(out.getvalue(), "wide.png", Budget()).pixels

    assert found.shape == (32, MAX_SIDE, 4)


def test_reducing_does_not_let_transparent_texels_colour_their_neighbours() -> None:
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = (200, 100, 50, 255)  # the others are transparent black

    (found,) = Texture("x", pixels).shrunk(2.0).reshape(-1, 4)

    assert found[3] == 64
    assert np.abs(found[:3].astype(int) - [200, 100, 50]).max() <= 2
