"""Export in the layout of the AnimeCeleb release, so that the authors' loaders read a farm's pictures unchanged.

    OUT/train_list.txt, test_list.txt                                      one org_id a line
    OUT/combined_<style>/combined_pose.csv, cached.json                    one root a style
    OUT/combined_<style>/rotation/<num_cluster>/<folder_name>/<png_name>   rotated partition
    OUT/combined_<style>/expression/<num_cluster>/<folder_name>/<png_name> frontal partition, same names
    OUT/combined_<style>/basis/<folder_name>/basis.png                     the neutral face

All names derive from the model's hash and label alone, so other models that come or go change none of them.
Source of the layout: the data loaders in the authors' repository, kangyeolk/AnimeCeleb, Animo/data/animeceleb.py.
"""

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from farm.dataset.manifest import ImageRecord
from farm.dataset.output import POSE_COLUMNS, RenderedModel, read_output
from farm.errors import SpecError, StorageError
from farm.poses import POSE_SIZE, Partition, uniform
from farm.spec import StyleName
from farm.styles import STYLES

SIZE = 256
"""Pixels: the loaders take the pictures at 256 x 256 and resize none."""
COLUMNS = ("org_id", "folder_name", "png_name", *POSE_COLUMNS)
"""Header of ``combined_pose.csv``. The names of the first three are the release's, those of the 20 floats are ours."""
TEST_SHARE = 294 / 3613
"""Share of the models in the test set. Source: AnimeCeleb, arXiv 2111.07640: 3,319 for training and 294 for testing."""
CLUSTERS = 37
"""Clusters that the models spread over: about 100 a cluster at the release's 3,613 models."""
TRAIN_LIST = "train_list.txt"
TEST_LIST = "test_list.txt"
MARKER = "facefarm-export.json"
"""Tells an earlier export, which another may replace, from a folder with someone's own data."""
_MARKER_BYTES = b'{"layout": "animeceleb", "format": 1}\n'
_PARTIAL = ".partial"
_ID_DIGITS = 13
"""Hexadecimal digits of the hash in an org_id: 52 bits, which a float holds exactly, should a reader make it one."""
_FOLDERS = {Partition.ROTATED: "rotation", Partition.FRONTAL: "expression"}


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds."""

    styles: tuple[StyleName, ...]
    models: int
    images: int
    """Pictures of all styles and both partitions, without the neutral faces."""
    copied: int
    """Files that could not be hard-linked and take space of their own."""
    train: int
    """Models in ``train_list.txt``."""
    test: int
    """Models in ``test_list.txt``."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One sample in one style: a row of ``combined_pose.csv``."""

    rotated: ImageRecord
    frontal: ImageRecord


@dataclass(frozen=True, slots=True)
class _Identity:
    """One model under the names of the release."""

    model: RenderedModel
    rows: dict[StyleName, list[_Row]]

    @property
    def org_id(self) -> str:
        # Decimal as in the release: readers in the wild put it unquoted into pandas queries.
        return str(int(self.model.manifest.model.id[:_ID_DIGITS], 16))

    @property
    def num_cluster(self) -> str:
        return f"{int(uniform(0, self.model.manifest.model.id, 0, 'cluster') * CLUSTERS):05d}"

    @property
    def folder_name(self) -> str:
        # The loaders find the folder's name as png_name.split("_")[0].
        return self.model.folder.name.replace("_", "-")

    def png_name(self, row: _Row) -> str:
        return f"{self.folder_name}_{row.rotated.sample:05d}.png"

    def basis_path(self, style: StyleName) -> Path:
        return self.model.folder / "basis" / f"{style}.png"


