"""Pictures to compose over: taken in, chosen for a sample, put behind a picture.

Whatever comes in is decoded within limits and written anew, so the store holds nothing but plain RGB PNG files of our own
making. A background is known by the hash of its size and pixels: the same picture in two formats is one background.
"""

import hashlib
import io
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import BaseModel, ConfigDict

from farm.errors import BackgroundError
from farm.poses import uniform
from farm.spec import RenderSpec
from farm.wording import reason

MAX_BYTES = 64 * 2**20
"""Of a file."""
MAX_PIXELS = 64 * 2**20
"""A picture with more is refused before it is decoded."""
MIN_SIDE = 32
MAX_SIDE = 2048
"""Larger pictures are reduced: a crop then still has about as many pixels as the largest picture that a farm draws."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
"""Pillow reads others too, some of them by starting programs."""
_PAPER = (255, 255, 255)
"""Behind the transparent parts of a background."""
_SMALLEST_CROP = 0.5
"""Side of the smallest crop, as a share of the picture's shorter side; the largest has all of it."""


@dataclass(frozen=True, slots=True)
class Background:
    """A background as the store keeps it."""

    id: str
    """64 hexadecimal digits: the hash of size and pixels."""
    width: int
    height: int
    png: bytes


class BackgroundRecord(BaseModel):
    """What of which background is behind a sample. Lengths are pixels of the background as the farm keeps it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    left: int
    top: int
    side: int
    """Width and height of the crop, before it is brought to the picture's size."""
    mirrored: bool


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """(height, width, 3) the pixels of a picture file as the farm would keep them. Raises BackgroundError."""
    return np.asarray(_opaque(_decoded(_read(path), str(path))))


def read_cutout(path: Path) -> NDArray[np.uint8]:
    """(height, width, 4) sRGB and straight alpha: what is to be seen of a picture file, without empty edges.

    Raises BackgroundError, for one that shows nothing, too.
    """
    picture = _decoded(_read(path), str(path)).convert("RGBA")
    box = picture.getchannel("A").getbbox()
    if box is None:
        raise BackgroundError(f"{path} shows nothing: all of it is transparent. Take it out of its folder.")
    return np.asarray(picture.crop(box))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BackgroundError(f"{path} cannot be read ({error.strerror}).") from error


def normalise(data: bytes, name: str) -> Background:
    """A PNG, JPEG, WebP or BMP file as a background; `name` stands in the error.

    Turned upright, transparent parts over white, sides reduced to MAX_SIDE. Raises BackgroundError.
    """
    picture = _opaque(_decoded(data, name))
    content = hashlib.sha256(struct.pack("<II", *picture.size))
    content.update(picture.tobytes())
    picture.info.clear()  # profiles and comments would be written, too
    with io.BytesIO() as out:
        picture.save(out, "PNG", compress_level=4)
        return Background(content.hexdigest(), *picture.size, out.getvalue())


def _decoded(data: bytes, name: str) -> Image.Image:
    """The file as an RGB or RGBA picture with no side over MAX_SIDE."""
    if len(data) > MAX_BYTES:
        raise BackgroundError(f"{name} is larger than {MAX_BYTES // 2**20} MiB; save it smaller, as JPEG for example.")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            # The header alone tells the size: no bomb is decoded.
            if picture.width * picture.height > MAX_PIXELS:
                raise BackgroundError(
                    f"{name} has {picture.width} x {picture.height} pixels, over the limit of {MAX_PIXELS // 2**20} "
                    "million; make it smaller."
                )
            if min(picture.size) < MIN_SIDE:
                raise BackgroundError(
                    f"{name} has {picture.width} x {picture.height} pixels; a picture needs {MIN_SIDE} a side."
                )
            ImageOps.exif_transpose(picture, in_place=True)
            reduced = _reduced(_eight_bit(picture))
            reduced.load()
            return reduced
    except UnidentifiedImageError as error:
        raise BackgroundError(f"{name} is no picture of a known format; take a PNG, JPEG, WebP or BMP file.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BackgroundError(
            f"{name} has more pixels than the limit of {MAX_PIXELS // 2**20} million; make it smaller."
        ) from error
    # What Pillow's decoders raise on damaged files.
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error,
            Warning) as error:  # fmt: skip
        raise BackgroundError(f"{name} is damaged ({reason(error)}); save it anew.") from error


