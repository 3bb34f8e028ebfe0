"""A rendered model as rows: one for each sample, partition and view, with what all styles share of it.

Rendered folders may come from elsewhere: a picture is what its manifest says, or it is not exported.
"""

import hashlib
import math
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from farm.backgrounds import BackgroundRecord
from farm.dataset.manifest import Manifest
from farm.dataset.output import LABELS, RenderedModel
from farm.dataset.reading import MAX_FILE_BYTES
from farm.dataset.splits import Split
from farm.errors import StorageError
from farm.occluders import OccluderName
from farm.poses import Partition
from farm.spec import StyleName

_KEY_DIGITS = 16
_SUFFIX = re.compile(r"(\.[a-z]{1,16}){1,3}")


@dataclass(frozen=True, slots=True)
class File:
    """A file of a rendered model, and what its manifest says of it."""

    path: str
    sha256: str
    """Empty where the manifest does not say."""


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A sample in one partition, from one view."""

    key: str
    """Its name in shards: unique over models, and without a dot, where WebDataset would cut it."""
    model: str
    """The model's hash."""
    folder: str
    sample: int
    partition: Partition
    view: int
    yaw: float
    elevation: float
    pose: tuple[float, ...]
    """20 numbers, entries 17 to 19 in degrees; in another pose space those that it names."""
    extended: dict[str, float]
    """What further targets play, by the names of their columns; empty without `spec.extended`."""
    mask: tuple[bool, ...] | None
    """By entry of `pose`, whether the model can play it; None in the paper's space."""
    rotation: tuple[tuple[float, float, float], ...]
    """(3, 3), for column vectors."""
    light: float
    background: BackgroundRecord | None
    occluder: OccluderName | None
    """What the character wears."""
    seed: int
    pictures: dict[StyleName, File]
    labels: dict[str, File]
    """By suffix, such as ``.parts.png``."""
    clip: str | None = None
    """What all frames of one model in one motion have in common; None: it is no frame of a clip."""
    time: float | None = None
    """Seconds of the motion that a frame shows."""


def rows_of(model: RenderedModel) -> list[SampleRow]:
    """The rows of one model in the order of sample, partition, view.

    Raises StorageError for a manifest that gives a picture twice, lacks one of a style, or holds a pose that is none.
    """
    manifest = model.manifest
    found: dict[tuple[int, Partition, int], SampleRow] = {}
    for image in manifest.images:
        size = len(manifest.pose_names)
        if len(image.pose) != size or not all(map(math.isfinite, (*image.pose, image.light))):
            raise _damaged(model, f"The pose of {image.file} is not {size} numbers")
        place = (image.sample, image.partition, image.view.index)
        row = found.get(place)
        if row is None:
            row = found[place] = SampleRow(
                key_of(manifest, *place),
                manifest.model.id,
                model.folder.name,
                *place,
                image.view.yaw,
                image.view.elevation,
                image.pose[: size - len(manifest.extra_columns)],
                dict(zip(manifest.extra_columns, image.pose[size - len(manifest.extra_columns) :], strict=True)),
                None if manifest.space is None else manifest.pose_mask,
                image.rotation,
                image.light,
                image.background,
                image.view.occluder,
                image.seed,
                {},
                {},
                manifest.clip_id,
                None if manifest.spec.motion is None else manifest.spec.motion.time_of(image.sample),
            )
        if image.style in row.pictures:
            raise _damaged(model, f"It names {image.file} in style {image.style} twice")
        row.pictures[image.style] = File(str(model.image_path(image)), image.sha256)
    for row in found.values():
        if row.pictures.keys() != set(manifest.spec.styles):
            raise _damaged(model, f"Sample {row.sample} ({row.partition}) is not there in every style")
    _take_labels(model, found)
    return [found[place] for place in sorted(found)]


def key_prefix(model: str) -> str:
    """What the keys of all rows of a model, and of no other, begin with."""
    return f"{model[:_KEY_DIGITS]}_"


