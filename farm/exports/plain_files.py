"""Takes models out of the tables and the pictures of an export that stand as files of their own. No link is followed."""

import csv
import json
import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TextIO

from farm.dataset.output import replacing
from farm.dataset.tables import org_id
from farm.errors import StorageError
from farm.licences.forgetting import without_rows
from farm.wording import reason


def without_models(path: Path, models: Collection[str]) -> int:
    """Write a table again without the rows of some models (hashes), and remove one that is empty then; how many those were.

    It is CSV with a column `org_id`, one JSON object by `org_id`, or lines of JSON. Raises StorageError for another.
    """
    if path.is_symlink() or not path.is_file():
        return 0
    try:
        if path.suffix == ".csv":
            return without_rows(path, "org_id", set(map(org_id, models)))
        take = _object if path.suffix == ".json" else _lines
        with (
            replacing(path) as part,
            path.open(encoding="utf-8") as source,
            part.open("w", encoding="utf-8") as target,
        ):
            taken = take(source, target, models)
    except (ValueError, LookupError, AttributeError, RecursionError, csv.Error) as error:
        raise StorageError(f"{path} cannot be read ({reason(error)}); `farm verify` says more.") from error
    if not path.stat().st_size:
        path.unlink()
    return taken


def _object(source: TextIO, target: TextIO, models: Collection[str]) -> int:
    entries = json.load(source)
    taken = sum(entries.pop(name, None) is not None for name in map(org_id, models))
    # ASCII, because the loaders open it in whatever encoding their machine prefers.
    target.write(json.dumps(entries, ensure_ascii=True) + "\n")
    return taken


def _lines(source: TextIO, target: TextIO, models: Collection[str]) -> int:
    taken = 0
    for line in source:
        if any(model in line for model in models):  # a line names no model but its own
            taken += 1
        else:
            target.write(line)
    return taken


def remove_files(directory: Path, tops: Iterable[str], models: Collection[str]) -> int:
    """Remove the pictures and labels of some models below the folders `tops`; how many folders those were.

    Folders of a model end with the digits of its hash, whatever the tables say.
    """
    removed = 0
    for top in tops:
        for place, folders, files in os.walk(directory / top) if not (directory / top).is_symlink() else ():
            for name in [name for name in folders if _ends(name, models)]:
                if not (Path(place) / name).is_symlink():
                    folders.remove(name)
                    shutil.rmtree(Path(place) / name)
                    removed += 1
            for name in files:
                if belongs(name, models):
                    (Path(place) / name).unlink()
    return removed


def belongs(name: str, models: Collection[str]) -> bool:
    """Whether the file of this name, below an export, is a picture or a label of one of these models."""
    *folders, file = name.split("/")
    # Where models have no folders of their own, `flat` and `together`, pictures begin with what those are called.
    return _ends(file.partition("_")[0], models) or any(_ends(folder, models) for folder in folders)


def _ends(name: str, models: Collection[str]) -> bool:
    return any(name.endswith(f"-{model[:8]}") for model in models)