def export(source: Path, out: Path, progress: Callable[[int, int], None] | None = None) -> Exported:
    """Lay the rendered models under `source` (what ``farm render --out`` left) out under `out` as the release does.

    The 20 floats of a row are the pose of the picture under ``rotation/``: weights in [0, 1], angles in degrees. The
    picture of the same name under ``expression/`` has the same weights and no rotation. Pictures are hard links where
    the file system allows, else copies; equal sources give equal bytes. `out` may be new, empty or an earlier export,
    which is replaced once everything is ready; the two lists come last, so a folder with both is whole.
    `progress(done, total)` is called after each model of each style, in pictures.

    Raises SpecError when a model was rendered in a way that the layout cannot hold (one partition, another size, several
    views, backgrounds, other styles than its neighbours), and StorageError when files are missing, a model is there twice
    or `out` is not ours.
    """
    identities = _identities(read_output(source))
    styles = tuple(style for style in STYLES if style in identities[0].rows)
    try:
        _claim(out)
        partial = out / _PARTIAL
        try:
            copied = 0
            done = 0
            total = 2 * sum(len(rows) for identity in identities for rows in identity.rows.values())
            for style in styles:
                root = partial / _root_name(style)
                for identity in identities:
                    copied += _place_pictures(identity, style, root)
                    done += 2 * len(identity.rows[style])
                    if progress is not None:
                        progress(done, total)
                _write_poses(identities, style, root)
                _write_cache(identities, style, root)
            train, test = _split(identities)
            _write_list(partial / TRAIN_LIST, train)
            _write_list(partial / TEST_LIST, test)
            _replace(out, partial)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise StorageError(f"The export to {out} failed ({error}). Free space or permissions?") from error
    return Exported(styles, len(identities), total, copied, len(train), len(test))


def _root_name(style: StyleName) -> str:
    return f"combined_{style}"


def _identities(models: Sequence[RenderedModel]) -> list[_Identity]:
    """The models under their new names, or the error that says why the layout cannot hold them."""
    styles = {style for model in models for style in model.manifest.spec.styles}
    found: dict[str, _Identity] = {}
    for model in models:
        name, spec = model.folder.name, model.manifest.spec
        if spec.size != SIZE:
            raise SpecError(
                f"{name} was rendered at {spec.size} pixels, and the AnimeCeleb layout holds {SIZE} x {SIZE}; render "
                f"it again with size {SIZE}, or use the rendered folder as it is."
            )
        if missing := set(Partition) - set(spec.partitions):
            raise SpecError(
                f"{name} lacks the {missing.pop()} partition, and the AnimeCeleb layout needs both; render it again "
                "with both partitions."
            )
        if spec.backgrounds:
            raise SpecError(
                f"{name} was rendered over backgrounds, and the AnimeCeleb layout holds pictures with a transparent "
                "background; render it again without --backgrounds."
            )
        if spec.camera.views > 1:
            raise SpecError(
                f"{name} was rendered from {spec.camera.views} views, and the AnimeCeleb layout holds one picture a "
                "sample; render it again with one view."
            )
        if set(spec.styles) != styles:
            # The two lists are shared by all roots, so a loader of the missing style would look for the model and fail.
            wanted = ", ".join(style for style in STYLES if style in styles)
            raise SpecError(
                f"{name} was rendered in {', '.join(spec.styles)}, and the models beside it in {wanted}; render it "
                "again in the same styles."
            )
        identity = _Identity(model, {style: _rows(model, style) for style in spec.styles})
        if (other := found.setdefault(identity.org_id, identity)) is not identity:
            raise StorageError(
                f"{other.model.folder.name} and {name} are the same model, which would stand in the data twice; delete "
                "one of the two folders."
            )
    return list(found.values())


def _rows(model: RenderedModel, style: StyleName) -> list[_Row]:
    """The samples of one style in order, each with its two pictures."""
    by_sample: dict[Partition, dict[int, ImageRecord]] = {partition: {} for partition in Partition}
    for image in model.manifest.images:
        if image.style == style:
            by_sample[image.partition][image.sample] = image
    rotated, frontal = by_sample[Partition.ROTATED], by_sample[Partition.FRONTAL]
    if not rotated or rotated.keys() != frontal.keys():
        raise StorageError(
            f"{model.folder.name} holds {len(rotated)} rotated and {len(frontal)} frontal pictures in style {style}, "
            "which do not pair up; delete the folder and render the model again."
        )
    return [_Row(rotated[sample], frontal[sample]) for sample in sorted(rotated)]


