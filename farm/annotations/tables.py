"""A collection's table: a row for every morph name and panel, with how many models have it and what is said of it. No I/O."""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice

from farm.annotations.collections import Change
from farm.annotations.digest import Digest
from farm.annotations.groups import GroupState, GroupVerdict, RowKey
from farm.errors import MappingError
from farm.morphs.annotation import COLUMNS, Judgement, key_of, may_play, read_table, table_reader
from farm.morphs.cells import defused

CSV_COLUMNS = (*COLUMNS[: COLUMNS.index("exceptions")], "state", "version", "exceptions", "who", "when", "why")
"""`exceptions` are ids of models here: people name them."""
_OPEN, _DECIDED = "open", "decided"
_VERSION_DIGITS = 8


class Row:
    """All morphs of one name in one panel."""

    def __init__(self, number: int, digest: Digest) -> None:
        digested = digest.rows[number]
        self.id = row_id(digested.key)
        """16 hex digits that stand for name and panel."""
        self.key = digested.key
        self.name = digested.name
        """As the first model that has it writes it."""
        self.reading = digested.reading
        self.kinds = digested.kinds
        self.models = digested.models
        """How many have it."""
        self.proposals = digested.proposals
        """Target to the models in which a morph of this row is proposed for it."""
        self._number, self._digest = number, digest

    @cached_property
    def morphs(self) -> Mapping[str, Sequence[Judgement]]:
        """By model: what its morphs of this row may play, in the file's order."""
        return self._digest.uses(self._number)

    @property
    def panel(self) -> str:
        """The panel in lower case, or "*"."""
        return self.key[1]

    def proposal(self) -> str | None:
        """What most models' morphs are proposed for."""
        return min(self.proposals, key=lambda target: (-self.proposals[target], target), default=None)

    def exceptions(self, verdict: GroupVerdict) -> list[str]:
        """The models for which `verdict` does not hold, sorted: those it names, and those that the evidence does not let
        pass."""
        named = set(verdict.exceptions)
        return sorted(model for model in self.morphs if model in named or not self.passes(model, verdict.target))

    def passes(self, model: str, target: str | None) -> bool:
        """Whether the evidence lets any of the model's morphs of this row play `target` (None: nothing)."""
        return target is None or any(may_play(target, one) for one in self.morphs[model])


def row_id(key: RowKey) -> str:
    """The id of the row of a normalised name and a panel."""
    return hashlib.sha256("\0".join(key).encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Rows:
    """The rows of a collection, those that most models have first."""

    def __init__(self, digest: Digest) -> None:
        self.digest = digest
        self.sorted = [Row(number, digest) for number in range(len(digest.rows))]
        self.places = {row.id: place for place, row in enumerate(self.sorted)}
        self.by_key = {row.key: row for row in self.sorted}
        self.edition = hashlib.sha256("\n".join(self.places).encode()).hexdigest()[:16]
        """Stands for these rows in this order: whoever speaks of rows by their numbers says of which edition."""
        self.model_places = {model.id: place for place, model in enumerate(digest.models)}

    def behind(self, row: str) -> Iterator[Row]:
        """The rows behind the row of this id (empty or unknown: all), in order."""
        return islice(self.sorted, self.places.get(row, -1) + 1, None)

    @staticmethod
    def is_decided(row: Row, state: GroupState) -> bool:
        """Whether somebody has decided on the row, and nobody has taken it back."""
        verdict = state.of(row.key)
        return verdict is not None and verdict.decided

    def decided(self, state: GroupState) -> int:
        """How many rows are decided."""
        return sum(self.is_decided(row, state) for row in self.sorted)


def group_csv(rows: Rows, state: GroupState) -> str:
    """The table as CSV. It is a mapping table, too: of a row that is open, `target` is the proposal."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in rows.sorted:
        verdict = state.of(row.key)
        kinds, count = "+".join(row.kinds), row.models
        if verdict is not None and verdict.decided:
            models = " ".join(row.exceptions(verdict))
            said = (verdict.target or "", _DECIDED, verdict.version, models, verdict.who, verdict.when, verdict.why)
        else:
            said = (row.proposal() or "", _OPEN, verdict.version if verdict else 0, "", "", "", "")
        target, *rest = said
        cells = (row.name, row.panel, kinds, count, target, *rest)
        writer.writerow([defused(cell) if isinstance(cell, str) else cell for cell in cells])
    return out.getvalue()


def changes_in(text: str, rows: Rows, state: GroupState) -> tuple[list[Change], int]:
    """What an edited table wants changed, and how many of its rows are of names that the collection lacks.

    Needed columns: source_morph and target. A row without a state, or one that is decided, is a verdict; one that is open
    is a verdict where its target is not the proposal, and takes a verdict back where it names that one's version. With the
    column `version`, a row that somebody has decided otherwise meanwhile is noticed. Raises MappingError with the line number
    of what is wrong.
    """
    read_table(text)
    found: dict[RowKey, Change] = {}
    unknown = 0
    reader = table_reader(text)
    for cells in reader:
        key = key_of(cells)
        if not key[0]:
            continue
        row = rows.by_key.get(key)
        if row is None:
            unknown += 1
            continue
        change = _wanted(cells, row, state, reader.line_num)
        if change is not None:
            found[row.key] = change
    return list(found.values()), unknown


def _wanted(cells: Mapping[str, str | None], row: Row, state: GroupState, line: int) -> Change | None:
    given = (cells.get("state") or "").strip().lower() or _DECIDED
    if given not in (_OPEN, _DECIDED):
        raise MappingError(f"Line {line}: '{given}' is no state; use {_OPEN} or {_DECIDED}.")
    version = (cells.get("version") or "").strip()
    if version and not (version.isascii() and version.isdigit() and len(version) <= _VERSION_DIGITS):
        raise MappingError(f"Line {line}: '{version}' is no version; leave the column as it was.")
    seen = int(version) if version else None
    target = (cells["target"] or "").strip() or None
    now = state.of(row.key)
    if given == _OPEN:
        if now is not None and now.decided and seen == now.version:
            return Change(row.key, seen, None, decided=False)
        if target == row.proposal():
            return None
    named = (cells.get("exceptions") or "").split()
    if others := [model for model in named if model not in row.morphs]:
        raise MappingError(
            f"Line {line}: '{others[0][:80]}' is no model of the collection that has this morph, so it can be no exception."
        )
    # Those that the evidence does not let pass are exceptions without being named.
    return Change(row.key, seen, target, tuple(model for model in named if row.passes(model, target)))
