"""Takes withdrawn models out of an export in a folder; the results that it was made of are not needed.

First a tombstone says that the model is out, then the marker that no `farm export` would write what is left, then go what
lists the model and its pictures. Shards that hold it are written anew beside the old ones, and take their places last, when
the list of hashes has theirs: whoever repeats this after a kill finds the model in the others. Shards without it keep their
bytes.
"""

import json
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from farm.dataset.output import replacing
from farm.dataset.reading import MAX_MANIFEST_BYTES, read_file, stands
from farm.dataset.shards import sha256_of
from farm.dataset.splits import SPLITS
from farm.dataset.sums import SUMS, read_sums, sum_line
from farm.errors import StorageError
from farm.exports.describing import describing_files
from farm.exports.destination import MARKER, PARTIAL, Marker, held, parse_marker
from farm.exports.layout import Layout, Shards
from farm.exports.layouts import layout_named
from farm.exports.plain_files import belongs, remove_files, without_models
from farm.exports.receipts import FileRecord, record_of
from farm.exports.roster import MODELS, Roster, read_roster
from farm.exports.sharding import INDEX
from farm.licences.forgetting import Forgotten
from farm.licences.tombstones import Tombstone, bury, tombstones


def find_in_export(directory: Path, named: str) -> str:
    """The id of the model that somebody means: an id, its beginning (8 digits or more), or the name of its folder.

    Raises StorageError when there is none, or more than one.
    """
    if len(named) == 64:
        return named
    found = {
        stone
        for stone in tombstones(directory)
        if len(named) >= 8 and (stone.startswith(named) or named.endswith(f"-{stone[:8]}"))
    }
    try:
        for line in read_file(directory / MODELS, MAX_MANIFEST_BYTES).splitlines():
            row = json.loads(line)
            if row["folder"] == named or (len(named) >= 8 and row["model"].startswith(named)):
                found.add(row["model"])
    except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError(
            f"{directory / MODELS} cannot be read; name the model by all 64 digits of its hash."
        ) from error
    if len(found) != 1:
        raise StorageError(
            f"{directory} holds {'several models' if found else 'no model'} '{named}'; name its folder, or 8 to 64 digits "
            "of its hash."
        )
    return found.pop()


def check_export(directory: Path) -> None:
    """Raises StorageError for an export that no model can be taken out of."""
    _roster(directory, _marker(directory), tombstones(directory))


def forget_in_export(directory: Path, stone: Tombstone) -> Forgotten:
    """Take the model out of an export, and keep it out. The caller holds the folder's lock.

    What an earlier, interrupted try left of others goes, too. Raises StorageError as `check_export` does.
    """
    check_export(directory)
    bury(directory, stone)
    gone = tombstones(directory).keys()
    marker = _marker(directory)
    _remove(directory / PARTIAL)  # what was not yet in place of an export may hold the model
    _mark(directory, marker)
    if not held(marker):
        return Forgotten(0, 0)
    roster = _roster(directory, marker, gone)
    if roster is not None and not roster.members:
        return _forget_all(directory, marker)
    layout = layout_named(marker.layout)
    with _room(directory) as room:
        shards = list(_shards(directory, layout.shards, gone, room)) if layout.shards else []
        rows = sum(shard.taken for shard in shards)
        tables = dict[str, FileRecord | None]()
        for name in _found(directory, layout.table_patterns):
            taken = without_models(directory / name, gone)
            rows += 0 if layout.shards or Path(name).suffix == ".json" else taken
            tables[name] = _record(directory / name) if (directory / name).is_file() else None
        files = {shard.name: shard.record for shard in shards}
        if roster is None:
            without_models(directory / MODELS, gone)
            last = {MODELS: _record(directory / MODELS)}
        else:
            last = _describe(directory, layout, roster, files, tables)
        folders = 0 if layout.shards else remove_files(directory, held(marker), gone)
        _sum_again(directory, {**files, **tables, **last}, gone)
        for shard in shards:
            if shard.record is None:
                (directory / shard.name).unlink()
            elif shard.taken:
                shard.copy.replace(directory / shard.name)
    for split in SPLITS:
        with suppress(OSError):  # there is none, or it is not empty
            (directory / split).rmdir()
    return Forgotten(folders, rows)


def _marker(directory: Path) -> Marker:
    return parse_marker(read_file(directory / MARKER, MAX_MANIFEST_BYTES))


