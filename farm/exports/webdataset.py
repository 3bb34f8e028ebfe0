"""The WebDataset layout: tar shards of a chosen size, a key for each sample and partition.

OUT/train/shard-000000.tar, OUT/test/shard-000000.tar
OUT/train/rows.jsonl, OUT/test/rows.jsonl               the JSON of all rows of a split, for Croissant and for people
OUT/index.json                                          what is in each shard
<key>.<style>.png, <key>.json, <key>.parts.png, <key>.labels.npz, <key>.marks.json       in a shard
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from farm.dataset.output import RenderedModel
from farm.dataset.shards import ShardWriter
from farm.dataset.splits import SPLITS
from farm.exports import croissant, sharding
from farm.exports.destination import Destination
from farm.exports.layout import Described, Tell
from farm.exports.members import Member
from farm.exports.plan import ExportPlan, Unit, shard_units
from farm.exports.receipts import Receipt
from farm.exports.row_tables import ROWS, row_line, write_row_tables
from farm.exports.rows import SampleRow, read, record_of

_COLUMNS = ("key", "model", "sample", "partition", "view", "pose", "light", "seed")


class WebDatasetLayout:
    """See the module."""

    name = "webdataset"

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

    def finish(self, plan: ExportPlan, target: Destination, receipts: Callable[[], Iterable[Receipt]]) -> Described:
        index = sharding.index(plan, receipts())
        shards = {name: record for receipt in receipts() for name, record in receipt.files.items()}
        by_split = {s: names for s in SPLITS if (names := [name for name in shards if name.startswith(f"{s}/")])}
        # For Croissant, whose reader takes no JSON out of an archive.
        tables = write_row_tables(ROWS, target, receipts)
        return Described(
            how_to_load=_HOW.replace("COUNT", f"{len(by_split['train']) - 1:06d}"),
            front_matter={},
            distribution=croissant.file_objects(shards, "application/x-tar")
            + croissant.file_objects(tables, "application/jsonlines")
            + [croissant.file_set("pictures", "*.png", "image/png", list(shards))],
            record_sets=[
                croissant.records(split, f"The rows for {split}ing", {"fileObject": name}, _COLUMNS)
                for split, name in ((name.split("/")[0], name) for name in tables)
            ],
            tables=tables,
            last={"index.json": json.dumps(index, ensure_ascii=False, indent=1).encode() + b"\n"},
        )


_HOW = """```python
import webdataset as wds

data = wds.WebDataset("train/shard-{000000..COUNT}.tar", shardshuffle=100).shuffle(1000).decode("pilrgba")
for sample in data:
    picture, pose = sample["default.png"], sample["json"]["pose"]  # RGBA, POSE_SIZE numbers
```

`index.json` has the number of keys and the SHA-256 of each shard.
"""
