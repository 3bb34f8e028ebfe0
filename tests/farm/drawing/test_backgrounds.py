"""Backgrounds: what is taken in, how one is chosen for a sample, and how a picture is put over it."""

import io
import struct
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from farm.backgrounds import (
    MAX_SIDE,
    BackgroundRecord,
    check_pictures,
    choose,
    chosen,
    decode,
    find_pictures,
    ground,
    normalise,
    size_of,
)
from farm.catalog import Catalog
from farm.colour import laid_over
from farm.drawing.assignment import Assignment
from farm.drawing.grounds import Grounds
from farm.errors import BackgroundError, NotFoundError
from farm.spec import RenderSpec
from farm.storage import LocalStore

MODEL = "a" * 64


def noise(width: int = 64, height: int = 48, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def saved(picture: Image.Image, format: str = "PNG", **how: object) -> bytes:
    with io.BytesIO() as out:
        picture.save(out, format, **how)
        return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">II", width, height) + b"\x08\x02\x00\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


# --- Taking in


def test_a_picture_is_known_by_its_pixels_whatever_its_format() -> None:
    picture = noise()

    kept = [normalise(saved(picture, *how), "x") for how in (("PNG",), ("BMP",))]
    kept.append(normalise(saved(picture, "WEBP", lossless=True), "x"))

    assert len({background.id for background in kept}) == 1
    assert (kept[0].width, kept[0].height) == (64, 48) == size_of(kept[0].png)
    np.testing.assert_array_equal(decode(kept[0].png), np.asarray(picture))
    assert kept[0].id != normalise(saved(noise(48, 64)), "x").id
    assert kept[0].id != normalise(saved(noise(seed=1)), "x").id


def test_what_is_kept_is_written_anew() -> None:
    for data in (
        saved(noise(), "JPEG", comment=b"secret place", icc_profile=b"secret profile"),
        saved(noise(), "PNG", icc_profile=b"secret profile") + b"secret tail",
    ):
        kept = normalise(data, "x").png

        kinds, place = [], 8
        while place < len(kept):
            (length,) = struct.unpack(">I", kept[place : place + 4])
            kinds.append(kept[place + 4 : place + 8])
            place += 12 + length
        assert set(kinds) == {b"IHDR", b"IDAT", b"IEND"}
        assert place == len(kept)


def test_a_large_picture_is_reduced_in_its_proportions() -> None:
    kept = normalise(saved(Image.new("RGB", (4 * MAX_SIDE, MAX_SIDE), (10, 20, 30))), "x")

    assert (kept.width, kept.height) == (MAX_SIDE, MAX_SIDE // 4)
    assert (decode(kept.png) == (10, 20, 30)).all()


def test_a_photo_is_turned_upright() -> None:
    picture = Image.new("RGB", (64, 32), "red")
    exif = picture.getexif()
    exif[0x0112] = 6  # the camera was held on its side

    assert (lambda kept: (kept.width, kept.height))(normalise(saved(picture, "JPEG", exif=exif), "x")) == (32, 64)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_picture_becomes_rgb(mode: str) -> None:
    if mode == "I;16":
        picture = Image.fromarray(np.full((40, 40), 0x8000, np.uint16))
    else:
        picture = Image.new("RGB", (40, 40), (128, 128, 128)).convert(mode)

    pixels = decode(normalise(saved(picture, "JPEG" if mode == "CMYK" else "PNG"), "x").png)

    assert pixels.shape == (40, 40, 3)
    assert abs(pixels.mean() - 128) < 4 or mode == "1"


def test_transparent_parts_become_white() -> None:
    picture = Image.new("RGBA", (40, 40), (255, 0, 0, 0))

    assert (decode(normalise(saved(picture), "x").png) == 255).all()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no picture of a known format"),
        (b"Remember the milk.", "no picture of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n", "no picture of a known format"),
        (saved(noise(), "GIF"), "no picture of a known format"),
        (saved(noise())[:500], "damaged"),
        (saved(noise(), "JPEG")[:400], "damaged"),
        (png_header(100, 100), "damaged"),
        (png_header(10_000, 10_000), "pixels"),
        (png_header(2**31 - 1, 2**31 - 1), "pixels"),
        (saved(noise(31, 500)), "needs 32 a side"),
    ],
)
def test_what_is_no_usable_picture_is_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(BackgroundError) as refused:
        normalise(data, "beach.png")

    assert "beach.png" in str(refused.value)
    assert words in str(refused.value)
    assert refused.value.code == "background-refused"


