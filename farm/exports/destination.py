"""Where an export goes: a folder or a bucket. It is put together beside what was there, and put in place at the end."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from farm.dataset.lock import locked
from farm.dataset.output import replacing
from farm.errors import NotFoundError, StorageError
from farm.exports.receipts import Receipt
from farm.scratch import Scratch
from farm.settings import Settings
from farm.storage import ObjectStore, open_store
from farm.storage.addresses import place
from farm.storage.interface import check_key

MARKER = "facefarm-export.json"
"""Tells an earlier export, which another may replace, from a folder with someone's own data."""
PARTIAL = ".partial"
"""The folder in it in which an export is put together."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_PATIENCE_SECONDS = 60.0


class Marker(BaseModel):
    """What stands in the marker."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    layout: str
    format: int = 2
    plan: str = ""
    """The fingerprint of what is exported and how; empty while it is not whole, and where a model was taken out of it."""
    holds: tuple[str, ...] = ()
    """The names right under the export's root."""
    files: dict[str, int] = {}
    """Bytes of each file, where the export consists of few."""

    def to_bytes(self) -> bytes:
        return self.model_dump_json().encode() + b"\n"


def is_export(directory: Path) -> bool:
    """Whether the folder is an export, not a rendered folder."""
    return (directory / MARKER).is_file()


class Destination(Protocol):
    """A place that an export is put together in. Names are relative, with forward slashes; several threads may write."""

    scratch: Path
    """A folder on this machine for files that are being written."""
    links: bool
    """Whether a file may stand under several names without taking space."""

    def place(self, name: str, path: Path) -> None:
        """Take the file at `path`, of the scratch folder, over under a name."""

    def link(self, name: str, origin: str) -> bool:
        """Make the file at the path `origin` the export's too; whether that took no space."""

    def link_again(self, name: str, placed: str) -> None:
        """Let a file that is there stand under another name, too. Only where there are `links`."""

    def receipt(self, unit: str) -> Receipt | None:
        """What this try, or an earlier one of the same export, wrote of a unit; None when that is not whole."""

    def add_receipt(self, receipt: Receipt) -> None:
        """A unit is written whole."""

    def finish(self, layout: str, files: Mapping[str, int], last: Mapping[str, bytes]) -> None:
        """Put all that was written in place, the files of `last` in their order after all others."""


@contextmanager
def destination_at(out: str, layout: str, plan: str) -> Iterator[Destination | None]:
    """Where `out` (a folder, or ``s3://bucket/prefix``) says; None when the very export stands there whole.

    Raises StorageError when something else stands there, ConflictError while another writes there.
    """
    if out.startswith("s3://"):
        address = place(out)
        store = open_store(Settings(storage_url=f"s3://{address.bucket}"), _PATIENCE_SECONDS)
        with Scratch() as room:
            yield _bucket(store, address.prefix.removesuffix("/"), room.path, layout, plan)
        return
    with _working(out):
        folder = Path(out)
        _refuse_others(folder)
        with locked(folder):
            yield _folder(folder, layout, plan)


@contextmanager
def _working(out: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"The export to {out} failed ({error}). Free space or permissions?") from error


def _refuse_others(out: Path) -> None:
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MARKER).is_file())):
        raise StorageError(f"{out} already holds something that is not an export of the farm; name a new folder.")


def parse_marker(data: bytes) -> Marker:
    """What a marker says; one that is damaged names no layout."""
    try:
        return Marker.model_validate_json(data)
    except ValidationError:
        return Marker(layout="")


def _folder(out: Path, layout: str, plan: str) -> "FolderDestination | None":
    marker = parse_marker((out / MARKER).read_bytes()) if (out / MARKER).is_file() else Marker(layout=layout)
    if marker.plan == plan and marker.files and _stands(out, marker):
        shutil.rmtree(out / PARTIAL, ignore_errors=True)
        return None
    if not (out / MARKER).is_file():
        (out / MARKER).write_bytes(marker.to_bytes())
    partial = out / PARTIAL
    if partial.is_symlink():
        raise StorageError(f"{partial} is a link; delete it, and export again.")
    if not (partial / "plan").is_file() or (partial / "plan").read_text() != plan:
        if partial.exists():
            shutil.rmtree(partial)
        for name in ("tree", "receipts"):
            (partial / name).mkdir(parents=True)
        (partial / "plan").write_text(plan)
    if (partial / "scratch").exists():  # a kill may have come between its end and its beginning
        shutil.rmtree(partial / "scratch")
    (partial / "scratch").mkdir()
    return FolderDestination(out, marker, plan)


def _stands(out: Path, marker: Marker) -> bool:
    try:
        return all(
            (out / name).is_file() and (out / name).stat().st_size == size for name, size in marker.files.items()
        )
    except OSError:
        return False


