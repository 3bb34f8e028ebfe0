"""Unpacks uploaded zip files without trusting them."""

import stat
import zipfile
import zlib
from collections.abc import Callable, Container, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from farm import free_space
from farm.errors import ArchiveError
from farm.wording import reason

MAX_MEMBERS = 4096
MAX_UNPACKED_BYTES = 1 * 2**30
"""The stated limit against zip bombs: all members together, counted while unpacking, not as the archive claims."""
_MAX_DEPTH = 32
"""Folders above a member: without a limit, 4,096 members could ask for millions of folders."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What zip tools write by themselves. Of the others a kilobyte can take gigabytes before the first byte comes."""
_UTF8_NAME = 0x800
_ENCODINGS = ("utf-8", "cp932", "gb18030", "cp950", "cp949", "cp437")
"""Of names without the UTF-8 mark, in the order in which they are tried: what zip tools in Japan, China, Taiwan, Korea and
elsewhere write. The last one reads any bytes."""
_ANY_BYTES = _ENCODINGS[-1]
_MAX_CONSULTED_BYTES = 256 * 2**20
"""Of members, unpacked, that may be read to decide how names are encoded."""
_DIRECTORY_ENTRY = b"PK\x01\x02"
_CHUNK = 2**20
_DAMAGE = (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError)

type Read = Callable[[int], bytes]
"""The bytes of a member by its number; none for one that cannot be read, or when too much was read already."""
type Fit = Callable[[Sequence[str], Read], tuple[int, ...]]
"""How well members fit together under these names (with forward slashes); the larger, the better."""


def unpack(source: BinaryIO, into: Path, fit: Fit | None = None) -> None:
    """Unpack the zip in `source`, a file that can be sought in, under the folder `into`.

    Where names could be in several encodings, the one that `fit` likes best counts, and the first in which all can be read.
    Raises ArchiveError for anything but plain files and folders below `into`, and over the limits; `into` may then hold
    a part of the members and should be thrown away. Raises OSError when the disk of `into` is full.
    """
    try:
        # Python lists all members before anyone can count them; far too many would take gigabytes.
        if _count(source, _DIRECTORY_ENTRY) > 16 * MAX_MEMBERS:
            raise _too_many(f"more than {16 * MAX_MEMBERS}")
        archive = zipfile.ZipFile(source)
        members = archive.infolist()
    except _DAMAGE as error:
        raise ArchiveError(
            f"The file is no usable zip archive ({reason(error)}). Zip the model's folder again."
        ) from error
    if len(members) > MAX_MEMBERS:
        raise _too_many(str(len(members)))
    # Before anything is expanded, also to find out how names are encoded.
    for member in members:
        if not member.is_dir() and member.compress_type not in _METHODS:
            raise ArchiveError(
                f"The zip member '{member.filename}' is packed with method {member.compress_type}; zip the folder again "
                "with the usual method, Deflate."
            )
    left = MAX_UNPACKED_BYTES
    for member, name in zip(members, _names(archive, members, fit), strict=True):
        target = _safe_target(into, name)
        mode = member.external_attr >> 16
        if stat.S_ISLNK(mode) or (stat.S_IFMT(mode) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))):
            raise ArchiveError(f"The zip member '{name}' is a link or a device. Zip plain files only.")
        left = _write(archive, member, name, target, left)


def lists(path: Path, suffixes: Container[str]) -> bool:
    """Whether the zip file at `path` names a member with one of `suffixes`, in small letters; False for what is
    no zip, or a very long one."""
    try:
        with path.open("rb") as source:
            if _count(source, _DIRECTORY_ENTRY) > MAX_MEMBERS:
                return False
            with zipfile.ZipFile(source) as archive:
                return any(PurePosixPath(member.filename).suffix.lower() in suffixes for member in archive.infolist())
    except _DAMAGE:
        return False


