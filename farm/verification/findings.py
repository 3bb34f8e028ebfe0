"""What is wrong with a data set: one finding a fault, so many of each file and no more."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

_MOST = 200
"""FindingList kept of one model: a folder with thousands of faults has one cause."""


REBUILD = "`farm verify DIR --rebuild` makes it anew from the manifests"
"""What to do where something is missing that spans all models."""


class Fault(StrEnum):
    """Kinds of findings; the names are stable, for programs."""

    MANIFEST = "manifest"
    """It is absent, unreadable, or contradicts itself."""
    MISSING = "missing"
    """A file that the manifest names is not there."""
    STRAY = "stray"
    """A file that no manifest names."""
    LINK = "link"
    """A link or a device where a file should be: it could lead anywhere."""
    SIZE = "size"
    """A file is shorter or longer than it was."""
    HASH = "hash"
    """A file's bytes are others."""
    SWAPPED = "swapped"
    """A file holds what another one should."""
    PICTURE = "picture"
    """Size, mode or contents of a picture break a rule."""
    HEAD = "head"
    """The head is not inside the picture."""
    LABEL = "label"
    """A label breaks a rule."""
    COUNT = "count"
    """There are more or fewer of something than there should be."""
    POSE = "pose"
    """A pose, light, view or background is not the one that the seed gives."""
    ROW = "row"
    """A row of the pose table is missing, twice there, or says something else than the manifest."""
    SPLIT = "split"
    """A model stands on both sides of a split, or on another than its hash says."""
    TWICE = "twice"
    """A model stands in two folders."""
    WITHDRAWN = "withdrawn"
    """A model is there again that was taken out for good."""
    REDRAW = "redraw"
    """Drawn again, it looks otherwise."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    fault: Fault
    where: str
    """The file or folder, relative to the data set."""
    sentence: str


@dataclass(slots=True)
class FindingList:
    """Collects the findings of one model; behind the first `_MOST` they are counted."""

    of: str
    """Name of the model's folder, or of a table."""
    kept: list[Finding] = field(default_factory=list)
    more: Counter[Fault] = field(default_factory=Counter)

    def add(self, fault: Fault, where: str, sentence: str) -> None:
        """Something is wrong with `where`, a path below the folder; empty: with the folder itself."""
        if len(self.kept) < _MOST:
            self.kept.append(Finding(fault, f"{self.of}/{where}" if where else self.of, sentence))
        else:
            self.more[fault] += 1

    def all(self) -> tuple[Finding, ...]:
        """The findings, the uncounted ones in a line for each kind."""
        rest = (Finding(fault, self.of, f"{count} more like this.") for fault, count in sorted(self.more.items()))
        return (*self.kept, *rest)