def _claim(out: Path) -> None:
    """Make `out` ours: it must be new, empty or an earlier export."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MARKER).is_file())):
        raise StorageError(f"{out} already holds something that is not an export of the farm; name a new folder.")
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).write_bytes(_MARKER_BYTES)
    if (out / _PARTIAL).exists():  # left by an export that was killed
        shutil.rmtree(out / _PARTIAL)
    (out / _PARTIAL).mkdir()


def _place_pictures(identity: _Identity, style: StyleName, root: Path) -> int:
    """Link or copy the pictures of one model and style; the number of copies."""
    neutral = root / "basis" / identity.folder_name
    neutral.mkdir(parents=True)
    folders = {p: root / folder / identity.num_cluster / identity.folder_name for p, folder in _FOLDERS.items()}
    for folder in folders.values():
        folder.mkdir(parents=True)

    def pictures() -> Iterator[tuple[Path, Path]]:
        yield identity.basis_path(style), neutral / "basis.png"
        for row in identity.rows[style]:
            name = identity.png_name(row)
            yield identity.model.image_path(row.rotated), folders[Partition.ROTATED] / name
            yield identity.model.image_path(row.frontal), folders[Partition.FRONTAL] / name

    return sum(not _place(origin, target) for origin, target in pictures())


def _place(origin: Path, target: Path) -> bool:
    """Bring one file to `target`; whether a hard link was possible."""
    if not origin.is_file():
        raise StorageError(
            f"The picture {origin} is missing; delete the folder of its model, render that again, and export again."
        )
    if not origin.is_symlink():  # a hard link to a symbolic link would be a symbolic link
        try:
            os.link(origin, target)
            return True
        except OSError:
            pass  # another file system, one without hard links, or a file with too many: all that is left is to copy
    shutil.copyfile(origin, target)
    return False


def _write_poses(identities: Sequence[_Identity], style: StyleName, root: Path) -> None:
    with (root / "combined_pose.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for identity in identities:
            head = (identity.org_id, identity.folder_name)
            writer.writerows(
                (*head, identity.png_name(row), *row.rotated.pose[:POSE_SIZE]) for row in identity.rows[style]
            )


def _write_cache(identities: Sequence[_Identity], style: StyleName, root: Path) -> None:
    """``cached.json``, which the loaders trust before the table: without it they build keys that no list matches."""
    tree = {
        identity.org_id: {
            "num_cluster": identity.num_cluster,
            "folder_name": identity.folder_name,
            "img_names": [identity.png_name(row) for row in identity.rows[style]],
            "pose_information": [row.rotated.pose[:POSE_SIZE] for row in identity.rows[style]],
        }
        for identity in identities
    }
    # ASCII, because the loaders open it in whatever encoding their machine prefers.
    (root / "cached.json").write_bytes(json.dumps(tree, ensure_ascii=True).encode() + b"\n")


def _split(identities: Sequence[_Identity]) -> tuple[list[str], list[str]]:
    """The org_ids for training and for testing; at least one of each when there are two models or more.

    A model's own hash decides, so a model never changes sides when others come or go; only in sets so small that a side
    would be empty does the model nearest to the border cross it. The price is that the share is met on average only.
    """
    draws = {identity.org_id: uniform(0, identity.model.manifest.model.id, 0, "split") for identity in identities}
    nearest = sorted(draws, key=lambda org_id: draws[org_id])
    below = sum(draw < TEST_SHARE for draw in draws.values())
    test = set(nearest[: min(max(below, 1), len(nearest) - 1)])
    return [i for i in draws if i not in test], [i for i in draws if i in test]


def _write_list(path: Path, org_ids: Sequence[str]) -> None:
    # The loaders cut the last character off every line, so the last line needs its newline too.
    path.write_bytes("".join(f"{org_id}\n" for org_id in org_ids).encode())


def _replace(out: Path, partial: Path) -> None:
    """Put what stands ready in `partial` in the place of an earlier export; the lists go first and come last."""
    for name in (TRAIN_LIST, TEST_LIST):
        (out / name).unlink(missing_ok=True)
    for style in STYLES:
        if (out / _root_name(style)).exists():
            shutil.rmtree(out / _root_name(style))
    for path in sorted(partial.iterdir()):  # "combined_..." sorts before the lists
        path.rename(out / path.name)