def _count(source: BinaryIO, mark: bytes) -> int:
    """How often `mark` stands in a file."""
    source.seek(0)
    count, rest = 0, b""
    while piece := source.read(_CHUNK // 16):
        piece = rest + piece
        count += piece.count(mark)
        rest = piece[len(piece) - len(mark) + 1 :]
    return count


def _too_many(members: str) -> ArchiveError:
    return ArchiveError(
        f"The zip holds {members} members, over the limit of {MAX_MEMBERS}. Zip one model's folder at a time."
    )


def _names(archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo], fit: Fit | None) -> list[str]:
    """The members' names, with forward slashes."""
    raw = [_raw_name(member) for member in members]
    if all(one is None or one.isascii() for one in raw):
        return [member.filename.replace("\\", "/") for member in members]
    left = _MAX_CONSULTED_BYTES

    def read(number: int) -> bytes:
        nonlocal left
        try:
            with archive.open(members[number]) as source:
                data = source.read(left + 1)
        except (*_DAMAGE, RuntimeError, zlib.error):
            return b""
        left = max(0, left - len(data))
        return data if left else b""

    readings = [_read_as(encoding, members, raw) for encoding in _ENCODINGS]
    best, _ = max(readings, key=lambda reading: ((*fit(reading[0], read),) if fit else (), reading[1]))
    return best


def _raw_name(member: zipfile.ZipInfo) -> bytes | None:
    """The bytes of a name that does not say how it is encoded; None for one that does, by the mark or an extra field."""
    if member.flag_bits & _UTF8_NAME or member.filename != member.orig_filename.split("\0", 1)[0]:
        return None
    return member.filename.encode(_ANY_BYTES)


def _read_as(encoding: str, members: Sequence[zipfile.ZipInfo], raw: Sequence[bytes | None]) -> tuple[list[str], int]:
    """The names in one encoding, and how many of them could be read in it.

    A name that cannot, or that would be another member's, is read byte by byte: no member hides another one.
    """
    names: list[str] = []
    whose: dict[str, bytes | None] = {}
    read = 0
    for member, one in zip(members, raw, strict=True):
        name = member.filename
        if one is not None:
            try:
                decoded = one.decode(encoding)
                if whose.setdefault(decoded, one) == one:
                    name, read = decoded, read + 1
            except UnicodeError:
                pass
        # A second byte of Shift-JIS may be a back-slash: only now it is one.
        names.append(name.replace("\\", "/"))
    return names, read


def _safe_target(into: Path, name: str) -> Path:
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\0" in name or ":" in parts[0]:
        raise ArchiveError(
            f"The zip member '{name}' points outside the archive's own folder. Zip the model's folder again, with "
            "relative paths only."
        )
    parts = [part for part in parts if part not in ("", ".")]
    if len(parts) > _MAX_DEPTH:
        raise ArchiveError(f"A zip member lies {len(parts)} folders deep; the limit is {_MAX_DEPTH}.")
    return into.joinpath(*parts)


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, target: Path, left: int) -> int:
    """Unpack one member in bounded pieces; return how many bytes the rest may still take."""
    try:
        if name.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            return left
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("wb") as sink:
            while piece := source.read(_CHUNK):
                left -= len(piece)
                if left < 0:
                    raise ArchiveError(
                        f"The zip unpacks to more than the limit of {MAX_UNPACKED_BYTES // 2**20} MiB. If it is no zip "
                        "bomb, upload its models one by one."
                    )
                sink.write(piece)
    except (*_DAMAGE, RuntimeError, zlib.error) as error:
        if free_space.is_want_of(error):
            raise  # it is not the archive's fault
        # damaged data, encrypted members, a file where a folder should be, over-long names
        raise ArchiveError(
            f"The zip member '{name}' cannot be unpacked ({_why(error)}). Zip the folder again."
        ) from error
    return left


def _why(error: Exception) -> str:
    """In words for whoever sent it: neither our folders nor the library's objects."""
    if isinstance(error, OSError):
        return error.strerror or "it cannot be written"
    if isinstance(error, RuntimeError):
        return "it is encrypted"
    return reason(error)
