"""How many pictures the rows of an export have of each model, and on which side: read from the data, layout by layout."""

import csv
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from farm.dataset.reading import stands
from farm.dataset.splits import SPLITS
from farm.exports.folder import ROWS
from farm.exports.sides import LISTS

UNREADABLE = (
    OSError, ValueError, LookupError, TypeError, RecursionError, csv.Error, tarfile.TarError, pa.ArrowException,
)  # fmt: skip
"""What reading a table or a shard raises when it is damaged."""
_MOST_LINE = 2**20
"""Characters of a line. Of a longer one the pieces are read as lines, and are none that mean something."""
_MOST_JSON = 2**20


@dataclass(frozen=True, slots=True)
class ExportedRow:
    """A row of an export, as far as it is counted."""

    where: str
    """The file that it stands in, below the export."""
    model: str
    """The model's hash, or its `org_id` where a layout has nothing else."""
    key: str
    """Unique within `where`."""
    split: str
    """Empty where the file does not say."""
    pictures: tuple[str, ...]
    """Those that stand as files of their own, below the export."""
    images: int
    """How many it has."""


def lines_in(file: TextIO) -> Iterator[str]:
    """The lines of a file that may be one endless line."""
    while line := file.readline(_MOST_LINE):
        yield line


def rows_in(directory: Path, layout: str) -> Iterator[tuple[str, Iterator[ExportedRow]]]:
    """The tables and shards of an export by name, each with its rows, which raise one of UNREADABLE when it is damaged."""
    patterns = {
        "animeceleb": "combined_*/combined_pose.csv",
        "webdataset": "*/shard-*.tar",
        "huggingface": "data/*.parquet",
        "folder": f"*/{ROWS}",
    }
    for path in sorted(directory.glob(patterns[layout])):
        if stands(directory, where := path.relative_to(directory).as_posix()):
            yield where, _READERS[layout](path, where)


def listed(directory: Path) -> Iterator[tuple[str, str]]:
    """The lines of the two lists of the layout animeceleb: side and org_id."""
    for split in SPLITS:
        if stands(directory, LISTS[split]):
            with (directory / LISTS[split]).open(encoding="utf-8", errors="replace") as file:
                yield from ((split, line.strip()) for line in lines_in(file) if line.strip())


_PARTS = ("rotation", "expression")


def _table(path: Path, where: str) -> Iterator[ExportedRow]:
    root = where.split("/")[0]
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(lines_in(file)):
            org_id, name = row["org_id"], row["png_name"]
            folder, cluster = name.rpartition("_")[0], int(row["folder_name"])
            # Clips have no frontal pictures. That some of another model are gone, the sums tell.
            parts = [
                part
                for part in _PARTS
                if part == _PARTS[0] or (path.parent / part / f"{cluster:05d}" / folder).is_dir()
            ]
            pictures = tuple(f"{root}/{part}/{cluster:05d}/{folder}/{name}" for part in parts)
            yield ExportedRow(where, org_id, name, "", pictures, len(pictures))


def _shard(path: Path, where: str) -> Iterator[ExportedRow]:
    with tarfile.open(path, "r:") as shard:
        for member in shard:
            shard.members = []  # type: ignore[attr-defined]  # it would remember them all; typeshed does not know it
            key, _, suffix = member.name.partition(".")
            if suffix != "json" or member.size > _MOST_JSON or (source := shard.extractfile(member)) is None:
                continue
            row = json.load(source)
            yield ExportedRow(where, row["model"], key, where.split("/")[0], (), len(row["styles"]))


def _parquet(path: Path, where: str) -> Iterator[ExportedRow]:
    split = path.name.split("-")[0]
    with pq.ParquetFile(path) as file:
        images = sum(name.startswith("image_") for name in file.schema_arrow.names)
        for batch in file.iter_batches(columns=["key", "model"]):
            for row in batch.to_pylist():
                yield ExportedRow(where, row["model"], row["key"], split, (), images)


def _lines(path: Path, where: str) -> Iterator[ExportedRow]:
    split = where.split("/")[0]
    with path.open(encoding="utf-8") as file:
        for line in lines_in(file):
            row = json.loads(line)
            pictures = tuple(
                f"{split}/{name}"
                for column, name in row.items()
                if column.startswith("image_") and isinstance(name, str)
            )
            yield ExportedRow(where, row["model"], row["key"], split, pictures, len(pictures))


_READERS: dict[str, Callable[[Path, str], Iterator[ExportedRow]]] = {
    "animeceleb": _table,
    "webdataset": _shard,
    "huggingface": _parquet,
    "folder": _lines,
}
LAYOUTS = tuple(_READERS)
