"""Pictures that ask for much: each is a few KiB to a MiB, and millions of pixels or bytes when it is unpacked."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial

from PIL import Image


def chunked(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of these chunks."""

    def written(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + b"".join(written(kind, data) for kind, data in (*chunks, (b"IEND", b"")))


def _header(width: int, height: int, depth: int = 8, kind: int = 0, interlaced: int = 0) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">2I5B", width, height, depth, kind, 0, 0, interlaced)


def png(width: int, height: int, depth: int = 8, kind: int = 0, interlaced: int = 0) -> bytes:
    """An even PNG; channels by `kind`: 0 grey, 2 RGB, 6 RGBA."""
    channels = {0: 1, 2: 3, 6: 4}[kind]
    row = 1 + (width * channels * depth + 7) // 8
    return chunked(_header(width, height, depth, kind, interlaced), (b"IDAT", zlib.compress(bytes(row * height), 9)))


def claiming(width: int, height: int) -> bytes:
    """A PNG that says it is so large, and has a few bytes."""
    return chunked(_header(width, height), (b"IDAT", zlib.compress(bytes(1000))))


def with_chunk(kind: bytes, head: bytes, megabytes: int) -> bytes:
    """A small PNG with a compressed text or profile that unpacks to so much."""
    more = kind, head + zlib.compress(bytes(megabytes * 2**20), 9)
    return chunked(_header(8, 8), more, (b"IDAT", zlib.compress(bytes(9 * 8))))


def saved(form: str, width: int, height: int, frames: int = 1, mode: str = "RGB") -> bytes:
    """An even picture in a format of Pillow's, of so many frames."""
    with io.BytesIO() as out:
        picture = Image.new(mode, (width, height))
        more = {"save_all": True, "append_images": [picture] * (frames - 1)} if frames > 1 else {}
        picture.save(out, form, **more)
        return out.getvalue()


PICTURES: dict[str, Callable[[], bytes]] = {
    "16-bit RGBA": partial(png, 2500, 2500, 16, 6),
    "1-bit, larger than allowed": partial(png, 12_000, 12_000, 1),
    "interlaced, larger than allowed": partial(png, 9000, 9000, 8, 0, 1),
    "claims two billion by two billion": partial(claiming, 2**31 - 1, 2**31 - 1),
    "claims one line of two billion": partial(claiming, 2**20, 2**31 - 1),
    "a profile of 100 MiB": partial(with_chunk, b"iCCP", b"x\0\0", 100),
    "a text of 100 MiB": partial(with_chunk, b"zTXt", b"x\0\0", 100),
    "an international text of 100 MiB": partial(with_chunk, b"iTXt", b"x\0\1\0\0\0", 100),
    "JPEG, larger than allowed": partial(saved, "JPEG", 9000, 8000),
    "WebP of many frames": partial(saved, "WEBP", 600, 600, 100),
    "GIF of many frames": partial(saved, "GIF", 600, 600, 50, "P"),
    "TIFF": partial(saved, "TIFF", 100, 100),
    "TGA of run lengths": lambda: (
        struct.pack("<3B5B4H2B", 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 65535, 65535, 24, 0) + b"\xff\0\0\0" * 1000
    ),
    "an SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60000 60000\n%%EndComments\nshowpage\n",
}
