"""Holds the pose table, ``poses.csv``, against the manifests: a row for each picture, saying what its manifest says.

The table can be larger than memory: it is read once to see where the rows of each model stand, and then model by model.
"""

import csv
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from farm.dataset.manifest import ImageRecord
from farm.dataset.output import COLUMNS, POSE_COLUMNS, POSES, RenderedModel
from farm.dataset.tables import org_id, pose_cells
from farm.verification.findings import REBUILD, Fault, FindingList
from farm.wording import counted

REQUIRED = COLUMNS[: COLUMNS.index("background") + 1]
"""Columns that every table has; later versions add some behind them."""
_MAX_LINE = 16 * 2**10
"""Bytes; a row has about 600."""
_MAX_RUNS = 100
"""Places in the table where rows of one model stand: as it is written, one."""

type Run = tuple[int, int]
"""First byte and the one behind the last of rows that stand behind each other."""


@dataclass(slots=True)
class Table:
    """Where the rows of each model stand."""

    columns: tuple[str, ...] = ()
    runs: dict[str, list[Run]] = field(default_factory=dict)
    """By the name of the model's folder."""


def survey_table(directory: Path, folders: Container[str], findings: FindingList) -> Table | None:
    """Where rows of the models in `folders` stand in the table; None without one. Rows of others are findings."""
    path = directory / POSES
    if path.is_symlink() or not path.is_file():
        findings.add(Fault.MISSING, "", f"The pose table is missing; {REBUILD}.")
        return None
    table = Table()
    strangers: Counter[str] = Counter()
    with path.open("rb") as file:
        header = file.readline(_MAX_LINE)
        table.columns = tuple(next(csv.reader([header.decode("utf-8", "replace")]), ()))
        if missing := [name for name in REQUIRED if name not in table.columns]:
            findings.add(Fault.ROW, "", f"The table has no column {missing[0]}.")
            return None
        at, place = len(header), table.columns.index("folder")
        while line := file.readline(_MAX_LINE):
            end = at + len(line)
            # No value of ours holds a comma or a quote: whatever does is no row of ours.
            cells = line.split(b",", place + 1)
            folder = cells[place].decode("utf-8", "replace") if len(cells) > place else ""
            if folder in folders and line.endswith(b"\n"):
                runs = table.runs.setdefault(folder, [])
                if runs and runs[-1][1] == at:
                    runs[-1] = runs[-1][0], end
                elif len(runs) < _MAX_RUNS:
                    runs.append((at, end))
                else:
                    findings.add(Fault.ROW, "", f"Rows of {folder} are strewn over the table.")
            elif len(strangers) < _MAX_RUNS or folder in strangers:
                strangers[folder if line.endswith(b"\n") else "a row that is cut off"] += 1
            at = end
    for folder, count in sorted(strangers.items()):
        findings.add(
            Fault.ROW, "", f"{counted(count, 'row is', 'rows are')} of '{folder[:100]}', which is no model here."
        )
    return table


def check_rows(
    model: RenderedModel, columns: Sequence[str], runs: Sequence[Run], findings: FindingList
) -> dict[str, int]:
    """Whether the table has one row for each picture, with the manifest's values; rows by the split they name, if any."""
    folder = model.folder
    images = {model.image_path(image).relative_to(folder.parent).as_posix(): image for image in model.manifest.images}
    seen: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    for row in _rows(folder.parent / POSES, columns, runs):
        name = row.get("file") or ""
        image = images.get(name)
        if image is None:
            findings.add(Fault.ROW, "", f"A row of {POSES} names '{name[:200]}', which the manifest does not list.")
            continue
        seen[name] += 1
        if "split" in row:
            splits[row["split"]] += 1
        for column, value in _expected(model, image).items():
            if column in row and not _says(row.get(column) or "", value):
                findings.add(
                    Fault.ROW,
                    name.partition("/")[2],
                    f"Its row of {POSES} says {column} {(row.get(column) or '')[:70]}, the manifest {value}.",
                )
                break
    for name in images.keys() - seen.keys():
        findings.add(Fault.ROW, name.partition("/")[2], f"{POSES} has no row for it.")
    for name, count in seen.items():
        if count > 1:
            findings.add(Fault.ROW, name.partition("/")[2], f"{POSES} has {counted(count, 'row')} for it.")
    return dict(splits)


def _rows(path: Path, columns: Sequence[str], runs: Sequence[Run]) -> Iterator[dict[str, str]]:
    with path.open("rb") as file:
        for start, end in runs:
            file.seek(start)
            left = end - start
            while left > 0:
                line = file.readline(min(_MAX_LINE, left))
                if not line:
                    return
                left -= len(line)
                cells = line.decode("utf-8", "replace").rstrip("\r\n").split(",")
                yield dict(zip(columns, cells, strict=False))


def _expected(model: RenderedModel, image: ImageRecord) -> dict[str, str | int | float]:
    """What the row of a picture says, by column; tables of earlier versions lack the last ones."""
    camera = model.manifest.spec.camera
    cells = pose_cells(model.manifest, image)
    pose = {name: cells.get(name, "") for name in (*POSE_COLUMNS, *cells)}
    matrix = {
        f"r{row}{column}": value for row, values in enumerate(image.rotation) for column, value in enumerate(values)
    }
    return {
        "model": model.manifest.model.id,
        "style": image.style,
        "partition": image.partition.value,
        "sample": image.sample,
        "seed": image.seed,
        "light": image.light,
        **pose,
        **matrix,
        "view": image.view.index,
        "yaw": image.view.yaw,
        "elevation": image.view.elevation,
        "background": image.background.id if image.background else "",
        "org_id": org_id(model.manifest.model.id),
        "framing": camera.framing.value,
        "projection": camera.projection,
        "field_of_view": camera.field_of_view if camera.projection == "perspective" else "",
    }


def _says(cell: str, value: str | float) -> bool:
    if isinstance(value, float):
        try:
            return float(cell) == value
        except ValueError:
            return False
    return cell == str(value)
