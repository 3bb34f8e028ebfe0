"""A table of all rows of each split, in lines of JSON: what loaders, Croissant and people read without opening a picture."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from farm.dataset.shards import sha256_of
from farm.dataset.splits import SPLITS
from farm.exports.destination import Destination
from farm.exports.receipts import FileRecord, Receipt

ROWS = "rows.jsonl"
"""The table's name, where loaders ask for no other."""


def by_split(name: str) -> tuple[str, ...]:
    """Where the tables called `name` stand, below an export."""
    return tuple(f"{split}/{name}" for split in SPLITS)


def row_line(record: dict[str, Any]) -> str:
    """The line of one row."""
    return json.dumps(record, ensure_ascii=False) + "\n"


def write_row_tables(
    name: str, target: Destination, receipts: Callable[[], Iterable[Receipt]]
) -> dict[str, FileRecord]:
    """Put the lines that units noted under `name` at ``<split>/<name>``; a split without rows has no table."""
    tables: dict[str, FileRecord] = {}
    for split in SPLITS:
        path = target.scratch / f"{split}-{name}"
        keys = 0
        with path.open("w", encoding="utf-8") as file:
            for receipt in receipts():
                if receipt.split == split:
                    file.write(receipt.notes[name])
                    keys += receipt.keys
        if keys:
            tables[f"{split}/{name}"] = FileRecord(bytes=path.stat().st_size, sha256=sha256_of(path), keys=keys)
            target.place(f"{split}/{name}", path)
    return tables
