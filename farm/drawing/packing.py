"""Sorts what was drawn into shards, keeps what the manifest and the contact sheet need, and uploads it all."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from farm import __version__, pipe
from farm.dataset.clip_video import ClipVideo
from farm.dataset.contact_sheet import ContactSheet, chosen_samples
from farm.dataset.label_pictures import label_pictures
from farm.dataset.manifest import (
    CLIP_VIDEO,
    CONTACT_SHEET,
    BasisRecord,
    ClipRecord,
    ImageRecord,
    LabelRecord,
    LabelShardRecord,
    MadeWith,
    Manifest,
    ModelRecord,
    ShardRecord,
    SpaceRecord,
    basis_file,
    image_file,
    label_shard_file,
    result_object,
    shard_file,
    view_suffix,
)
from farm.dataset.shards import ShardWriter, sha256_of
from farm.drawing.assignment import Assignment
from farm.drawing.encoding import Encoded, decode, decode_labels
from farm.drawing.plan import Plan
from farm.drawing.png import encode
from farm.models.inventory import Inventory
from farm.morphs.annotation import sampled_targets
from farm.morphs.columns import extra_columns
from farm.morphs.vocabulary import all_targets
from farm.poses import NEUTRAL, head_matrix, pose_vector, vector_in
from farm.spaces.space import DEFAULT
from farm.spec import RENDERER_VERSION, RenderSpec, StyleName
from farm.storage import ObjectStore

MATRIX_DIGITS = 9
_UPLOADS = 8
"""Files on their way at a time: each waits for the store's disk much longer than it takes to send."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """Where the files of a shot stand."""

    images: tuple[ImageRecord, ...]
    """One a style; none for the basis image."""
    labels: dict[str, LabelRecord]
    """By suffix."""


