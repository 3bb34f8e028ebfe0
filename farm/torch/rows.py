"""The rows of one rendered model, small enough that those of thousands stay in memory, and the pictures behind them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from farm.dataset.label_reading import ARRAYS_SUFFIX, PARTS_SUFFIX, read_arrays, read_indexed
from farm.dataset.manifest import view_suffix
from farm.dataset.output import LABELS, RenderedModel, file_stem
from farm.dataset.picture_reading import read_picture
from farm.errors import StorageError
from farm.exports.rows import File, SampleRow, read, rows_of
from farm.labels import LabelName
from farm.occluders import CODES
from farm.pipe import View
from farm.poses import Partition
from farm.spec import RenderSpec

PARTITIONS = tuple(Partition)
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class PackedRows:
    """`farm.exports.rows.SampleRow` for each sample, partition and view of a model, as arrays of n rows."""

    folder: Path
    model: str
    """The model's hash."""
    spec: RenderSpec
    head_box: tuple[float, float, float, float]
    """Left, top, right, bottom of the head in the neutral picture, as shares of the frame; may reach beyond it."""
    places: NDArray[np.int32]
    """(n, 3) sample, place of the partition in PARTITIONS, view."""
    poses: NDArray[np.float32]
    """(n, 20), entries 17 to 19 in degrees; in another pose space as many as it has entries."""
    pose_names: tuple[str, ...]
    """Of the entries of a pose."""
    pose_mask: NDArray[np.bool_]
    """By entry, whether the model can play it; where it cannot, its poses have 0."""
    lights: NDArray[np.float32]
    """(n,) intensities."""
    worn: NDArray[np.uint8]
    """(n,) what the character wears, of `farm.occluders.CODES`; 0: nothing. The row before is the same without."""
    hashes: dict[str, NDArray[np.uint8]]
    """(n, 32) SHA-256 by style, and by suffix of label; zeros where the manifest does not say."""

    def picture(self, row: int, style: str) -> NDArray[np.uint8]:
        """(side, side, 4) sRGB and straight alpha, or (side, side, 3) over a background.

        Raises StorageError when the file is not what the manifest names.
        """
        file = self._file(row, style, self.folder / style, ".png")
        return read_picture(read(file), self.spec.size, file.path)

    def parts(self, row: int) -> NDArray[np.uint8]:
        """(side, side) a `farm.labels.Part` each. Raises StorageError like `picture`."""
        file = self._file(row, PARTS_SUFFIX, self.folder / LABELS, PARTS_SUFFIX)
        data = read(file)
        try:
            return read_indexed(data, self.spec.size)
        except StorageError as error:
            raise StorageError(f"{file.path} is no part picture: {error} `farm verify` says more.") from error

    def occlusion(self, row: int) -> NDArray[np.uint8]:
        """(side, side) the label `occlusion`: `farm.occluders` has its numbers. Raises StorageError like `picture`."""
        file = self._file(row, ARRAYS_SUFFIX, self.folder / LABELS, ARRAYS_SUFFIX)
        try:
            return read_arrays(read(file), self.spec.size)[LabelName.OCCLUSION]
        except (StorageError, KeyError) as error:
            raise StorageError(f"{file.path} holds no label occlusion. `farm verify` says more.") from error

    @property
    def doubled(self) -> NDArray[np.bool_]:
        """(n,) whether a row is the second picture of its view, with what is worn."""
        return np.asarray((self.places[:, 2] % 2 == 1) & bool(self.spec.occluders))

    def name(self, row: int) -> str:
        """What the row is called in random draws and to people: unique within a model."""
        sample, partition, view = self.places[row]
        return f"{sample:05d}_{PARTITIONS[partition]}_v{view:02d}"

    def _file(self, row: int, kind: str, folder: Path, suffix: str) -> File:
        sample, partition, view = self.places[row].tolist()
        stem = file_stem(self.folder, sample, view_suffix(self.spec, View(index=view)))
        digest = self.hashes[kind][row]
        return File(
            str(folder / PARTITIONS[partition] / (stem + suffix)), digest.tobytes().hex() if digest.any() else ""
        )


def pack(model: RenderedModel) -> PackedRows:
    """A model's rows by sample, partition and view. Raises StorageError for a manifest that contradicts itself."""
    rows = rows_of(model)
    manifest = model.manifest
    names = manifest.pose_names[: len(manifest.pose_names) - len(manifest.extra_columns)]
    kinds: list[str] = [*rows[0].pictures, *rows[0].labels] if rows else []
    return PackedRows(
        model.folder,
        manifest.model.id,
        manifest.spec,
        manifest.survey.head_box,
        np.array([(row.sample, PARTITIONS.index(row.partition), row.view) for row in rows], np.int32).reshape(-1, 3),
        np.array([row.pose for row in rows], np.float32),
        names,
        np.array(manifest.pose_mask[: len(names)], np.bool_),
        np.array([row.light for row in rows], np.float32),
        np.array([CODES[row.occluder] if row.occluder else 0 for row in rows], np.uint8),
        {kind: _hashes(rows, kind) for kind in kinds},
    )


def _hashes(rows: list[SampleRow], kind: str) -> NDArray[np.uint8]:
    found = ((row.pictures.get(kind) or row.labels[kind]).sha256 or "00" * _HASH_BYTES for row in rows)
    return np.frombuffer(bytes.fromhex("".join(found)), np.uint8).reshape(-1, _HASH_BYTES)
