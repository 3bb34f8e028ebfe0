"""The layout of the AnimeCeleb release, so that loaders written for it read a farm's pictures unchanged.

    OUT/train_list.txt, test_list.txt                                      one org_id a line
    OUT/combined_<style>/combined_pose.csv, cached.json                    one root a style
    OUT/combined_<style>/rotation/<num_cluster>/<folder_name>/<png_name>   rotated partition
    OUT/combined_<style>/expression/<num_cluster>/<folder_name>/<png_name> frontal partition, same names
    OUT/combined_<style>/basis/<folder_name>/basis.png                     the neutral face
    OUT/combined_<style>/flat/rotation/<num_cluster>/<png_name>            the same files, as other loaders want them
    OUT/combined_<style>/together/rotation/<png_name>                      all in one folder; hard links, as the flat ones
    OUT/labels/rotation/<num_cluster>/<folder_name>/<png_name less .png>.parts.png    and .labels.npz, .marks.json; expression
    OUT/train/rows.jsonl, test/rows.jsonl                                  light, rotation, seed and all else of each row

All names derive from the model's hash and label alone, so other models that come or go change none of them.
Source of the layout: the data loaders in the authors' repository, kangyeolk/AnimeCeleb, Animo/data/animeceleb.py, and two
loaders that others published: they take column two of the table as the number of a folder of five digits.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence

from farm.dataset.output import LABELS, POSE_COLUMNS, RenderedModel
from farm.dataset.shards import sha256_of
from farm.dataset.splits import Split
from farm.dataset.sums import SUMS, sum_line
from farm.errors import SpecError, StorageError
from farm.exports import croissant
from farm.exports.destination import Destination
from farm.exports.layout import Described, Tell
from farm.exports.members import Member
from farm.exports.plan import ExportPlan, Unit, model_units
from farm.exports.receipts import FileRecord, Receipt
from farm.exports.roster import Roster
from farm.exports.row_tables import ROWS, by_split, row_line, write_row_tables
from farm.exports.rows import File, SampleRow, read_and_hashed, record_of, rows_of
from farm.exports.sides import LISTS
from farm.poses import Partition, uniform
from farm.spec import StyleName
from farm.styles import STYLES

SIZE = 256
"""Pixels: the loaders take the pictures at 256 x 256 and resize none."""
_IDS = ("org_id", "folder_name", "png_name")
COLUMNS = (*_IDS, *POSE_COLUMNS)
"""Header of ``combined_pose.csv``. The names of the first three are the release's, those of the 20 floats are ours; another
pose space than the paper's has the names of its entries there.
`folder_name` is the number of the cluster there: the authors' code cuts the folder's name off png_name."""
CLUSTERS = 37
"""Clusters that the models spread over: about 100 a cluster at the release's 3,613 models."""
_FOLDERS = {Partition.ROTATED: "rotation", Partition.FRONTAL: "expression"}
TABLE, CACHE = "combined_pose.csv", "cached.json"
"""A row a sample, and all rows by the model's `org_id`."""


