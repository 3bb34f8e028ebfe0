"""Sorts what was drawn into shards, keeps what the manifest and the contact sheet need, and uploads it all."""

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from farm import pipe
from farm.dataset.contact_sheet import chosen_samples, contact_sheet
from farm.dataset.label_pictures import label_pictures
from farm.dataset.manifest import (
    CONTACT_SHEET,
    BasisRecord,
    ImageRecord,
    LabelShardRecord,
    Manifest,
    ModelRecord,
    ShardRecord,
    basis_file,
    image_file,
    label_shard_file,
    result_object,
    shard_file,
    view_suffix,
)
from farm.dataset.shards import ShardWriter, sha256_of
from farm.jobs.states import Job
from farm.models.inventory import Inventory
from farm.morphs.annotation import sampled_targets
from farm.morphs.vocabulary import all_targets
from farm.poses import NEUTRAL, Partition, pose_vector, rotation_matrix
from farm.spec import RENDERER_VERSION, RenderSpec, StyleName
from farm.storage import ObjectStore
from farm.worker.encoding import Encoded
from farm.worker.plan import Plan

MATRIX_DIGITS = 9


class Packer:
    """Sorts the pictures into shards, keeps what the manifest and the contact sheet need, and uploads it all."""

    def __init__(self, job: Job, spec: RenderSpec, todo: Plan, room: Path) -> None:
        self._job, self._spec, self._todo = job, spec, todo
        self._targets = all_targets()
        self._shown = set(chosen_samples(job.samples))
        self._shards = {
            (style, partition): ShardWriter(room / shard_file(style, partition))
            for style in spec.styles
            for partition in spec.partitions
        }
        self._label_shards = (
            {partition: ShardWriter(room / label_shard_file(partition)) for partition in spec.partitions}
            if spec.labels
            else {}
        )
        self._images: list[ImageRecord] = []
        self._basis: dict[StyleName, bytes] = {}
        self._pictures: dict[tuple[int, Partition, str], NDArray[np.uint8]] = {}

    def close(self) -> None:
        """Let go of the files."""
        for shard in (*self._shards.values(), *self._label_shards.values()):
            shard.close()

    def add(self, shot: pipe.Shot, encoded: Encoded) -> None:
        """Take one shot."""
        if shot.sample == NEUTRAL.index:
            self._basis = dict(zip(self._spec.styles, encoded.files, strict=True))
            return
        sample = self._todo.samples[shot.sample]
        pose = pose_vector(sample, self._targets, shot.partition)
        matrix = np.round(rotation_matrix(shot.rotation), MATRIX_DIGITS).tolist()
        for style, picture, data in zip(self._spec.styles, encoded.drawn.pictures, encoded.files, strict=True):
            record = ImageRecord(
                file=image_file(self._job.model, sample.index, view_suffix(self._spec, shot.view)),
                sample=sample.index,
                style=style,
                partition=shot.partition,
                pose=pose,
                rotation=tuple(tuple(row) for row in matrix),
                light=sample.light,
                view=shot.view,
                background=encoded.background,
                seed=self._spec.seed,
                sha256=hashlib.sha256(data).hexdigest(),
            )
            shard = self._shards[style, shot.partition]
            shard.add(record.file, data)
            shard.add(record.file.removesuffix(".png") + ".json", _label(record, self._job.model))
            self._images.append(record)
            if sample.index in self._shown and shot.view.index == 0:
                self._pictures[sample.index, shot.partition, style] = picture
        self._add_labels(shot, encoded)

    def _add_labels(self, shot: pipe.Shot, encoded: Encoded) -> None:
        key = image_file(self._job.model, shot.sample, view_suffix(self._spec, shot.view)).removesuffix(".png")
        for suffix, data in encoded.labels.items():
            self._label_shards[shot.partition].add(key + suffix, data)
        if shot.sample in self._shown and shot.view.index == 0:
            drawn = encoded.drawn
            for name, picture in label_pictures(drawn.labels, drawn.marks, drawn.pictures[0]).items():
                self._pictures[shot.sample, shot.partition, name] = picture

    def finish(
        self, store: ObjectStore, inventory: Inventory, loaded: pipe.Loaded, warnings: tuple[str, ...]
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
        label_records = []
        for partition, shard in self._label_shards.items():
            shard.close()
            store.put_file(result_object(job.render_key, shard.path.name), shard.path)
            label_records.append(
                LabelShardRecord(
                    file=shard.path.name,
                    partition=partition,
                    files=shard.members,
                    bytes=shard.path.stat().st_size,
                    sha256=sha256_of(shard.path),
                )
            )
        basis = []
        for style, data in self._basis.items():
            store.put(result_object(job.render_key, basis_file(style)), data)
            basis.append(BasisRecord(file=basis_file(style), style=style, sha256=hashlib.sha256(data).hexdigest()))
        shown = sorted(self._shown)
        columns = [*spec.styles, *(name for name in spec.labels)]
        sheet = contact_sheet(self._pictures, shown, spec.partitions, columns)
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
            survey=loaded.survey,
            part_rules=loaded.part_rules,
            warnings=warnings,
            shards=tuple(records),
            labels=tuple(label_records),
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
            "view": record.view.model_dump(),
            "background": record.background and record.background.model_dump(),
            "seed": record.seed,
        }
    ).encode()