def _mark(directory: Path, marker: Marker) -> None:
    with replacing(directory / MARKER) as path:
        path.write_bytes(marker.model_copy(update={"plan": "", "files": {}}).to_bytes())


def _roster(directory: Path, marker: Marker, gone: Collection[str]) -> Roster | None:
    """Who is left; None where an earlier version did not write it, and no file holds several models."""
    layout = layout_named(marker.layout)
    if not held(marker):
        return None
    try:
        return read_roster(directory, marker.layout, gone)
    except StorageError:
        if layout.shards:
            raise
        return None


@contextmanager
def _room(directory: Path) -> Iterator[Path]:
    """A folder for what is not yet in place."""
    room = directory / PARTIAL
    room.mkdir()
    yield room
    shutil.rmtree(room)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)  # follows no link


def _forget_all(directory: Path, marker: Marker) -> Forgotten:
    """Nobody is left: remove all that the export wrote, and last the list that says so."""
    with replacing(directory / MODELS) as path:
        path.write_bytes(b"")
    for name in sorted(held(marker), key=lambda name: name == MODELS):
        _remove(directory / name)
    _mark(directory, marker.model_copy(update={"holds": ()}))
    return Forgotten(1, 0)


def _found(directory: Path, patterns: Iterable[str]) -> list[str]:
    """The plain files of these patterns, below the export."""
    found = (path.relative_to(directory).as_posix() for each in patterns for path in sorted(directory.glob(each)))
    return [name for name in found if stands(directory, name)]


def _record(path: Path) -> FileRecord:
    return FileRecord(bytes=path.stat().st_size, sha256=sha256_of(path))


@dataclass(frozen=True, slots=True)
class _Shard:
    name: str
    record: FileRecord | None
    """Without the models that go; None: nothing is left of it."""
    taken: int
    """Rows."""
    copy: Path
    """Where its new bytes stand, if anything was taken."""


class _Indexed(FileRecord):
    file: str


class _Side(BaseModel):
    model_config = ConfigDict(extra="ignore")
    shards: tuple[_Indexed, ...]


class _Index(BaseModel):
    model_config = ConfigDict(extra="ignore")
    splits: dict[str, _Side]


def _shards(directory: Path, form: Shards, gone: Collection[str], room: Path) -> Iterator[_Shard]:
    """What is left of each shard. Those that nothing is taken from are as the index says; else they are hashed."""
    try:
        index = _Index.model_validate_json(read_file(directory / INDEX, MAX_MANIFEST_BYTES))
        known = {shard.file: shard for side in index.splits.values() for shard in side.shards}
    except (FileNotFoundError, ValidationError):
        known = {}
    for name in _found(directory, form.patterns):
        path, copy = directory / name, room / name.replace("/", "-")
        left, taken = form.copy_without(path, gone, copy)
        said = known.get(name)
        record: FileRecord | None
        if not left:
            record = None
        elif not taken and said is not None and (said.bytes, said.keys) == (path.stat().st_size, left):
            record = FileRecord(bytes=said.bytes, sha256=said.sha256, keys=said.keys)
        else:
            record = _record(copy if taken else path).model_copy(update={"keys": left})
        yield _Shard(name, record, taken, copy)


def _describe(
    directory: Path,
    layout: Layout,
    roster: Roster,
    files: Mapping[str, FileRecord | None],
    tables: Mapping[str, FileRecord | None],
) -> dict[str, FileRecord]:
    """Write anew what describes the whole."""
    there, written = ({name: record for name, record in each.items() if record} for each in (files, tables))
    links = any(path.is_dir() for path in directory.glob("combined_*/flat"))
    contents = describing_files(roster, layout.describe(roster, there, written, links))
    for name, data in contents.items():
        with replacing(directory / name) as path:
            path.write_bytes(data)
    return {name: record_of(data) for name, data in contents.items()}


def _sum_again(directory: Path, changed: Mapping[str, FileRecord | None], gone: Collection[str]) -> None:
    """Renew the list of hashes: `changed` files have others or, None, are no more, nor are those of the models."""
    if not stands(directory, SUMS):
        return  # an earlier version exported this
    with replacing(directory / SUMS) as part, part.open("w", encoding="utf-8", errors="surrogateescape") as file:
        for name, sha256 in read_sums(directory / SUMS):
            if name in changed:
                record = changed[name]
                if record is not None:
                    file.write(sum_line(name, record.sha256))
            elif not belongs(name, gone):
                file.write(sum_line(name, sha256))
