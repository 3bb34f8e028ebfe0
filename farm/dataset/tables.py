"""The tables of poses that span all models of a folder: CSV for people, Parquet for programs, the same rows in both.

Models are added one after the other, and nothing of them is kept.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.csv import ConvertOptions, ReadOptions, open_csv

from farm.dataset.manifest import ImageRecord, Manifest
from farm.dataset.output import COLUMNS, POSE_COLUMNS, POSES, POSES_PARQUET, RenderedModel, replacing
from farm.dataset.splits import split_of

_BLOCK_BYTES = 8 * 2**20
"""Of the CSV file that make one row group of Parquet: some 20,000 rows, and all that is in memory at a time."""
_ID_DIGITS = 13
"""Hexadecimal digits of the hash in an org_id: 52 bits, which a float holds exactly, should a reader make it one."""
_TEXTS = frozenset(
    ("model", "folder", "style", "partition", "file", "background", "split", "org_id", "framing", "projection")
)
_WHOLE = {"sample": pa.int32(), "view": pa.int32(), "seed": pa.int64()}
SCHEMA = pa.schema([(name, pa.string() if name in _TEXTS else _WHOLE.get(name, pa.float64())) for name in COLUMNS])
"""Of the Parquet file: the columns of the CSV file under the same names. An empty `background` or `field_of_view` is null."""


OCCLUDER = "occluder"
"""The column that says what the character wears, in tables of models that were drawn with occluders; empty: nothing."""


def schema_with(extra: Sequence[str]) -> pa.Schema:
    """`SCHEMA` and further columns, of poses and `OCCLUDER`, in this order; null for models that lack them."""
    return pa.schema([*SCHEMA, *(pa.field(name, pa.string() if name == OCCLUDER else pa.float64()) for name in extra)])


def org_id(model_id: str) -> str:
    """What the AnimeCeleb release calls a model: a decimal number, here from its hash (64 hexadecimal digits)."""
    return str(int(model_id[:_ID_DIGITS], 16))


def pose_cells(manifest: Manifest, image: ImageRecord) -> dict[str, float | str]:
    """The pose of a picture by the names of its columns, and what it wears, where that varies.

    A table may hold models of several pose spaces: equal names mean the same, a name that a space lacks has an empty cell,
    and so has, but in the paper's, what the model cannot play.
    """
    cells: dict[str, float | str] = dict(zip(manifest.pose_names, image.pose, strict=False))
    if manifest.space is not None:
        cells |= {name: "" for name, can in zip(manifest.pose_names, manifest.pose_mask, strict=True) if not can}
    if manifest.spec.occluders:
        cells[OCCLUDER] = image.view.occluder or ""
    return cells


@contextmanager
def pose_tables(out: Path) -> Iterator[Callable[[RenderedModel], None]]:
    """Write both tables of the folder `out`: call what is given with one model after the other.

    What was there before stays until the `with` ends well.
    """
    with replacing(out / POSES) as text, replacing(out / POSES_PARQUET) as columns:
        with text.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            extra: list[str] = []

            def add(model: RenderedModel) -> None:
                manifest = model.manifest
                names = [*manifest.pose_names, *([OCCLUDER] if manifest.spec.occluders else [])]
                extra.extend(name for name in names if name not in POSE_COLUMNS and name not in extra)
                writer.writerows(_rows(model, out, extra))

            yield add
        if extra:
            _widen(text, (*COLUMNS, *extra))
        _convert(text, columns, extra)


def _widen(text: Path, header: Sequence[str]) -> None:
    """Give the CSV file `text` this header, and as many cells in every row: which columns there are shows at its end."""
    with (
        replacing(text) as wide,
        text.open(newline="", encoding="utf-8") as narrow,
        wide.open("w", newline="", encoding="utf-8") as file,
    ):
        rows = csv.reader(narrow)
        next(rows)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(row + [""] * (len(header) - len(row)) for row in rows)


def _convert(text: Path, columns: Path, extra: Sequence[str]) -> None:
    """Write the CSV file `text` as Parquet, block by block."""
    schema = schema_with(extra)
    with (
        # Numbers are read as exactly as Python wrote them.
        open_csv(
            text,
            ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
            convert_options=ConvertOptions(column_types=schema, null_values=[""], strings_can_be_null=True),
        ) as blocks,
        pq.ParquetWriter(columns, schema, compression="zstd") as groups,
    ):
        for block in blocks:
            groups.write_batch(block)


def _rows(model: RenderedModel, out: Path, extra: Sequence[str]) -> Iterator[list[Any]]:
    manifest = model.manifest
    camera = manifest.spec.camera
    sides = split_of(manifest.model.id), org_id(manifest.model.id)
    field_of_view = camera.field_of_view if camera.projection == "perspective" else ""
    for image in manifest.images:
        pose = pose_cells(manifest, image)
        yield [
            manifest.model.id,
            model.folder.name,
            image.style,
            image.partition,
            image.sample,
            model.image_path(image).relative_to(out).as_posix(),
            image.seed,
            image.light,
            *(pose.get(name, "") for name in POSE_COLUMNS),
            *(value for row in image.rotation for value in row),
            image.view.index,
            image.view.yaw,
            image.view.elevation,
            image.background.id if image.background else "",
            *sides,
            camera.framing,
            camera.projection,
            field_of_view,
            *(pose.get(name, "") for name in extra),
        ]