class AnimeCelebLayout:
    """See the module. The 20 floats of a row are the pose of the picture under ``rotation/``; clips have no other."""

    name = "animeceleb"
    shards = None
    table_patterns = (f"combined_*/{TABLE}", f"combined_*/{CACHE}", *by_split(ROWS))

    def check(self, members: Sequence[Member]) -> None:
        styles = {style for member in members for style in member.spec.styles}
        names: dict[str, Member] = {}
        for member in members:
            _check_spec(member, styles)
            if (other := names.setdefault(_folder_name(member.folder), member)) is not member:
                raise StorageError(
                    f"{other.folder} and {member.folder} have one name in this layout, which takes _ for -; rename one."
                )

    def units(self, plan: ExportPlan) -> Iterable[Unit]:
        return model_units(plan)

    def write(self, unit: Unit, models: Iterable[RenderedModel], target: Destination, tell: Tell) -> Receipt:
        ((member, model),) = zip(unit.members, models, strict=True)
        pairs = _pairs(model)
        folder, cluster = _folder_name(model.folder.name), f"{_cluster(member.model):05d}"
        copied = images = 0
        sums: list[str] = []
        lines: list[str] = []
        for style in model.manifest.spec.styles:
            root = _root(style)
            basis = File(str(model.folder / "basis" / f"{style}.png"), _basis_hash(model, style))
            sums.append(sum_line(f"{root}/basis/{folder}/basis.png", read_and_hashed(basis)))
            copied += not target.link(f"{root}/basis/{folder}/basis.png", basis.path)
            for rows in pairs:
                for row in rows:
                    picture = row.pictures[style]
                    part, name = _FOLDERS[row.partition], _png_name(folder, rows[0].sample)
                    placed = f"{root}/{part}/{cluster}/{folder}/{name}"
                    sums.append(sum_line(placed, read_and_hashed(picture)))
                    copied += not target.link(placed, picture.path)
                    if target.links:
                        target.link_again(f"{root}/flat/{part}/{cluster}/{name}", placed)
                        target.link_again(f"{root}/together/{part}/{name}", placed)
                tell(len(rows))
                images += len(rows)
        for rows in pairs:
            for row in rows:
                part, name = _FOLDERS[row.partition], _png_name(folder, row.sample)
                lines.append(row_line({**record_of(row, unit.split), "num_cluster": cluster, "png_name": name}))
                for suffix, label in row.labels.items():
                    placed = f"{LABELS}/{part}/{cluster}/{folder}/{name.removesuffix('.png')}{suffix}"
                    sums.append(sum_line(placed, read_and_hashed(label)))
                    copied += not target.link(placed, label.path)
        return Receipt(
            unit=unit.name, split=unit.split, models=1, keys=sum(map(len, pairs)), images=images, copied=copied,
            notes={**_notes(member, model, pairs), ROWS: "".join(lines), SUMS: "".join(sums)},
        )  # fmt: skip

    def tables(
        self, plan: ExportPlan, target: Destination, receipts: Callable[[], Iterable[Receipt]]
    ) -> dict[str, FileRecord]:
        tables: dict[str, FileRecord] = {}
        columns = _columns(plan)
        for style in plan.members[0].spec.styles:
            for name, head, between, tail in ((TABLE, ",".join(columns) + "\n", "", ""), (CACHE, "{", ", ", "}\n")):
                path = target.scratch / name
                with path.open("w", encoding="utf-8", newline="") as file:
                    file.write(head)
                    for number, receipt in enumerate(receipts()):
                        file.write((between if number else "") + receipt.notes[name])
                    file.write(tail)
                tables[f"{_root(style)}/{name}"] = FileRecord(bytes=path.stat().st_size, sha256=sha256_of(path))
                target.place(f"{_root(style)}/{name}", path)
        return tables | write_row_tables(ROWS, target, receipts)

    def describe(
        self,
        roster: Roster,
        files: Mapping[str, FileRecord],
        tables: Mapping[str, FileRecord],
        links: bool,
    ) -> Described:
        sides: dict[Split, list[str]] = {"train": [], "test": []}
        for member in roster.members:
            sides[roster.sides.of[member.model]].append(member.org_id)
        poses = {name: record for name, record in sorted(tables.items()) if name.endswith(TABLE)}
        return Described(
            how_to_load=_HOW if links else _HOW_IN_A_BUCKET,
            front_matter={},
            distribution=croissant.file_objects(poses, "text/csv")
            + [croissant.file_set("pictures", "combined_*/*/*/*/*.png", "image/png")],
            record_sets=[
                *(
                    croissant.records(name.split("/")[0], "A row a sample", {"fileObject": name}, _columns(roster))
                    for name in poses
                ),
            ],
            # The loaders cut the last character off every line, so the last line needs its newline too.
            last={LISTS[split]: "".join(f"{i}\n" for i in ids).encode() for split, ids in sides.items()},
        )


def _columns(roster: Roster) -> tuple[str, ...]:
    space = roster.members[0].space
    return COLUMNS if space is None else (*_IDS, *space.entries)


