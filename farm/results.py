"""What a finished job left in the object store, found by its manifest: whole files, and single pictures out of shards."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from farm.dataset.manifest import (
    CLIP_VIDEO,
    CONTACT_SHEET,
    MANIFEST,
    BasisRecord,
    LabelShardRecord,
    Manifest,
    ShardRecord,
    read_manifest,
    result_object,
)
from farm.errors import NotFoundError
from farm.storage import ObjectStore

_REMEMBERED = 32
_REMEMBERED_BYTES = 8 * 2**20
"""The longest manifest whose contents are remembered: one of 100 samples has about half a MiB."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Some bytes in the store: an object, or some of one."""

    key: str
    start: int
    size: int
    """In bytes."""
    sha256: str
    """Of these bytes; empty where the manifest does not say."""


@dataclass(frozen=True, slots=True)
class _Contents:
    """A manifest as an index."""

    hashes: dict[str, str]
    """File to SHA-256."""
    pictures: dict[tuple[str, str, str], tuple[str, int, int, str]]
    """(style, partition, name) to (shard, offset, bytes, SHA-256)."""


class Results:
    """Finds results. Every method raises ServiceError when the store does not answer.

    Contents of manifests are remembered, since whoever looks at one picture looks at the next: a result never changes
    under its render key, and what was deleted is missed when its bytes are asked for.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._lock = Lock()
        self._known: OrderedDict[str, _Contents] = OrderedDict()

    def file(self, render_key: str, name: str) -> Stored:
        """A whole file of a result. Raises NotFoundError."""
        key = result_object(render_key, name)
        size = self._store.size(key)
        sha256 = "" if name == MANIFEST else self._contents(render_key).hashes.get(name, "")
        return Stored(key, 0, size, sha256)

    def picture(self, render_key: str, style: str, partition: str, name: str) -> Stored:
        """One picture inside its shard. Raises NotFoundError."""
        found = self._contents(render_key).pictures.get((style, partition, name))
        if found is None:
            raise NotFoundError(
                f"The result has no picture {style}/{partition}/{name}; `images` in {MANIFEST} lists what it has."
            )
        shard, offset, size, sha256 = found
        return Stored(result_object(render_key, shard), offset, size, sha256)

    def _contents(self, render_key: str) -> _Contents:
        with self._lock:
            if known := self._known.get(render_key):
                self._known.move_to_end(render_key)
                return known
        key = result_object(render_key, MANIFEST)
        data = self._store.get(key)
        contents = _index(read_manifest(data, key))
        if len(data) <= _REMEMBERED_BYTES:
            with self._lock:
                self._known[render_key] = contents
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return contents


def _index(manifest: Manifest) -> _Contents:
    shards = {(shard.style, shard.partition): shard.file for shard in manifest.shards}
    records: list[ShardRecord | LabelShardRecord | BasisRecord] = [*manifest.shards, *manifest.labels, *manifest.basis]
    hashes = {record.file: record.sha256 for record in records}
    if manifest.clip is not None and manifest.clip.video_sha256:
        hashes[CLIP_VIDEO] = manifest.clip.video_sha256
    if manifest.contact_sheet is not None:
        hashes[CONTACT_SHEET] = manifest.contact_sheet
    return _Contents(
        hashes=hashes,
        pictures={
            (image.style, image.partition, image.file): (
                shards[image.style, image.partition], image.offset, image.bytes, image.sha256,
            )
            for image in manifest.images
        },
    )  # fmt: skip
