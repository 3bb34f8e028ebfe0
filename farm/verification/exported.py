"""Verifies an export, which may come from elsewhere, by what stands in it: hashes, files, rows, and the split.

Opens nothing outside the folder and follows no link. In memory stay a number for each folder and each model, and the
findings.
"""

import hashlib
import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from farm.dataset.reading import read_file, stands
from farm.dataset.sums import SUMS, read_sums
from farm.errors import StorageError
from farm.exports.destination import MARKER
from farm.exports.roster import MODELS
from farm.licences.tombstones import WITHDRAWN, tombstones
from farm.verification.export_rows import LAYOUTS, UNREADABLE, ExportedRow, lines_in, listed, rows_in
from farm.verification.findings import Fault, Finding
from farm.wording import counted

_MOST_MARKER = 64 * 2**20
_AHEAD = 64
"""Files in hand."""
_MOST_WRONG = 10_000
"""Files with other bytes of which it is found out whose they are."""
_AGAIN = "Export again into a new folder."


@dataclass(slots=True)
class _Member:
    """A line of the list of models."""

    folder: str
    split: str
    images: int
    found: Counter[str] = field(default_factory=Counter)
    """Pictures in rows, by side; "" where the layout tells sides by lists."""


def verify_export(directory: Path, threads: int, on_file: Callable[[int], None]) -> Iterator[Finding]:
    """What is wrong with the export `directory`, as it is found. `on_file` gets the number of files that were hashed."""
    try:
        marker = json.loads(read_file(directory / MARKER, _MOST_MARKER))
        layout, holds = marker.get("layout"), marker.get("holds")
    except (OSError, StorageError, ValueError, AttributeError, RecursionError):
        layout = holds = None
    if layout not in LAYOUTS:
        yield Finding(Fault.MANIFEST, MARKER, f"It names no layout that is known ({', '.join(LAYOUTS)}). {_AGAIN}")
        return
    if holds == []:
        yield Finding(Fault.MISSING, MODELS, "It was never whole, or all of its models were withdrawn. Export again.")
        return
    expected: Counter[str] = Counter({"": 1})  # files right in each folder; the marker
    wrong: set[str] = set()
    try:
        if not stands(directory, SUMS):
            raise FileNotFoundError
        yield from _hashes(directory, threads, expected, wrong, on_file)
    except FileNotFoundError:
        yield Finding(Fault.MISSING, SUMS, f"The list of hashes is missing: an earlier version exported this. {_AGAIN}")
    except StorageError as error:
        yield Finding(Fault.MANIFEST, SUMS, str(error))
    else:
        yield from _strays(directory, expected)
    yield from _withdrawn(directory)
    members = dict[str, _Member]()
    yield from _members(directory, layout, members)
    yield from _rows(directory, layout, members, wrong)
    if layout == "animeceleb":
        yield from _lists(directory, members)
    yield from _counts(members)


def _hashes(
    directory: Path, threads: int, expected: Counter[str], wrong: set[str], on_file: Callable[[int], None]
) -> Iterator[Finding]:
    expected[""] += 1 + stands(directory, WITHDRAWN)  # the list itself, and what grows when a model is withdrawn
    digests: dict[str, str] = {}
    waiting: deque[tuple[str, str, Future[str | None]]] = deque()

    def settle() -> Iterator[Finding]:
        name, sha256, future = waiting.popleft()
        found = future.result()
        on_file(1)
        if found is None:
            wrong.add(name)
            yield Finding(Fault.MISSING, name, "The file is missing, or a link or a device stands in its place.")
        elif found != sha256:
            wrong.add(name)
            if len(digests) < _MOST_WRONG:
                digests[name] = found

    with ThreadPoolExecutor(threads) as pool:
        for name, sha256 in read_sums(directory / SUMS):
            expected[name.rpartition("/")[0]] += 1
            for other in _second_names(directory, name):
                expected[other.rpartition("/")[0]] += 1
                if not _same(directory / other, directory / name):
                    waiting.append((other, sha256, pool.submit(_hash_of, directory, other)))
            waiting.append((name, sha256, pool.submit(_hash_of, directory, name)))
            while len(waiting) > _AHEAD:
                yield from settle()
        while waiting:
            yield from settle()
    if not digests:
        return
    looked_for = set(digests.values())
    owners = {sha256: name for name, sha256 in read_sums(directory / SUMS) if sha256 in looked_for}
    for name, digest in digests.items():
        if (owner := owners.get(digest)) is not None:
            yield Finding(Fault.SWAPPED, name, f"It holds what {owner} should.")
        else:
            yield Finding(Fault.HASH, name, f"Its bytes are others than {SUMS} says: it was cut off or changed.")


