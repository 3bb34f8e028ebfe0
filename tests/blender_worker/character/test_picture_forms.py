"""Pictures as editors and games write them, which Pillow alone refuses or reads otherwise than Direct3D."""

import io
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from blender_worker.character.textures import Budget, UnreadableTextureError, decode

MORE = b"\0" * 2_000_000


def texels() -> NDArray[np.uint8]:
    """(8, 8, 4), each channel in steps that 4 bits hold, alpha 0 or 255."""
    values = np.random.default_rng(7).integers(0, 16, (8, 8, 4), np.uint8) * np.uint8(17)
    values[..., 3] = np.where(values[..., 3] > 127, 255, 0)
    return values


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(picture: Image.Image, extra: bytes) -> bytes:
    with io.BytesIO() as out:
        picture.save(out, "PNG")
        data = out.getvalue()
    return data[:33] + extra + data[33:]  # behind the header


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(MORE)),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(MORE)),
        chunk(b"iCCP", b"press\0\0" + zlib.compress(MORE)),
        chunk(b"tEXt", b"Comment\0x")[:-4] + b"\0\0\0\0",
    ],
    ids=["notes of an editor", "a long comment", "a large profile", "a comment with a wrong sum"],
)
def test_what_a_png_has_beside_its_texels_does_not_matter(extra: bytes) -> None:
    found = decode(png(Image.fromarray(texels()), extra), "face.png", Budget())

    np.testing.assert_array_equal(found.pixels, texels())


def test_a_colour_that_is_to_be_seen_through_is_one_of_a_png_s_texels() -> None:
    plain = Image.fromarray(texels()[..., :3])
    colour = plain.getpixel((3, 3))
    assert isinstance(colour, tuple)
    with io.BytesIO() as out:
        plain.save(out, "PNG", transparency=colour)

        found = decode(out.getvalue(), "face.png", Budget()).pixels

    np.testing.assert_array_equal(found[..., 3] == 0, (texels()[..., :3] == colour).all(axis=2))


def test_a_png_that_ends_too_early_is_unreadable() -> None:
    data = png(Image.fromarray(texels()), b"")

    for end in (20, 40, len(data) // 2):
        with pytest.raises(UnreadableTextureError):
            decode(data[:end], "face.png", Budget())


def tga(bits: int, counted: int, rows: NDArray[np.generic]) -> bytes:
    """Top row first; `counted` are the bits of alpha that the header tells of."""
    return struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 8, 8, bits, 0x20 | counted) + rows.tobytes()


def in_bgra(alpha: NDArray[np.uint8] | int) -> NDArray[np.uint8]:
    rows = texels()[..., [2, 1, 0, 3]]
    rows[..., 3] = alpha
    return rows


def in_16_bits(bit: NDArray[np.bool_] | bool) -> NDArray[np.uint16]:
    red, green, blue = (texels()[..., channel].astype(np.uint16) >> 3 for channel in range(3))
    texel = np.where(bit, 0x8000, 0) | red << 10 | green << 5 | blue
    return np.asarray(texel, "<u2")


SEEN = texels()[..., 3] == 255


@pytest.mark.parametrize(
    ("data", "alpha"),
    [
        (tga(32, 0, in_bgra(0)), 255),
        (tga(32, 0, in_bgra(texels()[..., 3])), texels()[..., 3]),
        (tga(32, 8, in_bgra(texels()[..., 3])), texels()[..., 3]),
        (tga(32, 8, in_bgra(0)), 0),
        (tga(16, 0, in_16_bits(False)), 255),
        (tga(16, 1, in_16_bits(True)), 255),
        (tga(16, 1, in_16_bits(SEEN)), texels()[..., 3]),
    ],
    ids=["empty", "not counted", "counted", "all clear", "empty in 16 bits", "set in 16 bits", "some in 16 bits"],
)
def test_a_tga_has_the_alpha_that_direct3d_sees(data: bytes, alpha: NDArray[np.uint8] | int) -> None:
    found = decode(data, "face.tga", Budget()).pixels

    np.testing.assert_array_equal(found[..., 3], np.broadcast_to(alpha, (8, 8)))
    assert np.abs(found[..., :3].astype(int) - texels()[..., :3]).max() < 8


def dds(kind: bytes, more: bytes, body: bytes) -> bytes:
    form = struct.pack("<2I4s5I", 32, 4, kind, 0, 0, 0, 0, 0)
    head = struct.pack("<7I44x", 124, 0x1007, 8, 8, 0, 0, 0)
    return b"DDS " + head + form + struct.pack("<5I", 0x1000, 0, 0, 0, 0) + more + body


@pytest.mark.parametrize(
    ("form", "opaque", "body"),
    [
        (85, True, None),
        (86, False, in_16_bits(SEEN).tobytes()),
        (87, False, texels()[..., [2, 1, 0, 3]].tobytes()),
        (88, True, texels()[..., [2, 1, 0, 3]].tobytes()),
        (91, False, texels()[..., [2, 1, 0, 3]].tobytes()),
        (93, True, texels()[..., [2, 1, 0, 3]].tobytes()),
        (115, False, None),
    ],
)
def test_a_dds_of_direct3d_10_may_have_blue_first(form: int, opaque: bool, body: bytes | None) -> None:
    if body is None:
        wide = texels().astype(np.uint16)
        widths = (5, 6, 5, 0) if form == 85 else (4, 4, 4, 4)
        red, green, blue, alpha = (wide[..., channel] >> (8 - width) for channel, width in enumerate(widths))
        packed = red << 11 | green << 5 | blue if form == 85 else alpha << 12 | red << 8 | green << 4 | blue
        body = packed.astype("<u2").tobytes()

    found = decode(dds(b"DX10", struct.pack("<5I", form, 3, 0, 1, 0), body), "face.dds", Budget()).pixels

    np.testing.assert_array_equal(found[..., 3], 255 if opaque else texels()[..., 3])
    assert np.abs(found[..., :3].astype(int) - texels()[..., :3]).max() < 8


@pytest.mark.parametrize(("kind", "alike"), [(b"DXT2", b"DXT3"), (b"DXT4", b"DXT5")])
def test_a_dds_whose_colours_were_multiplied_with_alpha_is_read_as_it_stands(kind: bytes, alike: bytes) -> None:
    blocks = np.random.default_rng(3).integers(0, 256, 4 * 16, np.uint8).tobytes()

    found, expected = (decode(dds(which, b"", blocks), "face.dds", Budget()) for which in (kind, alike))

    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert len(np.unique(found.pixels)) > 8


@pytest.mark.parametrize(
    "data", [dds(b"DX10", struct.pack("<5I", 2, 3, 0, 1, 0), b"\0" * 1024), dds(b"ETC2", b"", b"\0" * 64)]
)
def test_a_dds_in_a_form_that_nobody_knows_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableTextureError, match="save it as PNG"):
        decode(data, "face.dds", Budget())