class Packer:
    """Sorts the pictures into shards, keeps what the manifest needs, and uploads it all.

    Shots are taken in the order of the plan. The shards are the only copy of the files: `shot` reads them back.
    """

    def __init__(self, assignment: Assignment, todo: Plan, room: Path) -> None:
        self._assignment = assignment
        self._spec = spec = assignment.spec
        self._targets = all_targets()
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
        self._open = ExitStack()
        for shard in (*self._shards.values(), *self._label_shards.values()):
            self._open.callback(shard.close)
        self._room = room
        self._video: ClipVideo | None = None
        self._basis: dict[StyleName, bytes] = {}
        self._taken: list[_Taken] = []
        self.images = 0
        """How many images it has, without the basis images."""
        self.follow(todo)

    def follow(self, todo: Plan) -> None:
        """Take the shots of this plan, and of no earlier one. Before the first is taken only."""
        self.todo = todo
        rows = chosen_samples(len(todo.samples))
        self._sheet = ContactSheet(rows, self._spec.partitions, [*self._spec.styles, *self._spec.labels])

    @property
    def taken(self) -> int:
        """How many shots it has: those before this number in the plan."""
        return len(self._taken)

    def close(self) -> None:
        """Let go of the files."""
        self._open.close()

    def add(self, encoded: Encoded) -> None:
        """Take the next shot of the plan."""
        shot = self.todo.shots[self.taken]
        if shot.sample == NEUTRAL.index:
            self._basis = dict(zip(self._spec.styles, encoded.files, strict=True))
            self._taken.append(_Taken((), {}))
            return
        sample = self.todo.samples[shot.sample]
        space = self._spec.space
        if space.name == DEFAULT:
            pose = pose_vector(sample, self._targets, shot.partition, self._spec.extended)
        else:
            pose = vector_in(space, sample, shot.partition)
        matrix = np.round(head_matrix(space, sample, shot.partition), MATRIX_DIGITS).tolist()
        key = image_file(self._assignment.model, shot.sample, view_suffix(self._spec, shot.view)).removesuffix(".png")
        images = []
        for style, data in zip(self._spec.styles, encoded.files, strict=True):
            shard = self._shards[style, shot.partition]
            record = ImageRecord(
                file=f"{key}.png",
                offset=shard.add(f"{key}.png", data),
                bytes=len(data),
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
            shard.add(f"{key}.json", _label(record, self._assignment.model))
            images.append(record)
        labels = {
            suffix: LabelRecord(
                file=key + suffix,
                offset=self._label_shards[shot.partition].add(key + suffix, data),
                bytes=len(data),
                sample=sample.index,
                partition=shot.partition,
                view=shot.view.index,
                sha256=hashlib.sha256(data).hexdigest(),
            )
            for suffix, data in encoded.labels.items()
        }
        # Of a sample that wears something the sheet and the preview of a clip show that.
        looked_at = shot.view.index == (1 if self._spec.occluders else 0)
        if self._spec.motion is not None and looked_at:
            self._grow_video(decode(encoded.files[0]), self._spec.motion.rate)
        if self._sheet.shows(shot.sample) and looked_at:
            # From the files as they are stored, so that a resumed render gives the same sheet.
            pictures = [decode(data) for data in encoded.files]
            looks = label_pictures(*decode_labels(encoded.labels), pictures[0])
            self._sheet.put(shot.sample, shot.partition, looks | dict(zip(self._spec.styles, pictures, strict=True)))
        self._taken.append(_Taken(tuple(images), labels))
        self.images += len(images)

    def _grow_video(self, picture: NDArray[np.uint8], rate: float) -> None:
        """Frames come in their order, from checkpoints as well: a resumed render makes the same file."""
        if self._video is None:
            self._video = ClipVideo(self._room / CLIP_VIDEO, self._spec.size, rate)
            self._open.callback(self._video.close)
        self._video.add(picture)

    def shot(self, number: int) -> Encoded:
        """A shot that was taken, as it came. May be called from another thread, and not after `finish` or `close`."""
        taken = self._taken[number]
        if not taken.images:
            return Encoded(tuple(self._basis.values()), {}, None)
        partition = self.todo.shots[number].partition
        return Encoded(
            files=tuple(self._shards[image.style, partition].read(image.offset, image.bytes) for image in taken.images),
            labels={
                suffix: self._label_shards[partition].read(label.offset, label.bytes)
                for suffix, label in taken.labels.items()
            },
            background=taken.images[0].background,
        )

    def finish(
        self, store: ObjectStore, inventory: Inventory, loaded: pipe.Loaded, warnings: tuple[str, ...]
    ) -> Manifest:
        """Upload everything but the manifest, and return the manifest."""
        assignment = self._assignment
        self._open.close()
        with ThreadPoolExecutor(_UPLOADS) as pool:
            sent = [
                pool.submit(store.put_file, result_object(assignment.render_key, shard.path.name), shard.path)
                for shard in (*self._shards.values(), *self._label_shards.values())
            ]
            if self._video is not None:
                sent.append(
                    pool.submit(store.put_file, result_object(assignment.render_key, CLIP_VIDEO), self._video.path)
                )
            small = {basis_file(style): data for style, data in self._basis.items()}
            small[CONTACT_SHEET] = sheet = encode(self._sheet.pixels())
            sent += [
                pool.submit(store.put, result_object(assignment.render_key, file), data) for file, data in small.items()
            ]
            records = [
                ShardRecord(
                    file=shard.path.name,
                    style=style,
                    partition=partition,
                    images=shard.members // 2,
                    bytes=shard.path.stat().st_size,
                    sha256=sha256_of(shard.path),
                )
                for (style, partition), shard in self._shards.items()
            ]
            label_records = [
                LabelShardRecord(
                    file=shard.path.name,
                    partition=partition,
                    files=shard.members,
                    bytes=shard.path.stat().st_size,
                    sha256=sha256_of(shard.path),
                )
                for partition, shard in self._label_shards.items()
            ]
        for each in sent:
            each.result()
        basis = [
            BasisRecord(file=basis_file(style), style=style, sha256=hashlib.sha256(data).hexdigest())
            for style, data in self._basis.items()
        ]
        return Manifest(
            renderer=RENDERER_VERSION,
            render_key=assignment.render_key,
            model=ModelRecord(
                id=assignment.model,
                format=inventory.format,
                title=inventory.title,
                title_en=inventory.title_en,
                creator=inventory.creator,
                comment=inventory.comment,
                comment_en=inventory.comment_en,
                licence=inventory.licence,
                notices=tuple(inventory.notices),
            ),
            made_with=MadeWith(facefarm=__version__, blender=loaded.blender),
            annotation=self.todo.annotation,
            decided_by=inventory.decided_by,
            provenance=assignment.provenance,
            ordered=assignment.annotation if self.todo.replaced and assignment.ordered is None else assignment.ordered,
            unseen=self.todo.unseen,
            unworn=self.todo.unworn,
            combinations=self.todo.combinations,
            extra_columns=extra_columns(assignment.spec.extended),
            clip=_clip_record(loaded.clip, self._video),
            space=_space_record(assignment.spec, self.todo),
            rules={index: rule for index, rule in inventory.rules.items() if index in self.todo.morphs},
            target_morphs=len(sampled_targets(self.todo.annotation)),
            spec=assignment.spec,
            samples=len(self.todo.samples),
            survey=loaded.survey,
            contact_sheet=hashlib.sha256(sheet).hexdigest(),
            part_rules=loaded.part_rules,
            warnings=warnings,
            shards=tuple(records),
            labels=tuple(label_records),
            basis=tuple(basis),
            images=tuple(image for taken in self._taken for image in taken.images),
            label_files=tuple(label for taken in self._taken for label in taken.labels.values()),
        )


def _space_record(spec: RenderSpec, todo: Plan) -> SpaceRecord | None:
    space = spec.space
    if space.name == DEFAULT:
        return None
    return SpaceRecord(
        name=space.name, digest=space.digest, entries=space.entries, mask=space.mask(todo.cast), cast=todo.cast
    )


def _clip_record(clip: pipe.ClipFound | None, video: ClipVideo | None) -> ClipRecord | None:
    if clip is None:
        return None
    return ClipRecord(
        format=clip.format,
        seconds=clip.seconds,
        moved=clip.moved,
        absent_bones=tuple(clip.absent_bones),
        absent_morphs=tuple(clip.absent_morphs),
        video_sha256=sha256_of(video.path) if video is not None else None,
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
