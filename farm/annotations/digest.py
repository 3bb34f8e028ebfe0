"""What the models of a collection have, in short: all that its table and its page need to know of a hundred thousand morphs.

Inventories tell it as well, at two milliseconds each. A collection never changes, so this is made of them once and kept
beside it; whoever asks for the table reads one object.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from farm.annotations.effect import row_of
from farm.annotations.groups import RowKey
from farm.models.inventory import Inventory
from farm.morphs.judgement import Judgement
from farm.morphs.readings import reading
from farm.morphs.vocabulary import Side

_FORMAT = 4

type DigestedMorph = tuple[int, int, int, float | None]
"""Index in the file, number of its row, number of its judgement, confidence of its proposal."""


@dataclass(frozen=True, slots=True)
class DigestedRow:
    """All morphs of one name in one panel."""

    name: str
    """As the first model that has it writes it."""
    key: RowKey
    reading: str
    """In Latin letters; empty where there is nothing to read."""
    kinds: tuple[str, ...]
    """Sorted."""
    models: int
    """How many have it."""
    proposals: dict[str, int]
    """Target to the models in which a morph of this row is proposed for it."""
    packed: str
    """Its morphs as JSON: of each, the number of the model and that of the judgement, in order."""


@dataclass(frozen=True, slots=True)
class DigestedModel:
    """A model of the collection."""

    id: str
    name: str
    """The title that its file gives it, or the beginning of its id."""
    packed: str
    """Its morphs as JSON. They are read when they are asked for: all of a collection at once cost a third of a second, and
    again whenever Python looks for garbage."""
    names: Mapping[str, str]
    """By the index, as text: how this file writes a name, where that is not as the row has it."""

    @property
    def morphs(self) -> list[DigestedMorph]:
        """In the file's order."""
        return [(index, row, judgement, sure) for index, row, judgement, sure in json.loads(self.packed)]


@dataclass(frozen=True, slots=True)
class Digest:
    """A collection in short."""

    rows: Sequence[DigestedRow]
    """Those that most models have first."""
    judgements: Sequence[Judgement]
    """What the evidence lets morphs play, each once."""
    models: Sequence[DigestedModel]
    """Sorted by id."""
    absent: Sequence[str] = ()
    """Models of the collection that the farm had no longer."""
    unseen: Mapping[str, int] = field(default_factory=dict)
    """Models of which not all pictures are drawn, to the bytes of those that were known: the file alone has decided what is
    proposed for their other morphs."""

    def uses(self, row: int) -> dict[str, list[Judgement]]:
        """By model: what its morphs of the row of this number may play, in the file's order."""
        found: dict[str, list[Judgement]] = {}
        for model, judgement in json.loads(self.rows[row].packed):
            found.setdefault(self.models[model].id, []).append(self.judgements[judgement])
        return found

    def to_bytes(self, decided_by: str) -> bytes:
        """As JSON; `decided_by` is the version of the decisions in it."""
        kept = {"format": _FORMAT, "decided_by": decided_by, **asdict(self)}
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def digest_of(
    models: Iterable[tuple[str, Inventory]],
    absent: Sequence[str] = (),
    unseen: Mapping[str, int] = MappingProxyType({}),
) -> Digest:
    """The digest of models, given by id and sorted by it."""
    seen: dict[RowKey, int] = {}
    first: list[tuple[str, RowKey]] = []
    kinds: list[set[str]] = []
    counts: list[int] = []
    proposals: list[Counter[str]] = []
    uses: list[list[tuple[int, int]]] = []
    judgements: dict[str, tuple[int, Judgement]] = {}
    digested: list[tuple[str, str, list[DigestedMorph], dict[str, str]]] = []
    for model, inventory in models:
        morphs: list[DigestedMorph] = []
        names: dict[str, str] = {}
        proposed: dict[int, set[str]] = {}
        for entry in inventory.morphs:
            key = row_of(entry)
            row = seen.setdefault(key, len(seen))
            if row == len(first):
                first.append((entry.name, key))
                kinds.append(set())
                counts.append(0)
                proposals.append(Counter())
                uses.append([])
            elif entry.name != first[row][0]:
                names[str(entry.index)] = entry.name
            kinds[row].add(entry.kind)
            judgement = entry.judgement()
            number, _ = judgements.setdefault(repr(judgement), (len(judgements), judgement))
            proposed.setdefault(row, set()).update([judgement.target] if judgement.target else [])
            uses[row].append((len(digested), number))
            morphs.append((entry.index, row, number, entry.confidence))
        for row, targets in proposed.items():
            counts[row] += 1
            proposals[row].update(targets)
        digested.append((model, inventory.title or model[:8], morphs, names))
    order = sorted(range(len(first)), key=lambda row: (-counts[row], first[row][1]))
    place = {row: number for number, row in enumerate(order)}
    return Digest(
        rows=[
            DigestedRow(
                first[row][0],
                first[row][1],
                reading(first[row][0]),
                tuple(sorted(kinds[row])),
                counts[row],
                dict(sorted(proposals[row].items())),
                json.dumps(uses[row], separators=(",", ":")),
            )
            for row in order
        ],
        judgements=[judgement for _, judgement in judgements.values()],
        models=[
            DigestedModel(
                model,
                name,
                json.dumps([(index, place[row], *rest) for index, row, *rest in morphs], separators=(",", ":")),
                names,
            )
            for model, name, morphs, names in digested
        ],
        absent=absent,
        unseen=dict(unseen),
    )


def digest_in(data: bytes, decided_by: str) -> Digest | None:
    """The inverse of `to_bytes`; None when another version decided, or wrote it."""
    kept: dict[str, Any] = json.loads(data.decode("utf-8", "surrogatepass"))
    if (kept.get("format"), kept.get("decided_by")) != (_FORMAT, decided_by):
        return None
    return Digest(
        rows=[DigestedRow(**{**row, "key": tuple(row["key"]), "kinds": tuple(row["kinds"])}) for row in kept["rows"]],
        judgements=[_judgement(one) for one in kept["judgements"]],
        models=[DigestedModel(**model) for model in kept["models"]],
        absent=kept["absent"],
        unseen=kept["unseen"],
    )


def _judgement(kept: Mapping[str, Any]) -> Judgement:
    side, parts, sides = kept["side"], kept["parts"], kept["sides"]
    return Judgement(
        kept["shows"],
        None if side is None else Side(side),
        kept["target"],
        None if parts is None else tuple(parts),
        kept["denied"],
        {part: Side(each) for part, each in sides.items()} if sides else {},
    )
