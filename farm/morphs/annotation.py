"""Annotation: which source morph of a model plays which target morph.

Two stages, as in the paper: the group annotation maps a source-morph name for a whole collection at once (a CSV table
that a person can edit); where the table is silent, what was decided for the model counts (`farm.morphs.decision`), and the
vocabulary where nothing was. A table goes by names, and names lie: in each model it holds only for the morphs that the
evidence lets pass.
"""

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from farm.errors import MappingError
from farm.morphs.cells import as_written, defused
from farm.morphs.judgement import Judgement, let_pass, may_play
from farm.morphs.names import normalise
from farm.morphs.panels import Panel
from farm.morphs.refs import BARE, Annotation, MorphRef, packed
from farm.morphs.vocabulary import Target, all_targets, recognise

COLUMNS = ("source_morph", "panel", "types", "models", "target", "exceptions")
MAX_ROWS = 100_000
_ANY_PANEL = "*"
_UNNAMED = 1000
"""Rank of a target that the vocabulary does not have the name for."""


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
    judgement: Judgement | None = None
    """None where nothing was decided: names decide."""

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

    def own(self, index: int, morph: SourceMorph) -> Row | None:
        """The row for this morph of the model alone, if the table has one."""
        return self.exceptions.get(self.model, {}).get((index, normalise(morph.name)))

    def find(self, index: int, morph: SourceMorph) -> Row | None:
        """The row for this morph, if the table has one: its own first, then its own panel's, then any panel's."""
        name = normalise(morph.name)
        return self.own(index, morph) or self.rows.get((name, morph.panel_name)) or self.rows.get((name, _ANY_PANEL))


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Where a table, or a name, says one thing of a morph and the evidence another."""

    morph: MorphRef
    said: str
    """The target that it is said to play."""
    plays: str | None
    """The target that it may play instead; None: none."""
    reason: str
    """In words."""

    def __str__(self) -> str:
        plays = f"plays {self.plays}" if self.plays else "plays nothing"
        return f"Morph {self.morph.index} '{self.morph.name}' is no {self.said}: it {plays}, as {self.reason}."


def annotate(morphs: Iterable[SourceMorph], table: MappingTable | None = None) -> Annotation:
    """Map one model's morphs, all of them and in the file's order, to targets, in the vocabulary's order.

    A row of `table` decides for its name, as far as the evidence lets it; for names that the table lacks what was decided
    for the model counts, or else the vocabulary. When several morphs claim one target, the earlier row wins, then the better
    proposal, then the earlier morph.
    """
    return apply_table(morphs, table)[0]


def apply_table(
    morphs: Iterable[SourceMorph], table: MappingTable | None
) -> tuple[Annotation, tuple[Disagreement, ...]]:
    """The annotation that `annotate` gives, and where the evidence has overruled the table."""
    claims: dict[str, tuple[tuple[int, int, int], MorphRef]] = {}
    overruled = []
    for index, morph in enumerate(morphs):
        if not morph.moved:
            continue  # a heading in the morph list, or an expression without binds: it can play nothing
        row = table.find(index, morph) if table else None
        if row is not None:
            number, said = row
            own = table is not None and table.own(index, morph) is not None
            strength = (-1 if own else 0, number, index)
            name, reason = (said, "") if own or said is None else let_pass(said, morph.judgement)
            if reason and said is not None:
                overruled.append(Disagreement(MorphRef(index=index, name=morph.name), said, name, reason))
        else:
            name, rank = proposal_of(morph)
            strength = (1, rank, index)
        if name is not None and (name not in claims or strength < claims[name][0]):
            claims[name] = (strength, MorphRef(index=index, name=morph.name))
    return {name: claims[name][1] for name in all_targets() if name in claims}, tuple(overruled)


def proposal_of(morph: SourceMorph) -> tuple[str | None, int]:
    """The target that is proposed for a morph of a model, and how good its name is for it (0 is best)."""
    named = recognise(morph.name, morph.panel)
    if morph.judgement is None:
        return (named[0].name, named[1]) if named else (None, 0)
    return morph.judgement.target, 0


def disagreements(morphs: Iterable[SourceMorph]) -> tuple[Disagreement, ...]:
    """Where the vocabulary has a morph's name for one of the 23 and the evidence has it for another target or for none."""
    found = []
    for index, morph in enumerate(morphs):
        named = recognise(morph.name, morph.panel)
        if named is not None and named[0].sampled and morph.moved:
            plays, reason = let_pass(named[0].name, morph.judgement)
            if reason:
                found.append(Disagreement(MorphRef(index=index, name=morph.name), named[0].name, plays, reason))
    return tuple(found)


def sampled_targets(annotation: Collection[str]) -> tuple[Target, ...]:
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
    """The proposals for a collection as CSV text: a row for each (name, panel), mapped ones first, then by count.

    A name's target is what its morphs were decided to play in most models; where they play nothing, what the vocabulary says,
    unless the evidence speaks against it in all of them. In `exceptions` stands in how many models they play something else.
    """
    names: dict[tuple[str, str], list[SourceMorph]] = {}
    for morphs in models:
        for identity, morph in {(normalise(m.name), m.panel_name): m for m in morphs}.items():
            names.setdefault(identity, []).append(morph)
    order = {name: place for place, name in enumerate(all_targets())}
    rows = []
    for identity, found in names.items():
        target, rank = _collective(found)
        place = order[target] if target is not None else len(order)
        kinds = "+".join(sorted({morph.kind for morph in found}))
        exceptions = sum(target is not None and not may_play(target, morph.judgement) for morph in found)
        row = [defused(found[0].name), identity[1], kinds, len(found), target or "", exceptions]
        rows.append(((place, rank, -len(found), *identity), row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(row for _, row in sorted(rows, key=lambda one: one[0]))
    return out.getvalue()


def _collective(found: Sequence[SourceMorph]) -> tuple[str | None, int]:
    """The target proposed for morphs of one name and panel in several models, and the name's rank for it."""
    named = recognise(found[0].name, found[0].panel)
    rank = named[1] if named else _UNNAMED
    decided = Counter(target for target in (m.judgement and m.judgement.target for m in found) if target)
    if decided:
        most = max(decided.values())
        return next(target for target in all_targets() if decided[target] == most), rank
    if named and any(let_pass(named[0].name, morph.judgement)[0] for morph in found):
        return named[0].name, rank
    return None, 0


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
    reader = table_reader(text)
    try:
        return _read_rows(reader)
    except csv.Error as error:
        raise MappingError(f"Line {reader.line_num + 1}: this is no CSV ({error}). Save it as CSV again.") from error


def table_reader(text: str) -> csv.DictReader[str]:
    """The rows of a table, however a spreadsheet has saved it."""
    # Some save CSV with a byte-order mark, in half of Europe with semicolons, and old ones with lone returns.
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    header = text.split("\n", 1)[0]
    return csv.DictReader(io.StringIO(text), delimiter=";" if header.count(";") > header.count(",") else ",")


def key_of(row: Mapping[str, str | None]) -> tuple[str, str]:
    """The normalised name and the panel of a row; the name is empty where the row has none."""
    return normalise(as_written(row["source_morph"] or "")), (row.get("panel") or "").strip().lower() or _ANY_PANEL


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
        (name, panel), target = key_of(row), (row["target"] or "").strip()
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
