"""The Python SDK brings results home: shards, the manifest, single pictures."""

import hashlib
from pathlib import Path

import pytest

from farm.client import FarmClient, RefusedError
from farm.dataset.manifest import ImageRecord, Manifest, ModelRecord, ShardRecord, result_object
from farm.errors import StorageError
from farm.jobs.states import job_id
from farm.poses import Partition
from tests.farm.client.farm import SPEC, Farm
from tests.support.faults import Fault, FaultyProxy
from tests.support.fixtures import GOOD_SURVEY


@pytest.fixture(scope="module")
def result(farm: Farm) -> tuple[str, Manifest, bytes]:
    """A done job with a shard of 3 MiB that holds one picture, its manifest, and the shard's bytes."""
    batch = farm.batch_of(1)
    job = farm.jobs.job(job_id(batch, 0))
    picture = b"not really a picture" * 5000
    shard = b"\0" * 512 + picture + bytes(range(256)) * (3 * 4096)
    digest = hashlib.sha256(picture).hexdigest()
    manifest = Manifest(
        renderer=1,
        render_key=job.render_key,
        model=ModelRecord(id=job.model, format="pmx", title="", comment="", licence={}),
        annotation={},
        target_morphs=0,
        spec=SPEC,
        samples=1,
        survey=GOOD_SURVEY,
        warnings=(),
        shards=(
            ShardRecord(
                file="toon-frontal.tar", style="toon", partition=Partition.FRONTAL, images=1, bytes=len(shard),
                sha256=hashlib.sha256(shard).hexdigest(),
            ),
        ),
        basis=(),
        images=(
            ImageRecord(
                file="0000_00000.png", offset=512, bytes=len(picture), sample=0, style="toon",
                partition=Partition.FRONTAL, pose=(0.0,) * 20,
                rotation=((1, 0, 0), (0, 1, 0), (0, 0, 1)), light=1.0, seed=1, sha256=digest,
            ),
        ),
    )  # fmt: skip
    farm.store.put(result_object(job.render_key, "toon-frontal.tar"), shard)
    farm.store.put(result_object(job.render_key, "contact-sheet.png"), b"a sheet")
    farm.store.put(result_object(job.render_key, "manifest.json"), manifest.to_bytes())
    farm.done(job.id)
    return job.id, manifest, shard


def test_a_file_comes_whole_over_connections_that_are_cut(
    farm: Farm, proxy: FaultyProxy, result: tuple[str, Manifest, bytes], tmp_path: Path
) -> None:
    job, manifest, shard = result
    path = tmp_path / "shard.tar"
    with FarmClient(proxy.endpoint) as client:
        client.job(job)
        proxy.cut_bytes = (2**18, 2**20)
        proxy.fault = Fault.CUT
        client.fetch(job, "toon-frontal.tar", path, len(shard), manifest.shards[0].sha256)

    assert path.read_bytes() == shard
    assert 3 <= proxy.seen[Fault.CUT] <= 12, "it goes on where it was"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("size", "sha256"), [(5, None), (None, "0" * 64)])
def test_a_file_that_is_not_what_was_promised_is_not_kept(
    farm: Farm, result: tuple[str, Manifest, bytes], tmp_path: Path, size: int | None, sha256: str | None
) -> None:
    with pytest.raises(StorageError, match="etch it again"):
        farm.client.fetch(result[0], "toon-frontal.tar", tmp_path / "shard.tar", size, sha256)

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there_leaves_nothing(
    farm: Farm, result: tuple[str, Manifest, bytes], tmp_path: Path
) -> None:
    with pytest.raises(RefusedError) as caught:
        farm.client.fetch(result[0], "ink-frontal.tar", tmp_path / "shard.tar")

    assert caught.value.status == 404
    assert list(tmp_path.iterdir()) == []


def test_manifest_contact_sheet_and_single_pictures_are_read(farm: Farm, result: tuple[str, Manifest, bytes]) -> None:
    job, manifest, shard = result
    (image,) = manifest.images

    assert farm.client.manifest(job) == manifest
    assert farm.client.contact_sheet(job) == b"a sheet"
    assert farm.client.image(job, image) == shard[512 : 512 + image.bytes]
    with pytest.raises(StorageError, match="came damaged"):
        farm.client.image(job, image.model_copy(update={"sha256": "0" * 64}))
