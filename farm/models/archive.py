"""Unpacks uploaded zip files without trusting them."""

import io
import stat
import zipfile
import zlib
from pathlib import Path

from farm.errors import ArchiveError

MAX_MEMBERS = 4096
MAX_UNPACKED_BYTES = 1 * 2**30
"""The stated limit against zip bombs: all members together, counted while unpacking, not as the archive claims."""
_MAX_DEPTH = 32
"""Folders above a member: without a limit, 4,096 members could ask for millions of folders."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
"""What zip tools write. LZMA is left out: its header decides how much memory its reader takes."""
_UTF8_NAME = 0x800
_DIRECTORY_ENTRY = b"PK\x01\x02"
_CHUNK = 2**20
_DAMAGE = (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError)


def unpack(data: bytes, into: Path) -> None:
    """Unpack the zip `data` under the folder `into`.

    Raises ArchiveError for anything but plain files and folders below `into`, and over the limits; `into` may then hold
    a part of the members and should be thrown away.
    """
    try:
        # Python lists all members before anyone can count them; far too many would take gigabytes.
        if data.count(_DIRECTORY_ENTRY) > 16 * MAX_MEMBERS:
            raise _too_many(f"more than {16 * MAX_MEMBERS}")
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = archive.infolist()
    except _DAMAGE as error:
        raise ArchiveError(f"The file is no usable zip archive ({error}). Zip the model's folder again.") from error
    if len(members) > MAX_MEMBERS:
        raise _too_many(str(len(members)))
    left = MAX_UNPACKED_BYTES
    for member in members:
        name = _member_name(member)
        target = _safe_target(into, name)
        mode = member.external_attr >> 16
        if stat.S_ISLNK(mode) or (stat.S_IFMT(mode) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))):
            raise ArchiveError(f"The zip member '{name}' is a link or a device. Zip plain files only.")
        if not name.endswith("/") and member.compress_type not in _METHODS:
            raise ArchiveError(
                f"The zip member '{name}' is packed with method {member.compress_type}; zip the folder again with "
                "the usual method, Deflate."
            )
        left = _write(archive, member, name, target, left)


def _too_many(members: str) -> ArchiveError:
    return ArchiveError(
        f"The zip holds {members} members, over the limit of {MAX_MEMBERS}. Zip one model's folder at a time."
    )


def _member_name(member: zipfile.ZipInfo) -> str:
    """The name with forward slashes; names without the UTF-8 mark are Shift-JIS if they can be."""
    name = member.filename
    if not member.flag_bits & _UTF8_NAME:
        try:
            name = name.encode("cp437").decode("cp932")
        except UnicodeError:
            pass  # some other code page: the name stays as Python read it
    return name.replace("\\", "/")


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
        # damaged data, encrypted members, a file where a folder should be, over-long names
        raise ArchiveError(f"The zip member '{name}' cannot be unpacked ({error}). Zip the folder again.") from error
    return left
