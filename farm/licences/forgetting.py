"""Takes a withdrawn model out of a rendered folder, or out of an export whose files hold one model each.

What is taken out first is what says that the model is there, so a command that was killed leaves no half of it in use and
can be given again. Nothing outside the folder is touched: names come from the folder itself and are not followed.
"""

import csv
import json
import shutil
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path

from farm.dataset.failures import Failures
from farm.dataset.manifest import MANIFEST
from farm.dataset.output import LABELS, POSES, POSES_PARQUET
from farm.dataset.reading import model_folders, models_in, read_model_folder
from farm.dataset.shards import sha256_of
from farm.dataset.splits import SPLITS
from farm.dataset.summary import summarise
from farm.dataset.sums import SUMS, read_sums, sum_line
from farm.dataset.tables import org_id as org_id_of
from farm.errors import StorageError
from farm.licences.tombstones import Tombstone, admitted, bury, tombstones
from farm.wording import counted

_MARKER, _LISTS = "facefarm-export.json", ("train_list.txt", "test_list.txt")
"""Of an export, as `farm.exports` names them; what writes exports stands above this room."""
STATISTICS = "statistics.html"
"""What `farm stats` leaves in a rendered folder."""
_ROOT = "combined_"
_CACHE, _TABLE, _MODELS, _ROWS = "cached.json", "combined_pose.csv", "models.jsonl", "rows.jsonl"
_METADATA = "metadata.jsonl"
"""The table of a split in the layout `folder`."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was taken out of one folder."""

    folders: int
    rows: int
    """Of its tables."""


def is_export(directory: Path) -> bool:
    """Whether the folder is an export, not a rendered folder."""
    return (directory / _MARKER).is_file()


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
    rows = _without(directory / POSES, "model", lambda value: value == stone.model)
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


def check_layout(directory: Path) -> None:
    """Raises StorageError for an export in a layout whose files hold many models each."""
    if not _roots(directory) and not _plain_splits(directory):
        raise StorageError(
            f"{directory} is an export in a layout whose files hold many models each; take the model out of the rendered "
            "folder, and export again."
        )


def _roots(directory: Path) -> list[Path]:
    """The folders, one a style, of an export in the layout `animeceleb`."""
    return sorted(path for path in directory.glob(f"{_ROOT}*") if path.is_dir() and not path.is_symlink())


def _plain_splits(directory: Path) -> list[Path]:
    """The folders of an export in the layout `folder`."""
    splits = (directory / split for split in SPLITS)
    return [path for path in splits if (path / _METADATA).is_file() and not path.is_symlink()]


def forget_in_export(directory: Path, model: str) -> Forgotten:
    """Take the model out of an export: lists, tables, then pictures. Raises StorageError for a layout that cannot."""
    check_layout(directory)
    roots, splits = _roots(directory), _plain_splits(directory)
    org_id = org_id_of(model)
    for name in _LISTS:
        if (directory / name).is_file():
            lines = (directory / name).read_text().splitlines(keepends=True)
            _replace(directory / name, "".join(line for line in lines if line.strip() != org_id).encode())
    tables = {_MODELS, *(f"{split}/{_ROWS}" for split in SPLITS)}
    for name in tables:
        _without_line(directory / name, model)
    folders = 0
    rows = sum(_without_line(split / _METADATA, model) for split in splits)
    _remove_pictures(directory / LABELS, model)
    for root in roots:
        rows += _without(root / _TABLE, "org_id", lambda value: value == org_id)
        tree = json.loads((root / _CACHE).read_bytes())
        entry = tree.pop(org_id, None)
        if entry is not None:
            _replace(root / _CACHE, json.dumps(tree, ensure_ascii=True).encode() + b"\n")
    for place in (*roots, *splits):
        folders += _remove_pictures(place, model)
    changed = {*_LISTS, *tables, *(f"{root.name}/{name}" for root in roots for name in (_TABLE, _CACHE))}
    _sum_again(directory, changed | {f"{split.name}/{_METADATA}" for split in splits})
    return Forgotten(folders, rows)


def _without_line(path: Path, model: str) -> int:
    """Take the model out of a table that has a line for each model or row; how many there were."""
    if path.is_symlink() or not path.is_file():
        return 0
    count = 0
    partial = path.with_suffix(".partial")
    with path.open(encoding="utf-8") as source, partial.open("w", encoding="utf-8") as target:
        for line in source:
            if model in line:
                count += 1
            else:
                target.write(line)
    partial.replace(path)
    return count


def _sum_again(directory: Path, changed: Set[str]) -> None:
    """Let the list of hashes name what is there, with the hashes of the `changed` files as they are now."""
    if not (directory / SUMS).is_file() or (directory / SUMS).is_symlink():
        return  # an earlier version exported this
    partial = directory / f".{SUMS}.partial"
    with partial.open("w", encoding="utf-8", errors="surrogateescape") as file:
        for name, sha256 in read_sums(directory / SUMS):
            if (directory / name).is_file():
                file.write(sum_line(name, sha256_of(directory / name) if name in changed else sha256))
    partial.replace(directory / SUMS)


def _remove_pictures(root: Path, model: str) -> int:
    """Remove the folders of the model's pictures: they end with the digits of its hash, whatever the tables said."""
    ending = f"-{model[:8]}"
    found = [path for path in root.rglob(f"*{ending}") if path.is_dir() and not path.is_symlink()]
    for path in found:
        shutil.rmtree(path)
    for path in root.rglob(f"*{ending}_*"):  # layouts without a folder for each model
        path.unlink()
    return len(found)


def _without(path: Path, column: str, gone: Callable[[str], bool]) -> int:
    """Write a CSV table again without some rows; how many there were."""
    if path.is_symlink() or not path.is_file():
        return 0
    count = 0
    partial = path.with_suffix(".partial")
    with path.open(newline="", encoding="utf-8") as source, partial.open("w", newline="", encoding="utf-8") as target:
        rows, writer = csv.reader(source), csv.writer(target, lineterminator="\n")
        header = next(rows, [])
        writer.writerow(header)
        place = header.index(column)
        for row in rows:
            if len(row) > place and gone(row[place]):
                count += 1
            else:
                writer.writerow(row)
    partial.replace(path)
    return count


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(path)
