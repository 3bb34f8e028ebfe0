"""Plain files by split, with a table of rows that `datasets`' ImageFolder reads, too.

OUT/<split>/metadata.jsonl                                      a row for each sample, partition and view
OUT/<split>/<folder>/<style>/<partition>/<picture>.png
OUT/<split>/<folder>/labels/<partition>/<picture>.parts.png     and .layers.png, .labels.npz, .marks.json
OUT/<split>/<folder>/basis/<style>.png                          the neutral face
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from posixpath import basename

from farm.dataset.output import LABELS, RenderedModel
from farm.dataset.sums import SUMS, sum_line
from farm.exports import croissant
from farm.exports.destination import Destination
from farm.exports.layout import Described, Tell
from farm.exports.members import Member
from farm.exports.plan import ExportPlan, Unit, model_units
from farm.exports.receipts import FileRecord, Receipt
from farm.exports.roster import Roster
from farm.exports.row_tables import by_split, row_line, write_row_tables
from farm.exports.rows import File, read_and_hashed, record_of, rows_of

ROWS = "metadata.jsonl"


class FolderLayout:
    """See the module."""

    name = "folder"
    shards = None
    table_patterns = by_split(ROWS)

    def check(self, members: Sequence[Member]) -> None:
        """Everything fits."""

    def units(self, plan: ExportPlan) -> Iterable[Unit]:
        return model_units(plan)

    def write(self, unit: Unit, models: Iterable[RenderedModel], target: Destination, tell: Tell) -> Receipt:
        copied = images = keys = 0
        lines: list[str] = []
        sums: list[str] = []

        def add(name: str, file: File) -> None:
            nonlocal copied
            sums.append(sum_line(f"{unit.split}/{name}", read_and_hashed(file)))
            copied += not target.link(f"{unit.split}/{name}", file.path)

        for model in models:
            for basis in model.manifest.basis:
                name = f"basis/{basis.style}.png"
                add(f"{model.folder.name}/{name}", File(str(model.folder / name), basis.sha256))
            for row in rows_of(model):
                record = record_of(row, unit.split)
                for style, picture in row.pictures.items():
                    name = f"{model.folder.name}/{style}/{row.partition}/{basename(picture.path)}"
                    add(name, picture)
                    record[f"image_{style}_file_name"] = name
                for suffix, label in row.labels.items():
                    name = f"{model.folder.name}/{LABELS}/{row.partition}/{basename(label.path)}"
                    add(name, label)
                    record[f"label_{suffix.split('.')[1]}"] = name
                lines.append(row_line(record))
                images += len(row.pictures)
                keys += 1
                tell(len(row.pictures))
        return Receipt(
            unit=unit.name, split=unit.split, models=len(unit.members), keys=keys, images=images, copied=copied,
            notes={ROWS: "".join(lines), SUMS: "".join(sums)},
        )  # fmt: skip

    def tables(
        self, plan: ExportPlan, target: Destination, receipts: Callable[[], Iterable[Receipt]]
    ) -> dict[str, FileRecord]:
        return write_row_tables(ROWS, target, receipts)

    def describe(
        self,
        roster: Roster,
        files: Mapping[str, FileRecord],
        tables: Mapping[str, FileRecord],
        links: bool,
    ) -> Described:
        styles = sorted({style for member in roster.members for style in member.spec.styles})
        columns = ["key", "model", "sample", "partition", "pose", "light", *(f"image_{s}_file_name" for s in styles)]
        return Described(
            how_to_load=_HOW,
            front_matter={},
            distribution=croissant.file_objects(tables, "application/jsonlines")
            + [croissant.file_set("pictures", "*/*/*/*/*.png", "image/png")],
            record_sets=[
                *(croissant.records(name.split("/")[0], "Rows", {"fileObject": name}, columns) for name in tables),
            ],
            last={},
        )


_HOW = """```python
from datasets import load_dataset

data = load_dataset("imagefolder", data_dir="path/to/this/folder")
row = data["train"][0]
picture, pose = row["image_default"], row["pose"]  # RGBA, POSE_SIZE numbers
```

Or without a library: `<split>/metadata.jsonl` has a JSON object for each sample and partition, with the paths of its
pictures and labels. Never change a picture in place: it may be the same file as in the rendered folder.
"""