@given(st.integers(0, 2**32 - 1), st.sampled_from(["PNG", "JPEG", "WEBP", "BMP"]))
def test_a_damaged_file_is_taken_or_refused_and_nothing_else(seed: int, format: str) -> None:
    random = np.random.default_rng(seed)
    data = bytearray(saved(noise(), format))
    for place in random.integers(0, len(data), random.integers(1, 30)):
        data[place] = random.integers(0, 256)

    try:
        kept = normalise(bytes(data), "x")
    except BackgroundError:
        return
    assert decode(kept.png).shape == (kept.height, kept.width, 3)


# --- A folder of them


def test_the_pictures_of_a_folder_are_found_in_order_at_any_depth(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "deep/c.webp", "notes.txt", ".hidden.png", ".git/d.png", "e.bmp"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")

    assert [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path)] == [
        "a.jpg", "b.PNG", "deep/c.webp", "e.bmp",
    ]  # fmt: skip


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackgroundError, match="There is no picture in"):
        find_pictures(tmp_path)


def test_every_bad_file_of_a_folder_is_named(tmp_path: Path) -> None:
    for name, data in (("good.png", saved(noise())), ("milk.png", b"milk"), ("cut.jpg", saved(noise(), "JPEG")[:300])):
        (tmp_path / name).write_bytes(data)

    with pytest.raises(BackgroundError, match=r"cut\.jpg is damaged.*milk\.png is no picture.*Nothing was started"):
        check_pictures(find_pictures(tmp_path))


# --- Choosing

IDS = tuple(f"{i:064x}" for i in range(5))
SPEC = RenderSpec(seed=3, backgrounds=IDS)


def test_without_backgrounds_there_is_none() -> None:
    assert chosen(RenderSpec(), MODEL, 0) is None
    assert choose(RenderSpec(), MODEL, 0, lambda _: (64, 48)) is None


def test_a_choice_depends_on_seed_model_and_sample_alone() -> None:
    records = [choose(SPEC, MODEL, sample, lambda _: (300, 200)) for sample in range(50)]

    assert records == [choose(SPEC, MODEL, sample, lambda _: (300, 200)) for sample in range(50)]
    assert records != [choose(SPEC, "b" * 64, sample, lambda _: (300, 200)) for sample in range(50)]
    other = SPEC.model_copy(update={"seed": 4})
    assert records != [choose(other, MODEL, sample, lambda _: (300, 200)) for sample in range(50)]
    assert {record.id for record in records if record} == set(IDS)
    assert {record.mirrored for record in records if record} == {True, False}


@given(st.integers(32, 2048), st.integers(32, 2048), st.integers(0, 10**4))
def test_a_crop_lies_within_its_picture(width: int, height: int, sample: int) -> None:
    record = choose(SPEC, MODEL, sample, lambda _: (width, height))

    assert record is not None
    assert record.id == chosen(SPEC, MODEL, sample)
    assert min(width, height) * 0.5 - 1 <= record.side <= min(width, height)
    assert 0 <= record.left <= width - record.side
    assert 0 <= record.top <= height - record.side


def test_every_background_comes_about_equally_often() -> None:
    counts = Counter(chosen(SPEC, MODEL, sample) for sample in range(5000))

    assert set(counts) == set(IDS)
    assert all(900 < count < 1100 for count in counts.values())


