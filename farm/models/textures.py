"""Finds the texture files that a model names, and never any other file.

Models come from Windows, and often from another folder than the one they stand in: back-slashes, any case, trailing spaces
and dots, names in another Unicode form, absolute and UNC paths. A reference is resolved name by name among the files that
really stand in a tree: the folder or archive that the user gave. Nothing outside it is ever looked at, nor any link.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_TEXTURE_BYTES = 64 * 2**20
_MAX_COMPONENTS = 32
_MAX_REFERENCE = 4096
"""Characters; Windows allows 260."""
_MAX_SEARCHED = 50_000
"""Files and folders below a model that are looked through for a name; in a larger tree, only paths are followed."""
_DRIVE = re.compile("[A-Za-z]:")
_ONE_IN_SHIFT_JIS = str.maketrans("〜‖−¢£¬—", "～∥－￠￡￢―")
"""One character of Shift-JIS each, that Windows (CP932) and JIS X 0208, which unpackers elsewhere go by, read differently."""

type Parts = tuple[str, ...]
"""A path below the root of a tree."""


def _key(name: str) -> str:
    """What Windows compares, whichever table of Shift-JIS the name came through."""
    return unicodedata.normalize("NFC", name).translate(_ONE_IN_SHIFT_JIS).casefold().rstrip(" .")


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the tree that a reference means."""

    path: Parts
    stray: bool
    """Whether it stands elsewhere than the reference says."""


class _Names:
    """The names in one folder."""

    def __init__(self, names: list[str]) -> None:
        self._names = set(names)
        self._by_key: dict[str, str] = {}
        for name in sorted(names):
            self._by_key.setdefault(_key(name), name)

    def find(self, name: str) -> str | None:
        return name if name in self._names else self._by_key.get(_key(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)


class Tree:
    """Files in folders. Each folder is listed once, when it is first needed, however many textures are looked for."""

    def __init__(self, listing: Callable[[Parts], Iterable[tuple[str, bool]]]) -> None:
        """`listing` gives the names in a folder, each with whether it is a folder; none for what is no folder."""
        self._listing = listing
        self._folders: dict[Parts, tuple[_Names, _Names]] = {}
        self._below: dict[Parts, dict[str, list[Parts]]] = {}

    def find(self, folder: Parts, reference: str) -> Found | None:
        """The file that `reference`, as a model in `folder` writes it, means; None where there is none.

        A path that leads out of the tree, or begins at a root or a drive, is taken to end as a path below `folder`: the
        longest such end counts. What is not found by its path is found by its name, if one file below `folder` has it.
        """
        text = reference.replace("\\", "/")
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if "\0" in text or len(text) > _MAX_REFERENCE or len(parts) > _MAX_COMPONENTS:
            return None
        rooted, drive = text.startswith("/"), bool(parts and _DRIVE.match(parts[0]))
        if drive:
            parts[:1] = [parts[0][2:]] if parts[0][2:] else []
        start, names, outside = list(folder), [], False
        for part in parts:
            if part != "..":
                names.append(part)
            elif names:
                names.pop()
            elif start:
                start.pop()
            else:
                outside = True
        if not names:
            return None
        if rooted or drive or outside:
            for first in range(len(names)):
                if path := self._follow(folder, names[first:]):
                    return Found(path, stray=drive or outside or first > 0)
        elif path := self._follow(tuple(start), names):
            return Found(path, stray=False)
        alike = self._files_below(folder).get(_key(names[-1]), [])
        return Found(alike[0], stray=True) if len(alike) == 1 else None

    def _names(self, folder: Parts) -> tuple[_Names, _Names]:
        """The folders and the files in a folder."""
        if folder not in self._folders:
            entries = list(self._listing(folder))
            folders, files = ([name for name, is_folder in entries if is_folder is kind] for kind in (True, False))
            self._folders[folder] = _Names(folders), _Names(files)
        return self._folders[folder]

    def _follow(self, folder: Parts, names: list[str]) -> Parts | None:
        for name in names[:-1]:
            found = self._names(folder)[0].find(name)
            if found is None:
                return None
            folder = (*folder, found)
        file = self._names(folder)[1].find(names[-1])
        return None if file is None else (*folder, file)

    def _files_below(self, folder: Parts) -> dict[str, list[Parts]]:
        """The files of `folder` and all folders in it, by the key of their name; none where they are too many."""
        if folder not in self._below:
            found: dict[str, list[Parts]] = {}
            waiting, left = [folder], _MAX_SEARCHED
            while waiting and left >= 0:
                here = waiting.pop()
                folders, files = ([(*here, name) for name in names] for names in self._names(here))
                left -= 1 + len(folders) + len(files)
                for file in files:
                    found.setdefault(_key(file[-1]), []).append(file)
                waiting += folders
            self._below[folder] = found if left >= 0 else {}
        return self._below[folder]


def tree_of(paths: Iterable[Parts]) -> Tree:
    """The tree of these files."""
    folders: dict[Parts, dict[str, bool]] = {}
    for path in paths:
        for depth, name in enumerate(path):
            folders.setdefault(path[:depth], {})[name] = depth < len(path) - 1
    return Tree(lambda folder: folders.get(folder, {}).items())


def tree_at(root: Path) -> Tree:
    """The tree of the files in the folder `root`; links are left out, and so is what cannot be read."""

    def listing(folder: Parts) -> Iterable[tuple[str, bool]]:
        try:
            with os.scandir(root.joinpath(*folder)) as entries:
                return [
                    (entry.name, entry.is_dir(follow_symlinks=False))
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)
                ]
        except OSError:
            return ()

    return Tree(listing)


class TextureFolder:
    """Where one model's textures are looked for."""

    def __init__(self, folder: Path, within: Path | None = None) -> None:
        """The model stands in `folder`; `within`, a folder above it, is what the user gave. None: its own is."""
        self.root = within if within is not None and folder.is_relative_to(within) else folder
        """Nothing outside this is found."""
        self._folder = folder.relative_to(self.root).parts
        self._tree = tree_at(self.root)

    def find(self, reference: str) -> tuple[Path, bool] | None:
        """The file that `reference` (as the model writes it) means, and whether it stands elsewhere than that says.

        None when there is none, or it is larger than a texture may be.
        """
        found = self._tree.find(self._folder, reference)
        if found is None:
            return None
        path = self.root.joinpath(*found.path)
        return None if path.stat().st_size > MAX_TEXTURE_BYTES else (path, found.stray)
