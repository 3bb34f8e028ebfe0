"""Holds ``poses.parquet`` against ``poses.csv``: the same rows, block by block, in bounded memory."""

from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.csv import ConvertOptions, ReadOptions, open_csv

from farm.dataset.output import COLUMNS, POSES, POSES_PARQUET
from farm.dataset.tables import OCCLUDER, schema_with
from farm.morphs.columns import extended_targets, extra_columns
from farm.spaces.space import space_named, space_names
from farm.verification.findings import REBUILD, Fault, FindingList

_ROWS = 10_000
"""Compared at a time."""
_EXTRA = frozenset(
    (OCCLUDER, *extra_columns(extended_targets()), *(e for name in space_names() for e in space_named(name).entries))
)
"""Columns that follow where targets beyond the 23 were switched on, or poses are of another space."""
_BLOCK_BYTES = 8 * 2**20
_MAX_GROUP_BYTES = 512 * 2**20
"""Of a row group, unpacked: 20,000 rows have about 6 MiB."""


def check_columns(directory: Path, columns: Collection[str], findings: FindingList) -> None:
    """Whether both tables say the same; `columns` are those of the CSV file.

    An earlier version, whose CSV file has fewer columns, wrote no Parquet table, which is no fault.
    """
    path = directory / POSES_PARQUET
    if not path.exists() and not path.is_symlink():
        if set(COLUMNS) <= set(columns):
            findings.add(Fault.MISSING, "", f"The pose table for programs is missing; {REBUILD}.")
        return
    if path.is_symlink() or not path.is_file():
        findings.add(Fault.LINK, "", "It is a link or a device; it was not opened.")
        return
    try:
        with pq.ParquetFile(path) as table:
            schema = schema_with([name for name in table.schema_arrow.names if name in _EXTRA and name not in COLUMNS])
            if table.schema_arrow.names != schema.names or table.schema_arrow.types != schema.types:
                findings.add(Fault.ROW, "", "Its columns are not those of the pose table.")
                return
            groups = range(table.metadata.num_row_groups)
            if any(table.metadata.row_group(group).total_byte_size > _MAX_GROUP_BYTES for group in groups):
                findings.add(Fault.ROW, "", "One of its row groups is too large to be one of ours; it was not read.")
                return
            row = _first_difference(
                _slices(table.iter_batches(_ROWS), schema), _slices(_rows_of(directory / POSES, schema), schema)
            )
    except (pa.ArrowException, OSError) as error:
        findings.add(Fault.ROW, "", f"It cannot be read beside {POSES} ({str(error).splitlines()[0]}).")
        return
    if row is not None:
        findings.add(Fault.ROW, "", f"From row {row} on it says something else than {POSES}.")


def _rows_of(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with open_csv(
        path,
        ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
        convert_options=ConvertOptions(column_types=schema, null_values=[""], strings_can_be_null=True),
    ) as blocks:
        yield from blocks


def _slices(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in pieces of `_ROWS`; the last one is shorter."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        while count >= _ROWS:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, _ROWS)
            waiting = table.slice(_ROWS).to_batches()
            count -= _ROWS
    yield pa.Table.from_batches(waiting, schema)


def _first_difference(one: Iterator[pa.Table], other: Iterator[pa.Table]) -> int | None:
    """The first row, from 1, that differs or that one of them lacks; None where all are the same."""
    done = 0
    while True:
        left, right = next(one, None), next(other, None)
        if left is None and right is None:
            return None
        if left is None or right is None:
            return done + 1
        if not left.equals(right):
            most = min(left.num_rows, right.num_rows)
            same = (row for row in range(most) if left.slice(row, 1) != right.slice(row, 1))
            return done + next(same, most) + 1
        done += left.num_rows
