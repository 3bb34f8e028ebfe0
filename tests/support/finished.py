"""Jobs that a worker finished, without a worker: small pictures in real shards under a real manifest."""

import hashlib
import io
from pathlib import Path

from PIL import Image

from farm.dataset.manifest import (
    CONTACT_SHEET,
    MANIFEST,
    ImageRecord,
    Manifest,
    ModelRecord,
    ShardRecord,
    image_file,
    result_object,
    shard_file,
)
from farm.dataset.shards import ShardWriter, sha256_of
from farm.jobs import states
from farm.jobs.connection import Connection
from farm.jobs.queue import Queue
from farm.jobs.states import Job
from farm.jobs.store import JobStore
from farm.spec import RENDERER_VERSION, RenderSpec
from farm.storage import ObjectStore
from tests.support.fixtures import GOOD_SURVEY

WORKER = "worker@somewhere"


def take(connection: Connection, worker: str = WORKER) -> Job:
    """The next job, claimed by a worker."""
    taken = Queue(connection).take(worker)
    assert taken is not None
    return JobStore(connection).change(taken.job, lambda job: states.claim(job, worker))


def finish(connection: Connection, store: ObjectStore, job: Job, spec: RenderSpec, folder: Path) -> Manifest:
    """Store a result of `job.samples` samples for a job that was taken, and end it as done."""
    manifest = _write_result(store, job, spec, folder)
    JobStore(connection).change(job.id, lambda present: states.finish(present, present.attempt, (), job.samples))
    return manifest


def lose(connection: Connection, job: Job, code: str = "blender-died", log: str = "") -> Job:
    """Let the job's attempt break down."""
    jobs = JobStore(connection)
    if log:
        jobs.keep_log(job.id, log)
    at = connection.now()
    return jobs.change(job.id, lambda present: states.lose(present, present.attempt, code, "Blender ended.", at))


def fail(connection: Connection, job: Job, code: str = "render-failed") -> Job:
    """Let the job fail for good."""
    return JobStore(connection).change(
        job.id, lambda present: states.fail(present, present.attempt, code, "It cannot be drawn.")
    )


def _picture(number: int) -> bytes:
    with io.BytesIO() as out:
        Image.new("RGBA", (32, 32), (number % 256, 90, 160, 255)).save(out, "PNG")
        return out.getvalue()


def _write_result(store: ObjectStore, job: Job, spec: RenderSpec, folder: Path) -> Manifest:
    images: list[ImageRecord] = []
    shards: list[ShardRecord] = []
    for style in spec.styles:
        for partition in spec.partitions:
            path = folder / shard_file(style, partition)
            with ShardWriter(path) as shard:
                for sample in range(job.samples):
                    data = _picture(len(images))
                    name = image_file(job.model, sample)
                    images.append(
                        ImageRecord(
                            file=name,
                            offset=shard.add(name, data),
                            bytes=len(data),
                            sample=sample,
                            style=style,
                            partition=partition,
                            pose=(0.0,) * 20,
                            rotation=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
                            light=1.0,
                            seed=spec.seed,
                            sha256=hashlib.sha256(data).hexdigest(),
                        )
                    )
            store.put_file(result_object(job.render_key, path.name), path)
            shards.append(
                ShardRecord(
                    file=path.name,
                    style=style,
                    partition=partition,
                    images=job.samples,
                    bytes=path.stat().st_size,
                    sha256=sha256_of(path),
                )
            )
    store.put(result_object(job.render_key, CONTACT_SHEET), _picture(1))
    manifest = Manifest(
        renderer=RENDERER_VERSION,
        render_key=job.render_key,
        model=ModelRecord(id=job.model, format="PMX 2.0", title=job.name, comment="", licence={}),
        annotation=job.annotation,
        target_morphs=23,
        spec=spec,
        samples=job.samples,
        survey=GOOD_SURVEY,
        warnings=(),
        shards=tuple(shards),
        basis=(),
        images=tuple(images),
    )
    store.put(result_object(job.render_key, MANIFEST), manifest.to_bytes())
    return manifest
