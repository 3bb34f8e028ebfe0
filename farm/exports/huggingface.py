"""The layout of the Hugging Face Hub: Parquet with the pictures in it, a row for each sample and partition.

OUT/data/train-00000.parquet, OUT/data/test-00000.parquet
OUT/README.md                                               the card, with the YAML that `load_dataset` reads
OUT/index.json                                              what is in each file
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from farm.dataset.label_reading import INDEXED, MARKS_SUFFIX
from farm.dataset.output import RenderedModel
from farm.dataset.splits import SPLITS
from farm.errors import StorageError
from farm.exports import croissant, sharding
from farm.exports.destination import Destination
from farm.exports.layout import Described, Shards, Tell
from farm.exports.members import Member
from farm.exports.plan import ExportPlan, Unit, shard_units
from farm.exports.receipts import FileRecord, Receipt
from farm.exports.roster import Roster
from farm.exports.rows import SampleRow, read
from farm.labels import MARKED
from farm.wording import reason

_GROUP_ROWS, _GROUP_BYTES = 100, 32 * 2**20
"""A row group ends at either: the Hub's viewer reads a group at a time, and so much of a file is in memory."""
_VALUES: dict[str, str] = {
    "key": "string", "model": "string", "folder": "string", "sample": "int32", "partition": "string",
    "view": "int32", "yaw": "float64", "elevation": "float64", "light": "float64", "seed": "int64",
    "background": "string",
}  # fmt: skip
_OF_CLIPS = {"clip": "string", "time": "float64"}
_ROTATION = 9
"""Numbers of the (3, 3) matrix, row by row."""
_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def _copy_without(shard: Path, models: Collection[str], to: Path) -> tuple[int, int]:
    left = taken = 0
    try:
        with pq.ParquetFile(shard) as file:
            for group in range(file.num_row_groups):
                gone = sum(model in models for model in file.read_row_group(group, ["model"])["model"].to_pylist())
                taken += gone
                left += file.metadata.row_group(group).num_rows - gone
            if taken and left:
                with _writer(to, file.schema_arrow) as writer:
                    for group in range(file.num_row_groups):
                        table = file.read_row_group(group)
                        kept = table.filter(pa.array(model not in models for model in table["model"].to_pylist()))
                        if kept.num_rows:
                            writer.write_table(kept, row_group_size=kept.num_rows)
    except (OSError, LookupError, pa.ArrowException) as error:
        raise StorageError(f"{shard} cannot be read ({reason(error)}); `farm verify` says more.") from error
    return left, taken


class HuggingFaceLayout:
    """See the module."""

    name = "huggingface"
    shards = Shards(tuple(f"data/{split}-{'[0-9]' * 5}.parquet" for split in SPLITS), _copy_without)
    table_patterns = ()

    def check(self, members: Sequence[Member]) -> None:
        sharding.check(members)

    def units(self, plan: ExportPlan) -> Iterable[Unit]:
        return shard_units(plan)

    def write(self, unit: Unit, models: Iterable[RenderedModel], target: Destination, tell: Tell) -> Receipt:
        return sharding.write(
            unit,
            models,
            target,
            lambda number: f"data/{unit.split}-{number:05d}.parquet",
            lambda path, rows: _write(path, rows, tell),
        )

    def tables(
        self, plan: ExportPlan, target: Destination, receipts: Callable[[], Iterable[Receipt]]
    ) -> dict[str, FileRecord]:
        return {}

    def describe(
        self,
        roster: Roster,
        files: Mapping[str, FileRecord],
        tables: Mapping[str, FileRecord],
        links: bool,
    ) -> Described:
        kind = "application/x-parquet"
        splits = [split for split in SPLITS if any(sharding.side_of(name) == split for name in files)]
        spec = roster.members[0].spec
        lists = ["pose", "rotation"] if roster.members[0].space is None else ["pose", "pose_mask", "rotation"]
        columns = [
            *_VALUES,
            *(_OF_CLIPS if spec.motion is not None else ()),
            *lists,
            *(f"image_{style}" for style in spec.styles),
            *_label_columns(spec.labels),
        ]
        return Described(
            how_to_load=_HOW + "".join(said for name, said in _HOW_OF.items() if name in columns),
            front_matter={
                "configs": [
                    {
                        "config_name": "default",
                        "data_files": [{"split": split, "path": f"data/{split}-*.parquet"} for split in splits],
                    }
                ]
            },
            distribution=croissant.file_objects(files, kind)
            + [croissant.file_set(f"{split}-files", f"data/{split}-*.parquet", kind) for split in splits],
            record_sets=[
                *(
                    croissant.records(split, f"The rows for {split}ing", {"fileSet": f"{split}-files"}, columns)
                    for split in splits
                ),
            ],
            last={sharding.INDEX: sharding.index(roster, files)},
        )


