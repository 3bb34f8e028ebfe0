"""Annotation: which source morph of a model plays which target morph.

Two stages, as in the paper: the group annotation maps a source-morph name for a whole collection at once (a CSV table
that a person can edit); where the table is silent, the vocabulary proposes.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from farm.errors import MappingError
from farm.morphs.names import normalise
from farm.morphs.panels import Panel
from farm.morphs.refs import BARE, Annotation, MorphRef, packed
from farm.morphs.vocabulary import Target, all_targets, recognise

COLUMNS = ("source_morph", "panel", "types", "models", "target")
MAX_ROWS = 100_000
_ANY_PANEL = "*"


@dataclass(frozen=True, slots=True)
class SourceMorph:
    """A morph as its creator named it."""

    name: str
    kind: str
    """"vertex", "group", "bone", "uv", "material", "impulse"; for VRM "expression" or "shape key"."""
    panel: Panel | None
    """None where the format has no panels."""
    moved: int
    """Vertices (or bones, materials, shape keys, ...) that it moves directly."""

    @property
    def panel_name(self) -> str:
        """The panel in lower case, or "*" where there is none."""
        return self.panel.name.lower() if self.panel is not None else _ANY_PANEL


type Row = tuple[int, str | None]
"""Number of a row, and the target that it gives; None: none."""


@dataclass(frozen=True, slots=True)
class MappingTable:
    """An edited group annotation: (normalised name, panel) to (row number, target name or None for "not mapped").

    The number is that of the first row that gives this name this target.
    """

    rows: Mapping[tuple[str, str], Row]
    exceptions: Mapping[str, Mapping[tuple[int, str], Row]] = field(default_factory=dict)
    """By content hash of a model: (index, normalised name) of one of its morphs, for which its own row counts alone."""
    model: str = ""
    """The model whose exceptions `find` knows."""

    def of(self, model: str) -> "MappingTable":
        """The table as it is for the model of this content hash."""
        return replace(self, model=model)

    def find(self, index: int, morph: SourceMorph) -> Row | None:
        """The row for this morph, if the table has one: its own first, then its own panel's, then any panel's."""
        name = normalise(morph.name)
        return (
            self.exceptions.get(self.model, {}).get((index, name))
            or self.rows.get((name, morph.panel_name))
            or self.rows.get((name, _ANY_PANEL))
        )


def annotate(morphs: Iterable[SourceMorph], table: MappingTable | None = None) -> Annotation:
    """Map one model's morphs, all of them and in the file's order, to targets, in the vocabulary's order.

    A row of `table` decides for its name; names that the table lacks are proposed by the vocabulary. When several
    morphs claim one target, the earlier row wins, then the better proposal, then the earlier morph.
    """
    claims: dict[str, tuple[tuple[int, int, int], MorphRef]] = {}
    for index, morph in enumerate(morphs):
        if not morph.moved:
            continue  # a heading in the morph list, or an expression without binds: it can play nothing
        row = table.find(index, morph) if table else None
        if row is not None:
            number, name = row
            if name is None:
                continue
            strength = (0, number, index)
        else:
            proposal = recognise(morph.name, morph.panel)
            if proposal is None:
                continue
            name, strength = proposal[0].name, (1, proposal[1], index)
        if name not in claims or strength < claims[name][0]:
            claims[name] = (strength, MorphRef(index=index, name=morph.name))
    return {name: claims[name][1] for name in all_targets() if name in claims}


def sampled_targets(annotation: Annotation) -> tuple[Target, ...]:
    """The annotated targets that are among the 23, in the vocabulary's order."""
    return tuple(target for name, target in all_targets().items() if name in annotation and target.sampled)


def resolve(annotation: Mapping[str, MorphRef], morphs: Sequence[SourceMorph]) -> Annotation:
    """`annotation` with an index for every bare name: the first morph of that name that moves something.

    One in whose panel the name stands for the target goes first. Raises MappingError when there is none, and for all that
    `check_annotation` refuses.
    """
    found = {
        target: _named(given.name, target, morphs) if given.index == BARE else given
        for target, given in annotation.items()
    }
    check_annotation(found, morphs)
    return found


def _named(name: str, target: str, morphs: Sequence[SourceMorph]) -> MorphRef:
    moving = [index for index, morph in enumerate(morphs) if morph.name == name and morph.moved]
    if not moving:
        raise MappingError(
            f"The model has no morph '{name}' that moves something, to play '{target}'; `farm inspect` lists its morphs."
        )

    def is_meant(index: int) -> bool:
        proposal = recognise(name, morphs[index].panel)
        return proposal is not None and proposal[0].name == target

    return MorphRef(index=next(filter(is_meant, moving), moving[0]), name=name)


def check_annotation(annotation: Mapping[str, MorphRef], morphs: Sequence[SourceMorph]) -> None:
    """Raise MappingError when a target or a source morph does not exist, or a morph of this index has another name."""
    known = all_targets()
    for target, (index, name) in packed(annotation).items():
        if target not in known:
            raise MappingError(f"'{target}' is no target morph; the known ones are {', '.join(known)}.")
        if not 0 <= index < len(morphs):
            raise MappingError(
                f"The model has no morph {index} ('{name}') to play '{target}': it has {len(morphs)}, counted from 0. "
                "`farm inspect` lists them."
            )
        if morphs[index].name != name:
            raise MappingError(
                f"Morph {index} of the model is '{morphs[index].name}', not '{name}', so that it is not sure which is "
                f"to play '{target}'. Give the name alone, or both as `farm inspect` lists them."
            )


