"""What layouts of large files share: rows of several models, shuffled and cut, and their index."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from farm.dataset.output import RenderedModel
from farm.dataset.shards import sha256_of
from farm.dataset.splits import SPLITS, Split
from farm.errors import SpecError
from farm.exports.destination import Destination
from farm.exports.members import Member
from farm.exports.plan import Unit, shuffled
from farm.exports.receipts import FileRecord, Receipt
from farm.exports.roster import Roster, pairs_told
from farm.exports.rows import SampleRow, rows_of


def check(members: Sequence[Member]) -> None:
    """Raises SpecError for models whose rows have another form than those of their neighbours."""
    first = members[0]
    for member in members:
        if not member.keys:
            raise SpecError(f"{member.folder} holds no pictures; render it again.")
        for what, one, other in (
            ("styles", first.spec.styles, member.spec.styles),
            ("labels", first.spec.labels, member.spec.labels),
            ("size", (str(first.spec.size),), (str(member.spec.size),)),
            ("kind", (_kind(first),), (_kind(member),)),
        ):
            if set(one) != set(other):
                raise SpecError(
                    f"{member.folder} has other {what} ({', '.join(other) or 'none'}) than {first.folder} "
                    f"({', '.join(one) or 'none'}), and all rows of a data set have one form; render it again alike."
                )


def _kind(member: Member) -> str:
    return "drawn poses" if member.spec.motion is None else "frames of a clip"


def write(
    unit: Unit,
    models: Iterable[RenderedModel],
    target: Destination,
    name_of: Callable[[int], str],
    write_shard: Callable[[Path, Sequence[SampleRow]], None],
) -> Receipt:
    """Write the shards of a unit: `write_shard` makes a file of rows, `name_of` says where the shard of a number stands."""
    files: dict[str, FileRecord] = {}
    images = keys = 0
    for number, rows in _cut(unit, models):
        name = name_of(number)
        path = target.scratch / name.replace("/", "-")
        write_shard(path, rows)
        files[name] = FileRecord(bytes=path.stat().st_size, sha256=sha256_of(path), keys=len(rows))
        keys += len(rows)
        images += sum(len(row.pictures) for row in rows)
        target.place(name, path)
    return Receipt(unit=unit.name, split=unit.split, models=len(unit.members), keys=keys, images=images, files=files)


def _cut(unit: Unit, models: Iterable[RenderedModel]) -> Iterator[tuple[int, list[SampleRow]]]:
    """The number of each shard of a unit, and its rows: those of all models, shuffled, in equal parts.

    Frames of a clip stay behind each other, in their order.
    """
    rows = [row for model in models for row in rows_of(model)]
    order = shuffled([row.clip or row.key for row in rows])
    for shard in range(unit.shards):
        part = order[shard * len(order) // unit.shards : (shard + 1) * len(order) // unit.shards]
        yield unit.first + shard, [rows[place] for place in part]


INDEX = "index.json"


def side_of(shard: str) -> Split:
    """The split of a shard, by its name: ``<split>/shard-<number>.tar`` or ``data/<split>-<number>.parquet``."""
    return next(split for split in SPLITS if shard.removeprefix("data/").startswith(split))


def index(roster: Roster, shards: Mapping[str, FileRecord]) -> bytes:
    """The file INDEX: counts and hashes of all shards, by split."""
    spec = roster.members[0].spec
    splits: dict[str, dict[str, Any]] = {}
    for split in SPLITS:
        mine = {name: record for name, record in shards.items() if side_of(name) == split}
        keys = sum(record.keys for record in mine.values())
        splits[split] = {
            "models": len(roster.of_split(split)),
            "keys": keys,
            "images": keys * len(spec.styles),
            "shards": [{"file": name, **record.model_dump()} for name, record in mine.items()],
        }
    content = {
        "layout": roster.layout,
        "styles": list(spec.styles),
        "labels": list(spec.labels),
        "size": spec.size,
        "splits": splits,
        "near_duplicates": pairs_told(roster.sides.pairs),
    }
    return json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n"
