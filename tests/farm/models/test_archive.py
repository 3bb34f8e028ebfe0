"""Uploaded zips: plain files arrive, everything else is refused, and nothing is written outside the folder."""

import io
import random
import stat
import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest

from farm.errors import ArchiveError
from farm.models import archive

type Member = tuple[str | zipfile.ZipInfo, bytes]

LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def unpack(data: bytes, into: Path, fit: archive.Fit | None = None) -> None:
    archive.unpack(io.BytesIO(data), into, fit)


def _zip(*members: Member, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    with io.BytesIO() as out:
        with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as file:
            warnings.simplefilter("ignore")  # two members of one name are wanted here
            for name, data in members:
                file.writestr(name, data)
        return out.getvalue()


def _raw_name(name: bytes, data: bytes = b"x") -> bytes:
    """A zip whose one member has exactly these bytes as its name, without the UTF-8 mark."""
    stand_in = "n" * len(name)
    return _zip((stand_in, data)).replace(stand_in.encode(), name)


def _linked(name: str, target: str, mode: int = stat.S_IFLNK) -> Member:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (mode | 0o777) << 16
    return info, target.encode()


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    folder = tmp_path / "around" / "inside"
    folder.mkdir(parents=True)
    (tmp_path / "around" / "neighbour.txt").write_text("untouched")
    return folder


@pytest.fixture(autouse=True)
def _nothing_is_written_outside(inside: Path) -> object:
    yield
    around = inside.parent
    assert sorted(path.name for path in around.parent.iterdir()) == ["around"]
    assert sorted(path.name for path in around.iterdir()) == ["inside", "neighbour.txt"]
    assert (around / "neighbour.txt").read_text() == "untouched"
    assert not any(path.is_symlink() for path in inside.rglob("*"))


def _files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files_and_folders_arrive(inside: Path, method: int) -> None:
    content = {"m.pmx": b"model" * 1000, "tex/顔.png": b"face", "tex/deep/er/a.bmp": b""}

    unpack(_zip(*content.items(), ("empty/", b""), method=method), inside)

    assert _files(inside) == content
    assert (inside / "empty").is_dir()


@pytest.mark.parametrize(
    "name",
    [
        "../out.txt",
        "a/../../out.txt",
        "a/..",
        "..",
        "..\\out.txt",
        "a\\..\\..\\out.txt",
        "/out.txt",
        "//server/share/out.txt",
        "\\\\server\\share\\out.txt",
        "C:\\out.txt",
        "C:/out.txt",
        "C:out.txt",
        "../inside-too/out.txt",
        "../",
        "/",
    ],
)
def test_a_member_that_points_outside_is_refused(inside: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="points outside"):
        unpack(_zip(("first.txt", b"1"), (name, b"2")), inside)

    assert _files(inside) == {"first.txt": b"1"}


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices_are_refused(inside: Path, mode: int) -> None:
    with pytest.raises(ArchiveError, match="is a link or a device"):
        unpack(_zip(_linked("link", "../neighbour.txt", mode), ("link", b"overwritten")), inside)

    assert _files(inside) == {}


def test_a_folder_that_is_a_link_is_refused_before_anything_goes_through_it(inside: Path) -> None:
    with pytest.raises(ArchiveError, match="is a link or a device"):
        unpack(_zip(_linked("tex", "../"), ("tex/neighbour.txt", b"overwritten")), inside)


def test_a_zip_bomb_is_stopped_at_the_limit(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 5 * 2**20)
    bomb = _zip(*((f"{number}.png", bytes(2**20)) for number in range(64)), ("big.png", bytes(64 * 2**20)))
    assert len(bomb) < 2**20

    with pytest.raises(ArchiveError, match="more than the limit of 5 MiB"):
        unpack(bomb, inside)

    assert sum(len(data) for data in _files(inside).values()) <= 5 * 2**20


def test_one_huge_member_is_stopped_without_being_held_in_memory(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 20 * 2**20)
    bomb = _zip(("big.png", bytes(128 * 2**20)))
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match="more than the limit"):
            unpack(bomb, inside)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 * 2**20


def test_a_size_that_the_zip_lies_about_helps_nobody(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 2**20)
    bomb = _zip(("big.png", bytes(8 * 2**20)))
    lie = bomb.replace(struct.pack("<I", 8 * 2**20), struct.pack("<I", 10))

    with pytest.raises(ArchiveError):
        unpack(lie, inside)

    assert sum(len(data) for data in _files(inside).values()) <= 2**20


def test_exactly_the_limit_is_allowed(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1000)

    unpack(_zip(("a", bytes(400)), ("b", bytes(600))), inside)

    assert len(_files(inside)) == 2


def test_too_many_members_are_refused_before_any_is_written(inside: Path) -> None:
    with pytest.raises(ArchiveError, match="holds 4097 members, over the limit of 4096"):
        unpack(_zip(*((str(number), b"") for number in range(4097)), method=zipfile.ZIP_STORED), inside)

    assert _files(inside) == {}


def test_far_too_many_members_are_refused_without_listing_them(inside: Path) -> None:
    """A megabyte holds 20,000 of the shortest directory entries, and the list of them takes 20 times that."""
    entry = _zip(("a", b""))
    start, end = entry.index(CENTRAL), entry.index(b"PK\x05\x06")
    count = 400_000
    directory = entry[start:end] * count
    close = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), start, 0)
    data = entry[:start] + directory + close
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match="over the limit of 4096"):
            unpack(data, inside)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 2**20