def _hash_of(directory: Path, name: str) -> str | None:
    """Of a plain file below `directory`; None where there is none."""
    if not stands(directory, name):
        return None
    try:
        descriptor = os.open(directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    with os.fdopen(descriptor, "rb") as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None


def _second_names(directory: Path, name: str) -> list[str]:
    """Under which names, too, a picture of the layout animeceleb stands in a folder; a bucket has none of them."""
    parts = name.split("/")
    if len(parts) != 5 or parts[1] not in ("rotation", "expression") or not (directory / parts[0] / "flat").is_dir():
        return []
    root, partition, cluster, _, picture = parts
    return [f"{root}/flat/{partition}/{cluster}/{picture}", f"{root}/together/{partition}/{picture}"]


def _same(one: Path, other: Path) -> bool:
    """Whether both are names of one file, and no links."""
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except OSError:
        return False


def _strays(directory: Path, expected: Counter[str]) -> Iterator[Finding]:
    """Files that the list of hashes does not name. Names are compared only in folders that have too many."""
    surplus: dict[str, set[str]] = {}
    for top, folders, files in os.walk(directory):
        place = Path(top).relative_to(directory).as_posix()
        place = "" if place == "." else place
        links = [name for name in folders if (Path(top) / name).is_symlink()]
        yield from (
            Finding(Fault.LINK, f"{place}/{name}".strip("/"), "A link, which is not followed.") for name in links
        )
        if len(files) > expected[place]:
            surplus[place] = set(files)
    if not surplus:
        return
    surplus.get("", set()).difference_update((MARKER, SUMS, WITHDRAWN))
    for name, _ in read_sums(directory / SUMS):
        for each in (name, *_second_names(directory, name)):
            folder, _, file = each.rpartition("/")
            surplus.get(folder, set()).discard(file)
    for folder, names in surplus.items():
        for name in sorted(names):
            yield Finding(Fault.STRAY, f"{folder}/{name}".lstrip("/"), f"{SUMS} does not name it.")


def _members(directory: Path, layout: str, members: dict[str, _Member]) -> Iterator[Finding]:
    """Fill `members` by the name that rows have for a model."""
    try:
        if not stands(directory, MODELS):
            raise FileNotFoundError(f"{MODELS} is not there")
        with (directory / MODELS).open(encoding="utf-8") as file:
            for line in lines_in(file):
                row = json.loads(line)
                name = str(row["org_id"] if layout == "animeceleb" else row["model"])
                member = _Member(str(row["folder"]), str(row["split"]), int(row["images"]))
                if (before := members.setdefault(name, member)) is not member:
                    fault = Fault.TWICE if before.split == member.split else Fault.SPLIT
                    yield Finding(fault, MODELS, f"{member.folder} is listed twice: {before.split} and {member.split}.")
    except UNREADABLE as error:
        yield Finding(Fault.MANIFEST, MODELS, f"The list of models cannot be read: {error}")


def _withdrawn(directory: Path) -> Iterator[Finding]:
    """Models that are listed, and were taken out for good."""
    try:
        stones = tombstones(directory)
    except StorageError as error:
        yield Finding(Fault.MANIFEST, WITHDRAWN, str(error))
        return
    if not stones or not stands(directory, MODELS):
        return
    with (directory / MODELS).open(encoding="utf-8", errors="replace") as file:
        listed_here = {model for line in lines_in(file) for model in stones if f'"{model}"' in line}
    for model in sorted(listed_here):
        yield Finding(
            Fault.WITHDRAWN, MODELS, f"{stones[model].error()} `farm forget {model} --from ...` takes it out."
        )


def _rows(directory: Path, layout: str, members: dict[str, _Member], wrong: set[str]) -> Iterator[Finding]:
    for where, rows in rows_in(directory, layout):
        keys = set[str]()
        try:
            for row in rows:
                if row.key in keys:
                    yield Finding(Fault.ROW, where, f"It has {row.key[:200]} twice.")
                keys.add(row.key)
                yield from _row(directory, row, members)
        except UNREADABLE as error:
            if where not in wrong:  # else that was said
                yield Finding(Fault.MANIFEST, where, f"It cannot be read: {error}")


def _row(directory: Path, row: ExportedRow, members: dict[str, _Member]) -> Iterator[Finding]:
    member = members.get(row.model)
    if member is None:
        yield Finding(Fault.ROW, row.where, f"{row.key[:200]} is of a model that {MODELS} does not list.")
        return
    member.found[row.split] += row.images
    for picture in row.pictures:
        if not stands(directory, picture):
            yield Finding(Fault.ROW, row.where, f"It names {picture[:200]}, which is not there.")


def _lists(directory: Path, members: dict[str, _Member]) -> Iterator[Finding]:
    """The lists say on which side a model is: each on one, and on that of the list of models."""
    sides: dict[str, set[str]] = {}
    for split, org_id in listed(directory):
        sides.setdefault(org_id, set()).add(split)
    for org_id, member in members.items():
        found = sides.pop(org_id, set())
        if len(found) > 1:
            yield Finding(
                Fault.SPLIT, member.folder, f"The model is on both sides of the split: {' and '.join(sorted(found))}."
            )
        elif found != {member.split}:
            there = "on no list" if not found else f"listed for '{found.pop()}'"
            yield Finding(Fault.SPLIT, member.folder, f"It is {there}, and for '{member.split}' in {MODELS}.")
    for org_id in sides:
        yield Finding(Fault.SPLIT, f"{org_id[:100]}", f"The lists name it, and {MODELS} does not.")


def _counts(members: dict[str, _Member]) -> Iterator[Finding]:
    for member in members.values():
        on = {split for split, images in member.found.items() if split and images}
        if len(on) > 1:
            yield Finding(
                Fault.SPLIT, member.folder, f"The model is on both sides of the split: {' and '.join(sorted(on))}."
            )
        elif on and on != {member.split}:
            yield Finding(
                Fault.SPLIT, member.folder, f"Its rows are for '{on.pop()}', and {MODELS} says '{member.split}'."
            )
        if (found := member.found.total()) != member.images:
            yield Finding(
                Fault.ROW,
                member.folder,
                f"Its rows have {counted(found, 'picture')}, and {MODELS} says {member.images}.",
            )
