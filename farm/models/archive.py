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
_UTF8_NAME = 0x800
_CHUNK = 2**20
_DAMAGE = (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError)


def unpack(data: bytes, into: Path) -> None:
    """Unpack the zip `data` under the folder `into`.

    Raises ArchiveError for anything but plain files and folders below `into`, and over the limits; `into` may then hold
    a part of the members and should be thrown away.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = archive.infolist()
    except _DAMAGE as error:
        raise ArchiveError(f"The file is no usable zip archive ({error}). Zip the model's folder again.") from error
    if len(members) > MAX_MEMBERS:
        raise ArchiveError(
            f"The zip holds {len(members)} members, over the limit of {MAX_MEMBERS}. Zip one model's folder at a time."
        )
    left = MAX_UNPACKED_BYTES
    for member in members:
        name = _member_name(member)
        target = _safe_target(into, name)
        mode = member.external_attr >> 16
        if stat.S_ISLNK(mode) or (stat.S_IFMT(mode) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))):
            raise ArchiveError(f"The zip member '{name}' is a link or a device. Zip plain files only.")
        if name.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        left = _write(archive, member, name, target, left)


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
    return into.joinpath(*(part for part in parts if part not in ("", ".")))


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, target: Path, left: int) -> int:
    """Unpack one member in bounded pieces; return how many bytes the rest may still take."""
    try:
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