def key_of(manifest: Manifest, sample: int, partition: Partition, view: int) -> str:
    """``<16 digits of the model's hash>_<sample>_<partition>``, and ``_v<view>`` where there are several views."""
    several = f"_v{view:02d}" if manifest.spec.views > 1 else ""
    return f"{key_prefix(manifest.model.id)}{sample:05d}_{partition}{several}"


def _take_labels(model: RenderedModel, rows: Mapping[tuple[int, Partition, int], SampleRow]) -> None:
    """Give each row its label files."""
    if not model.manifest.spec.labels:
        return
    several = model.manifest.spec.views > 1
    by_stem = {
        (partition, f"{sample:05d}" + (f"_v{view:02d}" if several else "")): row
        for (sample, partition, view), row in rows.items()
    }
    hashes = {
        (record.partition, record.file.partition("_")[2]): record.sha256
        for record in model.manifest.label_files  # of earlier versions there are none
    }
    for partition in model.manifest.spec.partitions:
        folder = model.folder / LABELS / partition
        for name in sorted(path.name for path in folder.iterdir()) if folder.is_dir() else ():
            rest = name.removeprefix(f"{model.folder.name}_")
            stem, dot, suffix = rest.partition(".")
            row = by_stem.get((partition, stem))
            if row is None or not _SUFFIX.fullmatch(dot + suffix):
                raise _damaged(model, f"{folder / name} is no label of it")
            row.labels[dot + suffix] = File(str(folder / name), hashes.get((partition, rest), ""))
    kinds = {tuple(sorted(row.labels)) for row in rows.values()}
    if len(kinds) != 1 or kinds == {()}:
        raise _damaged(model, "Some of its label files are missing")


def read(file: File) -> bytes:
    """The bytes of a picture or a label. Raises StorageError when they are not those that the manifest names."""
    # What has no hash must at least be in the folder itself.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if file.sha256 else os.O_NOFOLLOW)
    try:
        descriptor = os.open(file.path, flags)
    except FileNotFoundError as error:
        raise StorageError(f"{file.path} is missing; {_AGAIN}") from error
    except OSError as error:
        raise StorageError(f"{file.path} cannot be read ({error.strerror}); {_AGAIN}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            raise StorageError(f"{file.path} is no file of up to {MAX_FILE_BYTES} bytes; {_AGAIN}")
        data = os.read(descriptor, status.st_size)
    finally:
        os.close(descriptor)
    if file.sha256 and hashlib.sha256(data).hexdigest() != file.sha256:
        raise StorageError(f"{file.path} is not what its manifest says: it was cut, changed or exchanged; {_AGAIN}")
    return data


def read_and_hashed(file: File) -> str:
    """The hash of a file's bytes, which are read. Raises StorageError as `read` does."""
    data = read(file)
    return file.sha256 or hashlib.sha256(data).hexdigest()


def record_of(row: SampleRow, split: Split) -> dict[str, Any]:
    """What is told of a row beside its pictures, as JSON has it."""
    return {
        "key": row.key,
        "model": row.model,
        "folder": row.folder,
        "split": split,
        "sample": row.sample,
        "partition": row.partition.value,
        **({"clip": row.clip, "time": row.time} if row.clip is not None else {}),
        "view": row.view,
        "yaw": row.yaw,
        "elevation": row.elevation,
        "pose": list(row.pose),
        **({"extended": row.extended} if row.extended else {}),
        **({"pose_mask": list(row.mask)} if row.mask is not None else {}),
        "rotation": [list(line) for line in row.rotation],
        "light": row.light,
        "background": row.background.model_dump() if row.background else None,
        **({"occluder": row.occluder.value} if row.occluder is not None else {}),
        "seed": row.seed,
        "styles": sorted(row.pictures),
    }


_AGAIN = "delete the folder of its model, render that again, and repeat this."


def _damaged(model: RenderedModel, what: str) -> StorageError:
    return StorageError(f"{what}, so {model.folder.name} is damaged; {_AGAIN}")
