"""Which model is on which side of the split: by its hash, near-duplicates together, or as lists say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from farm.dataset.splits import SPLITS, TEST_MODELS, Split, draw_of
from farm.errors import SpecError, StorageError
from farm.exports.duplicates import Pair, groups
from farm.exports.members import Member

LISTS: dict[Split, str] = {"train": "train_list.txt", "test": "test_list.txt"}
"""As the AnimeCeleb release names them; one id a line."""
_MAX_LIST_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Sides:
    """The split of a data set."""

    of: Mapping[str, Split]
    """Content hash to side."""
    pairs: tuple[Pair, ...]
    """The near-duplicates."""
    groups: tuple[tuple[str, ...], ...]
    """The models of each character that has several."""
    parted: tuple[Pair, ...]
    """Near-duplicates that lists put on both sides."""
    unknown: tuple[str, ...]
    """Ids on lists that name none of the models."""
    listed: bool = False
    """Whether lists were given, which decide before the hash."""


def sides_of(members: Sequence[Member], pairs: Sequence[Pair], lists: Mapping[str, Split] | None = None) -> Sides:
    """Every model's side.

    A group of near-duplicates goes by the smallest of its hashes, and what no list names by its group. Without lists, two
    groups or more give at least one on each side: in sets so small that a side would be empty, the group nearest to the
    border crosses it.
    """
    together = groups(members, pairs)
    side = _by_hash(together, at_least_one=not lists)
    unknown: list[str] = []
    if lists:
        named, unknown = _named(members, lists)
        for group in together:
            said = {named[model] for model in group if model in named}
            for model in group:
                if model in named:
                    side[model] = named[model]
                elif said:
                    side[model] = "train" if "train" in said else "test"
    return Sides(
        side,
        tuple(pairs),
        tuple(group for group in together if len(group) > 1),
        tuple(pair for pair in pairs if side[pair.a] != side[pair.b]),
        tuple(unknown),
        bool(lists),
    )


def _by_hash(together: Sequence[tuple[str, ...]], at_least_one: bool) -> dict[str, Split]:
    ordered = sorted(together, key=lambda group: (draw_of(group[0]), group[0]))
    testing = sum(draw_of(group[0]) < TEST_MODELS for group in ordered)
    if at_least_one:
        testing = min(max(testing, 1), len(ordered) - 1)
    return {model: "test" if place < testing else "train" for place, group in enumerate(ordered) for model in group}


def read_lists(folder: Path) -> dict[str, Split]:
    """The lists of a folder, `train_list.txt` and `test_list.txt`: id to side.

    Raises StorageError when they are not there, and SpecError for an id on both.
    """
    found: dict[str, Split] = {}
    for split in SPLITS:
        path = folder / LISTS[split]
        try:
            with path.open("rb") as file:
                text = file.read(_MAX_LIST_BYTES).decode("utf-8-sig", "replace")
        except OSError as error:
            names = " and ".join(LISTS.values())
            raise StorageError(
                f"{path} cannot be read ({error.strerror}); --lists takes a folder with {names}."
            ) from error
        for line in map(str.strip, text.splitlines()):
            if line and found.setdefault(line, split) != split:
                raise SpecError(f"'{line}' is on both lists of {folder}; take it off one of them.")
    return found


def _named(members: Sequence[Member], lists: Mapping[str, Split]) -> tuple[dict[str, Split], list[str]]:
    """The side of each model that a list names, by any of its names, and the ids that name none."""
    named: dict[str, Split] = {}
    used: set[str] = set()
    for member in members:
        label = member.folder.removesuffix(f"-{member.model[:8]}")
        for name in (member.model, member.org_id, member.folder, label):
            if name in lists:
                used.add(name)
                if named.setdefault(member.model, lists[name]) != lists[name]:
                    raise SpecError(
                        f"{member.folder} is on both lists, under two of its names; take it off one of them."
                    )
    return named, [name for name in lists if name not in used]