def _check_spec(member: Member, styles: set[StyleName]) -> None:
    name, spec = member.folder, member.spec
    if spec.size != SIZE:
        raise SpecError(
            f"{name} was rendered at {spec.size} pixels, and the AnimeCeleb layout holds {SIZE} x {SIZE}; render "
            f"it again with size {SIZE}, or use another format."
        )
    if spec.motion is None and (missing := set(Partition) - set(spec.partitions)):
        raise SpecError(
            f"{name} lacks the {missing.pop()} partition, and the AnimeCeleb layout needs both; render it again "
            "with both partitions."
        )
    if spec.backgrounds:
        raise SpecError(
            f"{name} was rendered over backgrounds, and the AnimeCeleb layout holds pictures with a transparent "
            "background; render it again without --backgrounds, or use another format."
        )
    if spec.occluders:
        raise SpecError(
            f"{name} was rendered with occluders, so each view has two pictures, and the AnimeCeleb layout holds one "
            "picture a sample; render it again without --occluder, or use another format."
        )
    if spec.views > 1:
        raise SpecError(
            f"{name} was rendered from {spec.views} views, and the AnimeCeleb layout holds one picture a "
            "sample; render it again with one view, or use another format."
        )
    if set(spec.styles) != styles:
        # The two lists are shared by all roots, so a loader of the missing style would look for the model and fail.
        wanted = ", ".join(style for style in STYLES if style in styles)
        raise SpecError(
            f"{name} was rendered in {', '.join(spec.styles)}, and the models beside it in {wanted}; render it "
            "again in the same styles."
        )


def _pairs(model: RenderedModel) -> list[tuple[SampleRow, ...]]:
    """The samples in order, each rotated and frontal; frames of a clip, which are rotated alone."""
    if model.manifest.spec.motion is not None:
        return [(row,) for row in rows_of(model)]
    by_sample: dict[Partition, dict[int, SampleRow]] = {partition: {} for partition in Partition}
    for row in rows_of(model):
        by_sample[row.partition][row.sample] = row
    rotated, frontal = by_sample[Partition.ROTATED], by_sample[Partition.FRONTAL]
    if not rotated or rotated.keys() != frontal.keys():
        raise StorageError(
            f"{model.folder.name} holds {len(rotated)} rotated and {len(frontal)} frontal samples, which do not pair "
            "up; delete the folder and render the model again."
        )
    return [(rotated[sample], frontal[sample]) for sample in sorted(rotated)]


def _basis_hash(model: RenderedModel, style: StyleName) -> str:
    for basis in model.manifest.basis:
        if basis.style == style:
            return basis.sha256
    raise StorageError(
        f"{model.folder.name} lacks its neutral face in style {style}; delete the folder and render again."
    )


def _notes(member: Member, model: RenderedModel, pairs: Sequence[tuple[SampleRow, ...]]) -> dict[str, str]:
    """The model's lines of the table, and its entry of the cache, which the loaders trust before the table."""
    folder, cluster = _folder_name(model.folder.name), _cluster(member.model)
    rotated = [rows[0] for rows in pairs]
    names = [_png_name(folder, row.sample) for row in rotated]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        (member.org_id, cluster, name, *row.pose) for name, row in zip(names, rotated, strict=True)
    )
    entry = {
        "num_cluster": f"{cluster:05d}",
        "folder_name": folder,
        "img_names": names,
        "pose_information": [row.pose for row in rotated],
    }
    # ASCII, because the loaders open it in whatever encoding their machine prefers.
    return {TABLE: text.getvalue(), CACHE: f'"{member.org_id}": {json.dumps(entry, ensure_ascii=True)}'}


def _root(style: StyleName) -> str:
    return f"combined_{style}"


def _cluster(model: str) -> int:
    return int(uniform(0, model, 0, "cluster") * CLUSTERS)


def _folder_name(folder: str) -> str:
    # The loaders find the folder's name as png_name.split("_")[0].
    return folder.replace("_", "-")


def _png_name(folder_name: str, sample: int) -> str:
    return f"{folder_name}_{sample:05d}.png"


_HOW_IN_A_BUCKET = """The loaders of the authors' repository take `combined_<style>` as their root, and the two lists from
`data/` beside their own code. `rotation` holds the samples with the head turned, `expression` the same without.

`<split>/rows.jsonl` has light, rotation and seed of each row; `labels`, where labels were drawn, has folders like the roots'.
An export into a folder has each picture under two more names, as other loaders want them.
"""
_HOW = """The loaders of the authors' repository take `combined_<style>` as their root, and the two lists from `data/`
beside their own code. Loaders that find a picture by the number in column two take `combined_<style>/flat/rotation`, those
that want all in one folder `combined_<style>/together/rotation`; `expression` instead of `rotation` holds the same samples
without the turn of the head.

`<split>/rows.jsonl` has light, rotation and seed of each row; `labels`, where labels were drawn, has folders like the roots'.
"""
