"""The WebDataset layout: tar shards of a chosen size, a key for each sample and partition.

OUT/train/shard-000000.tar, OUT/test/shard-000000.tar
OUT/train/rows.jsonl, OUT/test/rows.jsonl               the JSON of all rows of a split, for Croissant and for people
OUT/index.json                                          what is in each shard
<key>.<style>.png, <key>.json, <key>.parts.png, <key>.labels.npz, <key>.marks.json       in a shard
"""

import json
import tarfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from farm.dataset.label_reading import MARKS_SUFFIX
from farm.dataset.output import RenderedModel
from farm.dataset.shards import ShardWriter, names_in, read_shard
from farm.dataset.splits import SPLITS
from farm.errors import StorageError
from farm.exports import croissant, sharding
from farm.exports.destination import Destination
from farm.exports.layout import Described, Shards, Tell
from farm.exports.members import Member
from farm.exports.plan import ExportPlan, Unit, shard_units
from farm.exports.receipts import FileRecord, Receipt
from farm.exports.roster import Roster
from farm.exports.row_tables import ROWS, by_split, row_line, write_row_tables
from farm.exports.rows import SampleRow, key_prefix, read, record_of
from farm.wording import reason

_COLUMNS = ("key", "model", "sample", "partition", "view", "pose", "light", "seed")


def _copy_without(shard: Path, models: Collection[str], to: Path) -> tuple[int, int]:
    prefixes = tuple(key_prefix(model) for model in models)
    left = taken = 0
    try:
        for name in names_in(shard):
            if name.endswith(".json") and not name.endswith(MARKS_SUFFIX):
                taken, left = (taken + 1, left) if name.startswith(prefixes) else (taken, left + 1)
        if taken and left:
            with ShardWriter(to) as copy:
                for name, data in read_shard(shard):
                    if not name.startswith(prefixes):
                        copy.add(name, data)
    except (OSError, tarfile.TarError) as error:
        raise StorageError(f"{shard} cannot be read ({reason(error)}); `farm verify` says more.") from error
    return left, taken


class WebDatasetLayout:
    """See the module."""

    name = "webdataset"
    shards = Shards(tuple(f"{split}/shard-{'[0-9]' * 6}.tar" for split in SPLITS), _copy_without)
    table_patterns = by_split(ROWS)

    def check(self, members: Sequence[Member]) -> None:
        sharding.check(members)

    def units(self, plan: ExportPlan) -> Iterable[Unit]:
        return shard_units(plan)

    def write(self, unit: Unit, models: Iterable[RenderedModel], target: Destination, tell: Tell) -> Receipt:
        lines: list[str] = []

        def write_shard(path: Path, rows: Sequence[SampleRow]) -> None:
            with ShardWriter(path) as shard:
                for row in rows:
                    for style, picture in row.pictures.items():
                        shard.add(f"{row.key}.{style}.png", read(picture))
                    for suffix, label in row.labels.items():
                        shard.add(f"{row.key}{suffix}", read(label))
                    record = record_of(row, unit.split)
                    shard.add(f"{row.key}.json", json.dumps(record).encode())
                    lines.append(row_line(record))
                    tell(len(row.pictures))

        def name_of(number: int) -> str:
            return f"{unit.split}/shard-{number:06d}.tar"

        receipt = sharding.write(unit, models, target, name_of, write_shard)
        return receipt.model_copy(update={"notes": {ROWS: "".join(lines)}})

    def tables(
        self, plan: ExportPlan, target: Destination, receipts: Callable[[], Iterable[Receipt]]
    ) -> dict[str, FileRecord]:
        # For Croissant, whose reader takes no JSON out of an archive.
        return write_row_tables(ROWS, target, receipts)

    def describe(
        self,
        roster: Roster,
        files: Mapping[str, FileRecord],
        tables: Mapping[str, FileRecord],
        links: bool,
    ) -> Described:
        return Described(
            how_to_load=_HOW.replace("SHARDS", _braces(files)),
            front_matter={},
            distribution=croissant.file_objects(files, "application/x-tar")
            + croissant.file_objects(tables, "application/jsonlines")
            + [croissant.file_set("pictures", "*.png", "image/png", list(files))],
            record_sets=[
                croissant.records(split, f"The rows for {split}ing", {"fileObject": name}, _COLUMNS)
                for split, name in ((name.split("/")[0], name) for name in tables)
            ],
            last={sharding.INDEX: sharding.index(roster, files)},
        )


def _braces(shards: Iterable[str]) -> str:
    """A pattern of the shards of one side, that for training where there is one; numbers may be missing among them."""
    by_split: dict[str, list[int]] = {}
    for name in shards:
        by_split.setdefault(sharding.side_of(name), []).append(int(name[-10:-4]))
    split = next(split for split in SPLITS if split in by_split)
    runs: list[list[int]] = []
    for number in sorted(by_split[split]):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    ranges = [f"{{{first:06d}..{last:06d}}}" for first, last in runs]
    return f"{split}/shard-{ranges[0] if len(ranges) == 1 else '{' + ','.join(ranges) + '}'}.tar"


_HOW = """```python
import webdataset as wds

data = wds.WebDataset("SHARDS", shardshuffle=100).shuffle(1000).decode("pilrgba")
for sample in data:
    picture, pose = sample["default.png"], sample["json"]["pose"]  # RGBA, POSE_SIZE numbers
```

`index.json` has the number of keys and the SHA-256 of each shard.
"""
