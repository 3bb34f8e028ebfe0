"""Forms of pictures that models bring, and that Pillow refuses or reads otherwise than Direct3D, for which they were made."""

import struct

from PIL import Image, ImageChops

_PNG = b"\x89PNG\r\n\x1a\n"
_ANCILLARY = 0x20
"""In the first letter of a chunk's name: a PNG can be shown without it. Source: PNG specification, section 5.4."""
_DDS_KIND, _DDS_MASKS, _DDS_MORE, _DDS_TEXELS = 84, 80, 128, 148
"""Where a DDS has the four letters of its form, its pixel format (flags first), the header of Direct3D 10 and texels."""
_PREMULTIPLIED = {b"DXT2": b"DXT3", b"DXT4": b"DXT5"}
"""Blocks of the same form, whose colours were multiplied with their alpha."""
_RGB, _ALPHA = 0x40, 0x1
_MASKS = {
    85: (16, 0xF800, 0x7E0, 0x1F, 0),
    86: (16, 0x7C00, 0x3E0, 0x1F, 0x8000),
    87: (32, 0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    88: (32, 0xFF0000, 0xFF00, 0xFF, 0),
    91: (32, 0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    93: (32, 0xFF0000, 0xFF00, 0xFF, 0),
    115: (16, 0xF00, 0xF0, 0xF, 0xF000),
}
"""DXGI_FORMAT with blue first, as the header of Direct3D 9 says it: bits of a texel, masks of red, green, blue and alpha."""


def known(data: bytes) -> bytes:
    """The file in a form that Pillow reads; what needs none, or ends too early, stays as it is."""
    if data.startswith(_PNG):
        return _texels_alone(data)
    if data.startswith(b"DDS ") and len(data) > _DDS_TEXELS:
        return _in_direct3d_9(data)
    return data


def _texels_alone(data: bytes) -> bytes:
    """A PNG without the chunks that do not show: notes and colour profiles, which editors let grow to megabytes.

    Pillow refuses a picture for those that are large or damaged.
    """
    kept, place = [_PNG], len(_PNG)
    while place + 12 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        end = place + 12 + length
        if not kind[0] & _ANCILLARY or kind == b"tRNS":
            kept.append(data[place:end])
        place = end
        if kind == b"IEND" and end <= len(data):
            return b"".join(kept)
    return data


def _in_direct3d_9(data: bytes) -> bytes:
    """A DDS in the words of Direct3D 9 where Pillow does not know those of 10. Source: DDS_PIXELFORMAT, DDS_HEADER_DXT10."""
    kind = data[_DDS_KIND : _DDS_KIND + 4]
    if kind in _PREMULTIPLIED:
        return data[:_DDS_KIND] + _PREMULTIPLIED[kind] + data[_DDS_KIND + 4 :]
    masks = _MASKS.get(int.from_bytes(data[_DDS_MORE : _DDS_MORE + 4], "little"))
    if kind != b"DX10" or masks is None:
        return data
    said = struct.pack("<7I", _RGB | (_ALPHA if masks[-1] else 0), 0, *masks)
    return data[:_DDS_MASKS] + said + data[_DDS_MASKS + len(said) : _DDS_MORE] + data[_DDS_TEXELS:]


def with_its_alpha(picture: Image.Image, data: bytes) -> Image.Image:
    """An opened picture with the alpha that Direct3D sees, and so MikuMikuDance; `data` are the bytes of its file.

    Of a TGA of 16 bits a texel, a bit that is set is opaque; Pillow has it the other way round. An alpha that is 0 everywhere
    is none, where the header counts no bits of it or but one: exporters leave it empty. Source: TGA 2.0, field 5.6.
    """
    if picture.format != "TGA" or picture.mode != "RGBA":
        return picture
    one_bit, counted = data[16] == 16, data[17] & 15
    alpha = picture.getchannel("A")
    if one_bit:
        alpha = ImageChops.invert(alpha)
    if (one_bit or not counted) and alpha.getextrema() == (0, 0):
        alpha = Image.new("L", picture.size, 255)
    picture.putalpha(alpha)
    return picture
