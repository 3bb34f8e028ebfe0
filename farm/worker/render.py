"""Renders one model: from its package and a specification to a stored result.

Nothing here knows of queues: it takes a job's content, draws, packs and uploads, and reports progress through a
function. The manifest goes up last, so a crash at any point leaves either a whole result or none.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from farm import pipe
from farm.catalog import Catalog
from farm.dataset.contact_sheet import chosen_samples, contact_sheet
from farm.dataset.manifest import (
    CONTACT_SHEET,
    MANIFEST,
    BasisRecord,
    ImageRecord,
    Manifest,
    ModelRecord,
    ShardRecord,
    basis_file,
    image_file,
    result_object,
    shard_file,
)
from farm.dataset.shards import ShardWriter, sha256_of
from farm.dataset.usability import reasons_against
from farm.errors import UnusableModelError
from farm.jobs.states import Job
from farm.models.inventory import Inventory
from farm.models.package import unfold
from farm.morphs.annotation import sampled_targets
from farm.morphs.expressions import Rule, effective
from farm.morphs.vocabulary import all_targets
from farm.poses import NEUTRAL, Partition, Sample, draw, pose_vector, rotation_matrix
from farm.spec import RENDERER_VERSION, RenderSpec, StyleName
from farm.storage import ObjectStore
from farm.worker.blender import Blender, Drawn
from farm.worker.png import encode

_AHEAD = 8
"""Shots that may wait for their encoding; more would only hold memory."""
MATRIX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Reporter:
    """How the renderer tells the outside what happens; every function may raise to stop the work."""

    images: Callable[[int], None]
    """Called with the number of images drawn so far."""
    stage: Callable[[str, float], None]
    """Called with the name of a stage and the seconds that it took."""
    drawn: Callable[[StyleName, Partition], None]
    """Called for every image."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """All shots of a job, and the sample behind each."""

    samples: list[Sample]
    shots: list[pipe.Shot]
    morphs: list[str]


def plan(job: Job, spec: RenderSpec, rules: Mapping[str, Rule]) -> _Plan:
    """What to draw for `job`: the basis image first, then every sample in every partition.

    `rules` are those of the model's inventory: a weight that they change is changed in the sample, so in its label too.
    """
    targets = sampled_targets(job.annotation)
    drawn = [draw(spec.seed, job.model, index, targets) for index in range(job.samples)]
    samples = [_as_shown(sample, job.annotation, rules) for sample in drawn] if rules else drawn
    shots = [_shot(NEUTRAL, Partition.FRONTAL, job.annotation)]
    shots += [_shot(sample, partition, job.annotation) for sample in samples for partition in spec.partitions]
    return _Plan(samples, shots, sorted({job.annotation[target.name] for target in targets}))


def _as_shown(sample: Sample, annotation: Mapping[str, str], rules: Mapping[str, Rule]) -> Sample:
    shown = effective({annotation[target]: weight for target, weight in sample.weights.items()}, rules)
    return replace(sample, weights={target: round(shown[annotation[target]], 6) for target in sample.weights})


def _shot(sample: Sample, partition: Partition, annotation: dict[str, str]) -> pipe.Shot:
    weights: dict[str, float] = {}
    for target, weight in sample.weights.items():
        source = annotation[target]
        weights[source] = weights.get(source, 0.0) + weight
    return pipe.Shot(
        sample=sample.index,
        partition=partition,
        weights=weights,
        rotation=sample.rotation_in(partition),
        light=sample.light,
    )


def render(job: Job, spec: RenderSpec, store: ObjectStore, blender: Blender, report: Reporter) -> tuple[str, ...]:
    """Draw `job` and store the result; the warnings that the manifest records.

    Raises ModelError or RenderError when the model is at fault, BlenderDiedError and ServiceError when it is not, and
    whatever a function of `report` raises.
    """
    with TemporaryDirectory(prefix="farm-render-") as folder, ExitStack() as stack:
        room = Path(folder)
        catalog = Catalog(store)
        started = time.perf_counter()
        character, textures = unfold(catalog.package(job.model), room / "package")
        inventory = catalog.inventory(job.model)
        report.stage("fetch", time.perf_counter() - started)
        todo = plan(job, spec, inventory.rules)
        request = pipe.Render(
            character=str(character),
            textures={index: str(path) for index, path in textures.items()},
            morphs=todo.morphs,
            canvas=spec.canvas,
            styles=list(spec.styles),
            size=spec.size,
            supersample=spec.supersample,
            shots=todo.shots,
        )
        warnings = list(inventory.warnings)
        surveys: list[pipe.Survey] = []

        def loaded(message: pipe.Loaded) -> None:
            warnings.extend(message.warnings)
            surveys.append(message.survey)
            report.stage("load", message.seconds)
            reasons = reasons_against(message.survey)
            if reasons and not spec.keep_unusable:
                raise UnusableModelError(" ".join(reasons) + " To render it all the same, ask for keep_unusable.")
            warnings.extend(reasons)

        packer = _Packer(job, spec, todo, room)
        stack.callback(packer.close)
        stream = blender.draw(request, loaded)
        try:
            for drawn, files in _encoded(stream, stack.enter_context(ThreadPoolExecutor(2)), report):
                packer.add(todo.shots[drawn.shot], drawn.pictures, files, report)
        except BaseException:
            blender.stop()  # it may still be drawing for an attempt that is over
            raise
        started = time.perf_counter()
        manifest = packer.finish(store, inventory, surveys[0], tuple(warnings))
        store.put(result_object(job.render_key, MANIFEST), manifest.to_bytes())
        report.stage("upload", time.perf_counter() - started)
        return manifest.warnings


def _encode_all(pictures: NDArray[np.uint8]) -> tuple[list[bytes], float]:
    started = time.perf_counter()
    return [encode(picture) for picture in pictures], time.perf_counter() - started


def _encoded(
    stream: Iterator[Drawn], pool: ThreadPoolExecutor, report: Reporter
) -> Iterator[tuple[Drawn, list[bytes]]]:
    """The shots of `stream` with their PNG files, in order; they are encoded while Blender draws the next ones."""
    waiting: list[tuple[Drawn, Future[tuple[list[bytes], float]]]] = []

    def next_one() -> tuple[Drawn, list[bytes]]:
        drawn, future = waiting.pop(0)
        files, seconds = future.result()
        report.stage("draw", drawn.seconds)
        report.stage("encode", seconds)
        return drawn, files

    for drawn in stream:
        waiting.append((drawn, pool.submit(_encode_all, drawn.pictures)))
        if len(waiting) > _AHEAD:
            yield next_one()
    while waiting:
        yield next_one()


class _Packer:
    """Sorts the pictures into shards, keeps what the manifest and the contact sheet need, and uploads it all."""

    def __init__(self, job: Job, spec: RenderSpec, todo: _Plan, room: Path) -> None:
        self._job, self._spec, self._todo = job, spec, todo
        self._targets = all_targets()
        self._shown = set(chosen_samples(job.samples))
        self._shards = {
            (style, partition): ShardWriter(room / shard_file(style, partition))
            for style in spec.styles
            for partition in spec.partitions
        }
        self._images: list[ImageRecord] = []
        self._basis: dict[StyleName, bytes] = {}
        self._pictures: dict[tuple[int, Partition, StyleName], NDArray[np.uint8]] = {}

    def close(self) -> None:
        for shard in self._shards.values():
            shard.close()

    def add(self, shot: pipe.Shot, pictures: NDArray[np.uint8], files: list[bytes], report: Reporter) -> None:
        """Take one shot: a picture and its PNG file for each style."""
        if shot.sample == NEUTRAL.index:
            self._basis = dict(zip(self._spec.styles, files, strict=True))
            return
        sample = self._todo.samples[shot.sample]
        pose = pose_vector(sample, self._targets, shot.partition)
        matrix = np.round(rotation_matrix(shot.rotation), MATRIX_DIGITS).tolist()
        for style, picture, data in zip(self._spec.styles, pictures, files, strict=True):
            record = ImageRecord(
                file=image_file(self._job.model, sample.index),
                sample=sample.index,
                style=style,
                partition=shot.partition,
                pose=pose,
                rotation=tuple(tuple(row) for row in matrix),
                light=sample.light,
                seed=self._spec.seed,
                sha256=hashlib.sha256(data).hexdigest(),
            )
            shard = self._shards[style, shot.partition]
            shard.add(record.file, data)
            shard.add(record.file.removesuffix(".png") + ".json", _label(record, self._job.model))
            self._images.append(record)
            if sample.index in self._shown:
                self._pictures[sample.index, shot.partition, style] = picture
            report.drawn(style, shot.partition)
        report.images(len(self._images))

    def finish(
        self, store: ObjectStore, inventory: Inventory, survey: pipe.Survey, warnings: tuple[str, ...]
    ) -> Manifest:
        """Upload everything but the manifest, and return the manifest."""
        job, spec = self._job, self._spec
        records = []
        for (style, partition), shard in self._shards.items():
            shard.close()
            store.put_file(result_object(job.render_key, shard.path.name), shard.path)
            records.append(
                ShardRecord(
                    file=shard.path.name,
                    style=style,
                    partition=partition,
                    images=shard.members // 2,
                    bytes=shard.path.stat().st_size,
                    sha256=sha256_of(shard.path),
                )
            )
        basis = []
        for style, data in self._basis.items():
            store.put(result_object(job.render_key, basis_file(style)), data)
            basis.append(BasisRecord(file=basis_file(style), style=style, sha256=hashlib.sha256(data).hexdigest()))
        shown = sorted(self._shown)
        sheet = contact_sheet(self._pictures, shown, spec.partitions, spec.styles)
        store.put(result_object(job.render_key, CONTACT_SHEET), sheet)
        return Manifest(
            renderer=RENDERER_VERSION,
            render_key=job.render_key,
            model=ModelRecord(
                id=job.model,
                format=inventory.format,
                title=inventory.title,
                comment=inventory.comment,
                licence=inventory.licence,
            ),
            annotation=job.annotation,
            target_morphs=len(sampled_targets(job.annotation)),
            spec=spec,
            samples=job.samples,
            survey=survey,
            warnings=warnings,
            shards=tuple(records),
            basis=tuple(basis),
            images=tuple(self._images),
        )


def _label(record: ImageRecord, model_id: str) -> bytes:
    """The JSON beside a picture in its shard."""
    return json.dumps(
        {
            "model": model_id,
            "sample": record.sample,
            "style": record.style,
            "partition": record.partition,
            "pose": record.pose,
            "rotation": record.rotation,
            "light": record.light,
            "seed": record.seed,
        }
    ).encode()
