"""The readme and licence files that stand beside a model: often the only place that says how its pictures may be used."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

MAX_NOTICES = 8
"""Files of one model that are noted; those in the model's own folder come first."""
MAX_CHARACTERS = 32_768
"""Of one file's text; what follows is cut off."""
_MAX_BYTES = 4 * 2**20
"""A larger file is no notice."""
_MAX_ENTRIES = 10_000
"""Of a folder; in a larger one no notice is looked for."""
_LEVELS = 3
"""Folders that are looked into: the model's own, and those above it."""
_NAME = re.compile(
    r"read.?me|licen[cs]e|copying|copyright|credits?|terms|notice|リード.?ミー|り[ーど]?どみ|お?読み|お?読んで|はじめに"
    r"|規約|利用条件|使用条件|ライセンス|クレジット|说明|說明|规约|须知|須知|授权|授權|许可|이용|규약|읽어",
    re.IGNORECASE,
)
_TEXTS = frozenset({"", ".txt", ".md"})
_OTHERS = frozenset({".htm", ".html", ".pdf", ".rtf", ".doc", ".docx"})
"""Their hash is noted, and no text."""
_ENCODINGS = ("utf-8-sig", "cp932", "gb18030", "cp950", "cp949")
"""In the order in which they are tried: what editors in Japan, China, Taiwan and Korea write."""


class Notice(BaseModel):
    """One such file."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Of the file, without its folder."""
    bytes: int
    sha256: str
    text: str = ""
    """What it says, with plain newlines; empty for what is no plain text."""
    cut: bool = False
    """Whether `text` is only the beginning."""


def find_notices(folder: Path, root: Path) -> list[Path]:
    """The notices for a model in `folder`: there, and in the folders above it up to `root`; no link is followed."""
    found: list[Path] = []
    for place in [folder, *folder.parents][:_LEVELS]:
        if not place.is_relative_to(root):
            break
        found += _notices_in(place)
    return found[:MAX_NOTICES]


def _notices_in(folder: Path) -> list[Path]:
    try:
        entries = [path for _, path in zip(range(_MAX_ENTRIES + 1), folder.iterdir(), strict=False)]
        if len(entries) > _MAX_ENTRIES:
            return []
        return sorted(path for path in entries if _is_notice(path))
    except OSError:
        return []


def _is_notice(path: Path) -> bool:
    name = unicodedata.normalize("NFKC", path.name)
    return (
        not name.startswith(".")
        and _is_text(name)
        and path.suffix.lower() in _TEXTS | _OTHERS
        and _NAME.search(name) is not None
        and path.is_file(follow_symlinks=False)
        and path.stat().st_size <= _MAX_BYTES
    )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # odd bytes of an old archive
        return False
    return True


def read_notices(paths: Iterable[Path]) -> Iterator[Notice]:
    """What the files of `find_notices` say; one that cannot be read is left out."""
    for path in paths:
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_BYTES)
        except OSError:
            continue
        text = _text(data) if path.suffix.lower() in _TEXTS else ""
        yield Notice(
            name=path.name,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            text=text[:MAX_CHARACTERS],
            cut=len(text) > MAX_CHARACTERS,
        )


def _text(data: bytes) -> str:
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else _ENCODINGS
    for encoding in encodings:
        try:
            return _plain(data.decode(encoding))
        except UnicodeError:
            continue
    return _plain(data.decode("utf-8", "replace"))


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