def test_the_ground_is_the_recorded_crop() -> None:
    pixels = np.asarray(noise(200, 100))
    record = BackgroundRecord(id=IDS[0], left=20, top=30, side=64, mirrored=False)

    np.testing.assert_array_equal(ground(pixels, record, 64), pixels[30:94, 20:84])
    turned = record.model_copy(update={"mirrored": True})
    np.testing.assert_array_equal(ground(pixels, turned, 64), pixels[30:94, 20:84][:, ::-1])
    assert ground(pixels, record, 256).shape == (256, 256, 3)


# --- Composing


def linear(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def test_opaque_shows_the_picture_and_transparent_the_ground() -> None:
    random = np.random.default_rng(1)
    picture = random.integers(0, 256, (16, 16, 4), np.uint8)
    behind = random.integers(0, 256, (16, 16, 3), np.uint8)
    picture[:8, :, 3], picture[8:, :, 3] = 255, 0

    composed = laid_over(picture, behind)

    assert composed.dtype == np.uint8
    np.testing.assert_array_equal(composed[:8], picture[:8, :, :3])
    np.testing.assert_array_equal(composed[8:], behind[8:])


def test_between_them_light_is_mixed_and_not_bytes() -> None:
    random = np.random.default_rng(2)
    picture = random.integers(0, 256, (64, 64, 4), np.uint8)
    behind = random.integers(0, 256, (64, 64, 3), np.uint8)

    composed = laid_over(picture, behind)

    alpha = picture[..., 3:] / 255
    expected = linear(picture[..., :3] / 255) * alpha + linear(behind / 255) * (1 - alpha)
    # Half a byte in the display's steps: each byte stands for the light that is nearest to it.
    low, high = linear(np.clip(composed - 0.52, 0, None) / 255), linear((composed + 0.52) / 255)
    assert (low - 1e-4 <= expected).all()
    assert (expected <= high + 1e-4).all()


def test_half_of_white_over_black_is_the_byte_188() -> None:
    picture = np.full((1, 1, 4), (255, 255, 255, 128), np.uint8)

    assert laid_over(picture, np.zeros((1, 1, 3), np.uint8)).tolist() == [[[188, 188, 188]]]


# --- In a worker


class CountingCatalog(Catalog):
    def __init__(self, folder: Path) -> None:
        super().__init__(LocalStore(folder))
        self.fetched: Counter[str] = Counter()

    def background(self, background_id: str) -> bytes:
        self.fetched[background_id] += 1
        return super().background(background_id)


def test_each_background_is_fetched_once_however_many_threads_ask(tmp_path: Path) -> None:
    # GIVEN more backgrounds than stay in memory
    catalog = CountingCatalog(tmp_path / "store")
    kept = [normalise(saved(noise(seed=seed)), "x") for seed in range(40)]
    for background in kept:
        catalog.add_background(background)
    spec = RenderSpec(seed=1, size=32, backgrounds=tuple(background.id for background in kept))
    grounds = Grounds(Assignment(MODEL, {}, 200, "key", spec), catalog, tmp_path / "room")

    # WHEN two threads ask for many samples
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(grounds.under, [sample for sample in range(200) for _ in range(2)]))

    # THEN both get the same, it is what was uploaded, and the store was asked once for each
    pixels = {background.id: decode(background.png) for background in kept}
    for sample, (one, two) in enumerate(zip(answers[::2], answers[1::2], strict=True)):
        assert one is not None
        assert two is not None
        assert one[1] == two[1] == choose(spec, MODEL, sample, lambda _: (64, 48))
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[0], ground(pixels[one[1].id], one[1], 32))
    assert max(catalog.fetched.values()) <= 1


def test_a_background_that_is_gone_is_not_found_every_time(tmp_path: Path) -> None:
    spec = RenderSpec(backgrounds=IDS[:1])
    grounds = Grounds(
        Assignment(MODEL, {}, 200, "key", spec), Catalog(LocalStore(tmp_path / "store")), tmp_path / "room"
    )

    for sample in range(2):
        with pytest.raises(NotFoundError, match="POST /v1/backgrounds"):
            grounds.under(sample)
