"""Holds the label files of one model against its manifest and against the rules for labels."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from farm.dataset.label_reading import (
    ARRAYS_SUFFIX,
    INDEXED,
    MARKS_SUFFIX,
    most_bytes,
    read_arrays,
    read_indexed,
    read_marks,
    suffixes_of,
)
from farm.dataset.manifest import LabelShardRecord, image_file, view_suffix
from farm.dataset.output import LABELS, RenderedModel
from farm.dataset.reading import Listing, read_file
from farm.dataset.validation import check_labels
from farm.errors import InvalidSampleError, StorageError
from farm.labels import LabelName
from farm.marks import Marks
from farm.pipe import View
from farm.verification.findings import Fault, FindingList

_OF_SUFFIX = {suffix: label for label, suffix in INDEXED.items()}


def _marked(marks: Marks | None) -> set[LabelName]:
    """The labels that marks hold."""
    if marks is None:
        return set()
    return {LabelName.LANDMARKS} if marks.joints is None else {LabelName.LANDMARKS, LabelName.JOINTS}


class _HashingTar:
    """Hashes the tar file that a shard's members make, without keeping it: `ShardWriter` writes the same bytes."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._length = 0
        self._tar = tarfile.open(fileobj=self, mode="w", format=tarfile.USTAR_FORMAT)  # type: ignore[call-overload]  # it only writes

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self._length += len(data)
        return len(data)

    def tell(self) -> int:
        return self._length

    def add(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        member.mode = 0o644
        self._tar.addfile(member, io.BytesIO(data))

    def digest(self) -> str:
        self._tar.close()
        return self._hash.hexdigest()


class LabelFiles:
    """The labels of one model."""

    def __init__(self, model: RenderedModel, found: Listing, findings: FindingList) -> None:
        self._model, self._found, self._findings = model, found, findings
        self._spec = model.manifest.spec
        self._suffixes = suffixes_of(self._spec.labels)
        self.names: set[str] = set()
        """The files that should be there, below the model's folder."""

    def check(self) -> None:
        """Look at every label."""
        shards = self._model.manifest.labels
        expected = list(self._spec.partitions) if self._spec.labels else []
        if sorted(shard.partition for shard in shards) != sorted(expected):
            self._findings.add(Fault.COUNT, LABELS, "The manifest has not one shard of labels for each partition.")
        for shard in shards:
            self._shard(shard)

    def _samples(self, shard: LabelShardRecord) -> Iterator[tuple[int, View]]:
        """The pictures of a partition, in the order of its shard."""
        style = self._spec.styles[0]
        for image in self._model.manifest.images:
            if (image.style, image.partition) == (style, shard.partition):
                yield image.sample, image.view

    def _shard(self, shard: LabelShardRecord) -> None:
        """All labels of one partition. Their shard's hash is that of the tar which the files make: no byte is unseen."""
        folder = f"{LABELS}/{shard.partition}"
        tar, count, absent, broken = _HashingTar(), 0, 0, 0
        told = (label for label in self._model.manifest.label_files if label.partition == shard.partition)
        hashes = {label.file: label.sha256 for label in told}
        for sample, view in self._samples(shard):
            suffix_of_view = view_suffix(self._spec, view)
            stem = image_file(self._model.manifest.model.id, sample, suffix_of_view).removesuffix(".png")
            files: dict[str, bytes] = {}
            for suffix in self._suffixes:
                where = f"{folder}/{self._model.folder.name}_{sample:05d}{suffix_of_view}{suffix}"
                self.names.add(where)
                data = self._read(where, suffix)
                if data is None:
                    absent += 1
                    continue
                tar.add(stem + suffix, data)
                count += 1
                if stem + suffix in hashes and hashlib.sha256(data).hexdigest() != hashes[stem + suffix]:
                    self._findings.add(Fault.HASH, where, "Its bytes are others than the manifest says.")
                    broken += 1
                else:
                    files[suffix] = data
            where = f"{folder}/{self._model.folder.name}_{sample:05d}{suffix_of_view}"
            if len(files) == len(self._suffixes) and not self._obeys(files, where):
                broken += 1
        if count + absent != shard.files:
            self._findings.add(
                Fault.COUNT,
                folder,
                f"The specification makes {count + absent} label files, the manifest {shard.files}.",
            )
        elif not absent and not broken and tar.digest() != shard.sha256:
            self._findings.add(
                Fault.HASH,
                folder,
                "A label file in here has other bytes, or two are swapped: their shard had another hash.",
            )

    def _read(self, where: str, suffix: str) -> bytes | None:
        if where not in self._found.sizes:
            if where not in self._found.strange:
                self._findings.add(Fault.MISSING, where, "The label is missing.")
            return None
        try:
            return read_file(self._model.folder / where, most_bytes(suffix, self._spec.size))
        except (StorageError, FileNotFoundError) as error:
            self._findings.add(Fault.LABEL, where, f"The label cannot be read: {error}")
            return None

    def _obeys(self, files: dict[str, bytes], where: str) -> bool:
        """Whether the labels of one picture can be read and agree with each other."""
        arrays: dict[LabelName, NDArray[Any]] = {}
        marks: Marks | None = None
        side = self._spec.size
        suffix = ""
        try:
            for suffix, data in files.items():
                if suffix == ARRAYS_SUFFIX:
                    arrays |= read_arrays(data, side)
                elif suffix == MARKS_SUFFIX:
                    marks = read_marks(data)
                else:
                    arrays[_OF_SUFFIX[suffix]] = read_indexed(data, side)
            suffix = ""
            if missing := set(self._spec.labels) - _marked(marks) - arrays.keys():
                raise StorageError(f"The label {missing.pop()} is not among them.")
            check_labels(arrays, marks, side)
        except (StorageError, InvalidSampleError) as error:
            self._findings.add(Fault.LABEL, where + suffix, str(error))
            return False
        return True