def table_csv(models: Sequence[Sequence[SourceMorph]]) -> str:
    """The proposals for a collection as CSV text: a row for each (name, panel), mapped ones first, then by count."""
    counts: Counter[tuple[str, str]] = Counter()
    shown: dict[tuple[str, str], str] = {}
    kinds: dict[tuple[str, str], set[str]] = {}
    proposals: dict[tuple[str, str], tuple[Target, int] | None] = {}
    for morphs in models:
        for key in {(normalise(m.name), m.panel_name): m for m in morphs}.items():
            identity, morph = key
            counts[identity] += 1
            shown.setdefault(identity, morph.name)
            kinds.setdefault(identity, set()).add(morph.kind)
            proposals[identity] = recognise(morph.name, morph.panel)
    order = {name: place for place, name in enumerate(all_targets())}

    def key_of(identity: tuple[str, str]) -> tuple[int, int, int, str, str]:
        proposal = proposals[identity]
        if proposal is None:
            return (len(order), 0, -counts[identity], *identity)
        return (order[proposal[0].name], proposal[1], -counts[identity], *identity)

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for identity in sorted(counts, key=key_of):
        proposal = proposals[identity]
        target = proposal[0].name if proposal else ""
        writer.writerow([shown[identity], identity[1], "+".join(sorted(kinds[identity])), counts[identity], target])
    return out.getvalue()


def table_text(data: bytes) -> str:
    """The bytes of a table as text: UTF-8, UTF-16 with its mark, or Shift-JIS, as spreadsheets save. Raises MappingError."""
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp932")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeError:
            continue
    raise MappingError("The mapping is neither UTF-8 nor UTF-16 nor Shift-JIS text; save it as CSV in UTF-8.")


def read_table(text: str) -> MappingTable:
    """Read an edited table. Raises MappingError with the line number of what is wrong.

    Needed columns: source_morph and target; panel is optional ("*" or empty means any). An empty target rejects the
    name: no proposal is made for it. A row with `model` (content hash) and `morph` (index) decides for that morph alone.
    """
    # Spreadsheets save CSV with a byte-order mark, in half of Europe with semicolons, and old ones with lone returns.
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    header = text.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if header.count(";") > header.count(",") else ",")
    try:
        return _read_rows(reader)
    except csv.Error as error:
        raise MappingError(f"Line {reader.line_num + 1}: this is no CSV ({error}). Save it as CSV again.") from error


def _read_rows(reader: csv.DictReader[str]) -> MappingTable:
    if not reader.fieldnames or not {"source_morph", "target"} <= set(reader.fieldnames):
        raise MappingError(
            f"The mapping needs the columns source_morph and target, and has {', '.join(reader.fieldnames or ['none'])}. "
            "Begin with `farm annotate DIR --out mapping.csv`."
        )
    known = all_targets()
    panels = {panel.name.lower() for panel in Panel} | {_ANY_PANEL}
    rows: dict[tuple[str, str], Row] = {}
    exceptions: dict[str, dict[tuple[int, str], Row]] = {}
    first: dict[tuple[str, str], int] = {}
    for row in reader:
        number = reader.line_num  # not a count of rows: blank lines and line breaks in quotes count as well
        if number > MAX_ROWS:
            raise MappingError(f"The mapping has over {MAX_ROWS} lines; split the collection.")
        name, target = normalise(_sound(row["source_morph"] or "")), (row["target"] or "").strip()
        panel = (row.get("panel") or "").strip().lower() or _ANY_PANEL
        if not name:
            continue
        if panel not in panels:
            raise MappingError(f"Line {number}: '{panel}' is no panel; use one of {', '.join(sorted(panels))}.")
        if target and target not in known:
            raise MappingError(f"Line {number}: '{target}' is no target morph; the known ones are {', '.join(known)}.")
        if model := (row.get("model") or "").strip().lower():
            index = (row.get("morph") or "").strip()
            if not (index.isascii() and index.isdigit()):
                raise MappingError(f"Line {number}: a row for one model needs the morph's index in 'morph', from 0.")
            own = exceptions.setdefault(model, {})
            if (int(index), name) in own:
                raise MappingError(f"Line {number}: morph {index} of the model stands twice; delete one of the rows.")
            own[int(index), name] = number, target or None
            continue
        if (name, panel) in rows:
            raise MappingError(
                f"Line {number}: '{row['source_morph']}' ({panel}) stands twice; delete one of the rows."
            )
        # Of one name in two panels the file's order decides, as without a table, not the table's.
        rows[name, panel] = (first.setdefault((name, target), number), target or None)
    return MappingTable(rows, exceptions)


def _sound(cell: str) -> str:
    """The cell without the mark that keeps a spreadsheet from running it as a formula."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in tuple("=+-@\t") else cell
