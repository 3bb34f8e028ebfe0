"""Takes a withdrawn model out of a rendered folder (`farm.exports.forgetting`: out of an export).

What is taken out first is what says that the model is there, so a command that was killed leaves no half of it in use and
can be given again. Nothing outside the folder is touched: names come from the folder itself and are not followed.
"""

import csv
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from farm.dataset.failures import Failures
from farm.dataset.manifest import MANIFEST
from farm.dataset.output import POSES, POSES_PARQUET, replacing
from farm.dataset.reading import model_folders, models_in, read_model_folder
from farm.dataset.summary import summarise
from farm.errors import StorageError
from farm.licences.tombstones import Tombstone, admitted, bury, tombstones
from farm.wording import counted

STATISTICS = "statistics.html"
"""What `farm stats` leaves in a rendered folder."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was taken out of one folder."""

    folders: int
    rows: int
    """Of its tables."""


def find_model(directory: Path, named: str) -> str:
    """The id of the model that somebody means: an id, its beginning (8 digits or more), or the name of its folder.

    Raises StorageError when there is none, or more than one.
    """
    if len(named) == 64:
        return named
    found = {stone for stone in tombstones(directory) if len(named) >= 8 and named.endswith(stone[:8])}
    for folder in model_folders(directory):
        if folder.name == named or (len(named) >= 8 and folder.name.endswith(f"-{named[:8]}")):
            model = read_model_folder(folder).manifest.model.id
            if folder.name == named or model.startswith(named):
                found.add(model)
    if len(found) != 1:
        raise StorageError(
            f"{directory} holds {counted(len(found), 'model') if found else 'no models'} '{named}'; name its folder, or 8 to "
            "64 digits of its hash."
        )
    return found.pop()


def forget(directory: Path, stone: Tombstone) -> Forgotten:
    """Take the model out of a rendered folder, and keep it out. The caller holds the folder's lock."""
    bury(directory, stone)
    folders = 0
    for folder in model_folders(directory):
        if folder.name.endswith(f"-{stone.model[:8]}") and _is_of(folder, stone.model):
            (folder / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(folder)  # follows no link
            folders += 1
    rows = without_rows(directory / POSES, "model", {stone.model})
    _rebuild(directory)
    (directory / STATISTICS).unlink(missing_ok=True)  # it shows pictures and names of all
    Failures(directory).drop_model(stone.model)
    return Forgotten(folders, rows)


def _is_of(folder: Path, model: str) -> bool:
    try:
        return read_model_folder(folder).manifest.model.id == model
    except StorageError:
        return True  # what an interrupted `forget` or `render` left of it


def _rebuild(directory: Path) -> None:
    """Make anew what spans all models."""
    if any((folder / MANIFEST).is_file() for folder in model_folders(directory)):
        summarise(admitted(directory, models_in(directory)), directory)
        return
    for path in (directory / POSES, directory / POSES_PARQUET, *directory.glob("index*.html")):
        path.unlink(missing_ok=True)


def without_rows(path: Path, column: str, values: Collection[str]) -> int:
    """Write a CSV table again without the rows that have one of these values in a column; how many those were.

    Raises ValueError for a table without the column, and csv.Error for what is no table.
    """
    if path.is_symlink() or not path.is_file():
        return 0
    taken = 0
    with (
        replacing(path) as part,
        path.open(newline="", encoding="utf-8") as source,
        part.open("w", newline="", encoding="utf-8") as target,
    ):
        rows, writer = csv.reader(source), csv.writer(target, lineterminator="\n")
        header = next(rows, [])
        place = header.index(column)
        writer.writerow(header)
        for row in rows:
            if len(row) > place and row[place] in values:
                taken += 1
            else:
                writer.writerow(row)
    return taken
