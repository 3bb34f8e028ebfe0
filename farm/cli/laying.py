"""Lays a result out in a folder that people have, wherever it comes from."""

from collections.abc import Callable
from pathlib import Path

from farm.dataset.manifest import LabelShardRecord, Manifest, ShardRecord
from farm.dataset.output import RenderedModel, unpack_result
from farm.licences.tombstones import check_admitted

type Bring = Callable[[str, Path, int | None, str | None], None]
"""``bring(file, path, size, sha256)`` leaves a file of the result at a path, whole. It raises StorageError for one that has
another size (bytes) or hash; None: the manifest does not say."""


def lay_out(manifest: Manifest, label: str, bring: Bring, out: Path) -> RenderedModel:
    """The result in a folder of its own in `out`. Raises StorageError, and WithdrawnModelError for a model that was
    withdrawn from `out`."""
    check_admitted(out, manifest.model.id)
    shards: list[ShardRecord | LabelShardRecord] = [*manifest.shards, *manifest.labels]
    sizes = {shard.file: shard.bytes for shard in shards}
    hashes = {part.file: part.sha256 for part in (*shards, *manifest.basis)}

    def fetch(file: str, path: Path) -> None:
        bring(file, path, sizes.get(file), hashes.get(file))

    return unpack_result(manifest, label, fetch, out)