class FolderDestination:
    """A folder on this machine; see `Destination`."""

    links = True

    def __init__(self, out: Path, before: Marker, plan: str) -> None:
        self._out = out
        self._before = before
        self._plan = plan
        self._partial = out / PARTIAL
        self._tree = self._partial / "tree"
        self.scratch = self._partial / "scratch"

    def _path(self, name: str) -> Path:
        check_key(name)
        path = self._tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def place(self, name: str, path: Path) -> None:
        path.replace(self._path(name))

    def link(self, name: str, origin: str) -> bool:
        check_key(name)
        path = f"{self._tree}/{name}"
        if not os.path.islink(origin):  # noqa: PTH114 - a hard link to a symbolic link would be a symbolic link
            try:
                _hard_link(origin, path)
                return True
            except OSError:
                pass  # another file system, one without hard links, or a file with too many: all that is left is to copy
        copy = self._path(name)
        copy.unlink(missing_ok=True)
        shutil.copyfile(origin, copy)
        return False

    def link_again(self, name: str, placed: str) -> None:
        self.link(name, f"{self._tree}/{placed}")

    def receipt(self, unit: str) -> Receipt | None:
        try:
            receipt = Receipt.model_validate_json((self._partial / "receipts" / f"{unit}.json").read_bytes())
        except FileNotFoundError:
            return None
        return receipt if all((self._tree / name).is_file() for name in receipt.files) else None

    def add_receipt(self, receipt: Receipt) -> None:
        part = self.scratch / f"{receipt.unit}.receipt"
        part.write_bytes(receipt.model_dump_json().encode())
        part.replace(self._partial / "receipts" / f"{receipt.unit}.json")

    def finish(self, layout: str, files: Mapping[str, int], last: Mapping[str, bytes]) -> None:
        for name, data in last.items():
            self._path(name).write_bytes(data)
        new = sorted(path.name for path in self._tree.iterdir() if path.name not in last) + list(last)
        old = [name for name in held(self._before) if (self._out / name).exists()]
        if foreign := [name for name in new if (self._out / name).exists() and name not in old]:
            raise StorageError(f"{self._out / foreign[0]} is in the way and not ours; move it, or name a new folder.")
        self._mark(Marker(layout=layout, holds=tuple(sorted({*old, *new}))))
        (self._partial / "plan").unlink()  # whoever comes after a kill in here begins anew
        for name in sorted(old, key=lambda name: name not in last):  # what says that the old one is whole goes first
            gone = self._out / name
            shutil.rmtree(gone) if gone.is_dir() and not gone.is_symlink() else gone.unlink()
        for name in new:
            (self._tree / name).rename(self._out / name)
        whole = {**files, **{name: len(data) for name, data in last.items()}} if files else {}
        self._mark(Marker(layout=layout, plan=self._plan, holds=tuple(sorted(new)), files=whole))
        shutil.rmtree(self._partial)

    def _mark(self, marker: Marker) -> None:
        with replacing(self._out / MARKER) as path:  # half a marker would make strangers' files of ours
            path.write_bytes(marker.to_bytes())


def _hard_link(origin: str, path: str) -> None:
    """Nearly every one of some 100,000 is new, in a folder that is there: only what fails is looked into.

    Text, not Path: taking paths apart and together took a third of an export's time.
    """
    try:
        os.link(origin, path)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        os.link(origin, path)
    except FileExistsError:
        Path(path).unlink()
        os.link(origin, path)


def held(before: Marker) -> tuple[str, ...]:
    """The names right under an export's root, as its marker says; that may come from elsewhere, too."""
    if before.format == 1:
        from farm.styles import STYLES

        return (*(f"combined_{style}" for style in STYLES), "train_list.txt", "test_list.txt")
    return tuple(name for name in before.holds if _PLAIN.fullmatch(name) and name != MARKER)


def _bucket(store: ObjectStore, prefix: str, room: Path, layout: str, plan: str) -> "BucketDestination | None":
    where = f"{prefix}/" if prefix else ""
    try:
        marker = parse_marker(store.get(f"{where}{MARKER}"))
    except NotFoundError:
        if store.list(where, limit=1):
            raise StorageError(
                f"'{where}' in the bucket already holds something that is not an export of the farm; name a new prefix."
            ) from None
        marker = Marker(layout=layout)
        store.put(f"{where}{MARKER}", marker.to_bytes())
        store.put(f"{where}{PARTIAL}/plan", plan.encode())
    if marker.plan == plan:
        return None
    try:
        begun = store.get(f"{where}{PARTIAL}/plan").decode("utf-8", "replace")
    except NotFoundError:
        begun = marker.plan
    if begun != plan:
        raise StorageError(f"'{where}' in the bucket holds another export; delete it there, or name a new prefix.")
    return BucketDestination(store, where, room, plan)


class BucketDestination:
    """A prefix of a bucket; see `Destination`. Nothing can be renamed there, so what was there before is never replaced."""

    links = False

    def __init__(self, store: ObjectStore, where: str, room: Path, plan: str) -> None:
        self._store = store
        self._where = where
        self._plan = plan
        self.scratch = room

    def place(self, name: str, path: Path) -> None:
        self._store.put_file(self._where + name, path)
        path.unlink()

    def link(self, name: str, origin: str) -> bool:
        self._store.put_file(self._where + name, Path(origin))
        return False

    def link_again(self, name: str, placed: str) -> None:
        raise NotImplementedError("A bucket knows no links.")

    def receipt(self, unit: str) -> Receipt | None:
        try:
            return Receipt.model_validate_json(self._store.get(self._receipt(unit)))
        except NotFoundError:
            return None

    def _receipt(self, unit: str) -> str:
        return f"{self._where}{PARTIAL}/receipts/{unit}.json"

    def add_receipt(self, receipt: Receipt) -> None:
        self._store.put(self._receipt(receipt.unit), receipt.model_dump_json().encode())

    def finish(self, layout: str, files: Mapping[str, int], last: Mapping[str, bytes]) -> None:
        for name, data in last.items():
            self._store.put(self._where + name, data)
        marker = Marker(layout=layout, plan=self._plan, files={**files, **{n: len(data) for n, data in last.items()}})
        self._store.put(f"{self._where}{MARKER}", marker.to_bytes())
        self._store.delete_all(f"{self._where}{PARTIAL}/")