def _eight_bit(picture: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey; Pillow's own conversion would cut everything above 255 off."""
    if not picture.mode.startswith("I"):
        return picture
    deep = np.asarray(picture)
    grey = np.empty(deep.shape, np.uint8)
    for row, values in zip(grey, deep, strict=True):  # by rows: all at once takes gigabytes
        row[:] = (values.astype(np.int64) >> 8).clip(0, 255)
    return Image.fromarray(grey)


def _reduced(picture: Image.Image) -> Image.Image:
    """As RGB or RGBA with no side over MAX_SIDE; copied no more than needed, as it can be large."""
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    coloured = picture if picture.mode == mode else picture.convert(mode)
    if max(coloured.size) <= MAX_SIDE:
        return coloured
    scale = MAX_SIDE / max(coloured.size)
    width, height = (max(MIN_SIDE, round(side * scale)) for side in coloured.size)
    return coloured.resize((width, height), Image.Resampling.BOX)


def _opaque(picture: Image.Image) -> Image.Image:
    """As RGB, transparent parts over white."""
    if picture.mode == "RGB":
        return picture
    paper = Image.new("RGBA", picture.size, (*_PAPER, 255))
    paper.alpha_composite(picture)
    return paper.convert("RGB")


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height of a stored background, from its header."""
    with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
        return picture.size


def find_pictures(folder: Path) -> list[Path]:
    """The picture files under `folder`, at any depth, by path; hidden ones and other files are passed over.

    Raises BackgroundError when there is none.
    """
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise BackgroundError(f"There is no picture in {folder}: files ending in {', '.join(SUFFIXES)} are looked for.")
    return found


def check_pictures(paths: Iterable[Path]) -> None:
    """Decode every file. Raises BackgroundError that names the first few that cannot be used."""
    refused = []
    for path in paths:
        try:
            _decoded(path.read_bytes(), str(path))
        except (BackgroundError, OSError) as error:
            refused.append(str(error))
    if refused:
        more = f" And {len(refused) - 5} more." if len(refused) > 5 else ""
        raise BackgroundError(" ".join(refused[:5]) + more + " Nothing was started.")


def chosen(spec: RenderSpec, model: str, sample: int) -> str | None:
    """The id of the background of a sample: all its partitions, styles and views share it. None: transparent."""
    if not spec.backgrounds:
        return None
    sample = spec.drawn_as(sample)
    return spec.backgrounds[int(uniform(spec.seed, model, sample, "background/picture") * len(spec.backgrounds))]


def choose(
    spec: RenderSpec, model: str, sample: int, sizes: Callable[[str], tuple[int, int]]
) -> BackgroundRecord | None:
    """The background of a sample and a square crop of it; `sizes` gives a background's width and height by id.

    The crop's side lies between half of the shorter side and all of it; place and mirroring are drawn, too.
    """
    background = chosen(spec, model, sample)
    if background is None:
        return None
    sample = spec.drawn_as(sample)

    def draw(purpose: str) -> float:
        return uniform(spec.seed, model, sample, f"background/{purpose}")

    return cropped(background, sizes(background), draw)


def cropped(background: str, size: tuple[int, int], draw: Callable[[str], float]) -> BackgroundRecord:
    """A square crop of the background of this id, width and height; `draw(purpose)` gives numbers in [0, 1)."""
    width, height = size
    shorter = min(size)
    side = round(shorter * (1 - (1 - _SMALLEST_CROP) * draw("scale")))
    return BackgroundRecord(
        id=background,
        left=int(draw("left") * (width - side + 1)),
        top=int(draw("top") * (height - side + 1)),
        side=side,
        mirrored=draw("mirrored") < 0.5,
    )


def decode(png: bytes) -> NDArray[np.uint8]:
    """The pixels of a stored background, (height, width, 3)."""
    with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
        return np.asarray(picture)


def ground(pixels: NDArray[np.uint8], record: BackgroundRecord, size: int) -> NDArray[np.uint8]:
    """The crop of a background, (height, width, 3), at the size of a picture: (size, size, 3)."""
    crop = pixels[record.top : record.top + record.side, record.left : record.left + record.side]
    if record.mirrored:
        crop = crop[:, ::-1]
    return np.asarray(Image.fromarray(np.ascontiguousarray(crop)).resize((size, size), Image.Resampling.BICUBIC))