def test_an_encrypted_member_is_refused(inside: Path) -> None:
    data = bytearray(_zip(("secret.png", b"hidden" * 20)))
    for signature, offset in ((LOCAL, 6), (CENTRAL, 8)):
        data[data.index(signature) + offset] |= 1

    with pytest.raises(ArchiveError, match=r"'secret.png' cannot be unpacked .*encrypted"):
        unpack(bytes(data), inside)


def test_damaged_data_is_refused(inside: Path) -> None:
    data = bytearray(_zip(("a.png", bytes(range(256)) * 40)))
    at = data.index(LOCAL) + 60
    data[at : at + 20] = b"\xff" * 20

    with pytest.raises(ArchiveError, match=r"'a\.png' cannot be unpacked"):
        unpack(bytes(data), inside)


def test_a_wrong_checksum_is_refused(inside: Path) -> None:
    data = _zip(("a.png", b"content of a"), method=zipfile.ZIP_STORED)

    with pytest.raises(ArchiveError, match=r"'a\.png' cannot be unpacked"):
        unpack(data.replace(b"content of a", b"content of b"), inside)


def test_a_packing_method_of_unbounded_memory_is_refused(inside: Path) -> None:
    with pytest.raises(ArchiveError, match="packed with method 14"):
        unpack(_zip(("a.png", b"x" * 100), method=zipfile.ZIP_LZMA), inside)


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all", b"PK\x05\x06" + bytes(18), LOCAL + bytes(200)])
def test_what_is_no_zip_is_refused_or_empty(inside: Path, data: bytes) -> None:
    if data.startswith(b"PK\x05\x06"):
        unpack(data, inside)  # a zip without members
    else:
        with pytest.raises(ArchiveError, match="no usable zip"):
            unpack(data, inside)
    assert _files(inside) == {}


def test_a_zip_cut_at_any_byte_is_refused(inside: Path) -> None:
    data = _zip(("m.pmx", b"model"), ("顔.png", b"face"))

    for length in range(len(data)):
        with pytest.raises(ArchiveError):
            unpack(data[:length], inside)


def test_names_in_shift_jis_are_read_as_such(inside: Path) -> None:
    unpack(_raw_name("初音/顔テクスチャ.png".encode("cp932")), inside)

    assert _files(inside) == {"初音/顔テクスチャ.png": b"x"}


def test_names_in_shift_jis_with_a_back_slash_as_second_byte_stay_one_name(inside: Path) -> None:
    """ソ is 0x83 0x5C in Shift-JIS: decoded too late, it would look like a folder."""
    unpack(_raw_name("ソース表.png".encode("cp932")), inside)

    assert list(_files(inside)) == ["ソース表.png"]


def test_names_in_utf_8_with_the_mark_are_read_as_such(inside: Path) -> None:
    unpack(_zip(("初音/é.png", b"x")), inside)

    assert list(_files(inside)) == ["初音/é.png"]


def test_names_in_another_code_page_still_arrive_under_some_name(inside: Path) -> None:
    unpack(_raw_name(b"caf\xfe\xff.png"), inside)

    assert list(_files(inside).values()) == [b"x"]


def test_names_that_one_encoding_would_make_the_same_stay_two(inside: Path) -> None:
    """Shift-JIS has two codes for some signs: 0x81CA and 0xEEF9 are both ¬."""
    data = (
        _zip(("11.png", b"1"), ("22.png", b"2")).replace(b"11.png", b"\x81\xca.png").replace(b"22.png", b"\xee\xf9.png")
    )

    unpack(data, inside, lambda names, read: (int("￢.png" in names),))

    assert sorted(_files(inside).values()) == [b"1", b"2"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "gbk", "big5", "cp949", "cp437"])
def test_in_no_encoding_a_name_leads_outside(inside: Path, encoding: str) -> None:
    name = ("..\\é.txt" if encoding == "cp437" else "..\\口.txt").encode(encoding)

    with pytest.raises(ArchiveError, match="points outside"):
        unpack(_raw_name(name), inside)


def test_names_with_windows_separators_make_folders(inside: Path) -> None:
    unpack(_raw_name(b"tex\\sub\\a.png"), inside)

    assert list(_files(inside)) == ["tex/sub/a.png"]


def test_of_two_members_of_one_name_the_later_one_stays(inside: Path) -> None:
    unpack(_zip(("a", b"1"), ("a", b"2")), inside)

    assert _files(inside) == {"a": b"2"}


@pytest.mark.parametrize(
    "members",
    [
        [("a", b"1"), ("a/b", b"2")],
        [("a", b"1"), ("a/", b"")],
        [("a/b", b"1"), ("a", b"2")],
        [("x" * 300, b"1")],
        [("x" * 300 + "/", b"")],
        [("./", b""), (".", b"1")],
    ],
)
def test_members_that_cannot_stand_side_by_side_are_refused(inside: Path, members: list[Member]) -> None:
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack(_zip(*members), inside)


@pytest.mark.parametrize("name", ["d/" * 33, "d/" * 2000 + "a.txt", "d/" * 30_000])
def test_endlessly_nested_folders_are_refused(inside: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="folders deep"):
        unpack(_zip((name, b"")), inside)

    assert list(inside.iterdir()) == []


def test_damage_at_random_places_gives_no_other_error_than_ours(inside: Path) -> None:
    packed = bytes(range(256)) * 4
    seeds = [
        _zip(("m.pmx", packed), ("tex/", b""), ("tex/顔.png", packed), method=method)
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    ]
    dice = random.Random(11)
    unpacked = 0
    for number in range(1200):
        data = bytearray(seeds[number % len(seeds)])
        for _ in range(dice.choice((1, 1, 2, 8))):
            data[dice.randrange(len(data))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        target = inside / str(number)
        try:
            unpack(bytes(data), target)
            unpacked += 1
        except ArchiveError:
            pass
    assert 0 < unpacked < 1200