def _label_columns(labels: Sequence[str]) -> list[str]:
    arrays = set(labels) - set(INDEXED) - set(MARKED)
    return [
        *(label for label in INDEXED if label in labels),
        *(["arrays"] if arrays else []),
        *(["marks"] if set(MARKED) & set(labels) else []),
    ]


def _column(suffix: str) -> str:
    """The column of a label file: a part or layer picture, the numbers as JSON, the arrays as the bytes of an .npz file."""
    columns = {own: label.value for label, own in INDEXED.items()} | {MARKS_SUFFIX: "marks"}
    return columns.get(suffix, "arrays")


def _schema(first: SampleRow) -> pa.Schema:
    """The columns of rows like the first one, with what `datasets` is to take them for."""
    styles, suffixes = list(first.pictures), list(first.labels)
    values = _VALUES | (_OF_CLIPS if first.clip is not None else {})
    fields = [(name, getattr(pa, kind)()) for name, kind in values.items()]
    features: dict[str, Any] = {name: {"dtype": kind, "_type": "Value"} for name, kind in values.items()}
    lists = {"pose": (len(first.pose), "float64"), "rotation": (_ROTATION, "float64")}
    if first.mask is not None:
        lists["pose_mask"] = (len(first.mask), "bool")
    for name, (length, kind) in lists.items():
        fields.append((name, pa.list_(pa.bool_() if kind == "bool" else pa.float64(), length)))
        features[name] = {"feature": {"dtype": kind, "_type": "Value"}, "length": length, "_type": "Sequence"}
    for name in (
        *(f"image_{style}" for style in styles),
        *(label.value for label, own in INDEXED.items() if own in suffixes),
    ):
        fields.append((name, _PICTURE))
        features[name] = {"_type": "Image"}
    for column, kind in (("arrays", "binary"), ("marks", "string")):
        if column in map(_column, suffixes):
            fields.append((column, getattr(pa, kind)()))
            features[column] = {"dtype": kind, "_type": "Value"}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(fields, metadata)


def _write(path: Path, rows: Sequence[SampleRow], tell: Tell) -> None:
    schema = _schema(rows[0])
    with _writer(path, schema) as writer:
        for group in _groups(rows, tell):
            writer.write_table(pa.Table.from_pylist(group, schema), row_group_size=len(group))


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    heavy = [field.name for field in schema if field.type == _PICTURE or field.name == "arrays"]
    packed = {
        path: "none" if column in heavy else "zstd" for column in schema.names for path in _leaves(schema.field(column))
    }
    return pq.ParquetWriter(
        path, schema, compression=packed, use_dictionary=["model", "folder", "partition"], write_statistics=["model"]
    )


def _leaves(field: pa.Field) -> list[str]:
    if pa.types.is_struct(field.type):
        return [f"{field.name}.{child.name}" for child in field.type]
    if pa.types.is_fixed_size_list(field.type):
        return [f"{field.name}.list.element"]
    return [field.name]


def _groups(rows: Sequence[SampleRow], tell: Tell) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        record: dict[str, Any] = {
            "key": row.key,
            "model": row.model,
            "folder": row.folder,
            "sample": row.sample,
            "partition": row.partition.value,
            "view": row.view,
            "yaw": row.yaw,
            "elevation": row.elevation,
            "light": row.light,
            "seed": row.seed,
            "background": row.background.id if row.background else None,
            "pose": row.pose,
            "rotation": [value for line in row.rotation for value in line],
        }
        if row.clip is not None:
            record |= {"clip": row.clip, "time": row.time}
        if row.mask is not None:
            record["pose_mask"] = row.mask
        for style, picture in row.pictures.items():
            data = read(picture)
            record[f"image_{style}"] = {"bytes": data, "path": f"{row.key}.{style}.png"}
            size += len(data)
        for suffix, label in row.labels.items():
            data = read(label)
            size += len(data)
            column = _column(suffix)
            if suffix in INDEXED.values():
                record[column] = {"bytes": data, "path": f"{row.key}{suffix}"}
            else:
                record[column] = data.decode("utf-8", "replace") if column == "marks" else data
        tell(len(row.pictures))
        group.append(record)
        if len(group) >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


_HOW = """```python
from datasets import load_dataset

data = load_dataset("path/to/this/folder")  # or the name of the repository
row = data["train"][0]
picture, pose = row["image_default"], row["pose"]  # RGBA, POSE_SIZE numbers
```

`rotation` is the 3 x 3 matrix row by row.
"""
_HOW_OF = {
    "arrays": "`arrays` holds the bytes of an .npz file (`numpy.load(io.BytesIO(...))`).\n",
    "marks": "`marks` is JSON.\n",
}
