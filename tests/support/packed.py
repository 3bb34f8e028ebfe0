"""Folders as ``farm render --out`` leaves them, made by the farm's own packing from pictures that nobody drew."""

import csv
import hashlib
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm import pipe
from farm.dataset.gallery import gallery
from farm.dataset.output import COLUMNS, POSE_COLUMNS, POSES, RenderedModel, unpack_result
from farm.dataset.reading import models_in
from farm.dataset.splits import split_of
from farm.drawing.assignment import Assignment
from farm.drawing.encoding import Encoded
from farm.drawing.label_files import label_files
from farm.drawing.packing import Packer
from farm.drawing.plan import plan
from farm.drawing.png import encode
from farm.joints import COCO_JOINTS, HUMANOID_JOINTS
from farm.labels import LabelName, Layer, Part
from farm.marks import CameraLabel, JointLabel, Joints, LandmarkLabel, Marks
from farm.models.inventory import Inventory
from farm.poses import NEUTRAL
from farm.spec import RenderSpec, render_key
from farm.storage import LocalStore
from tests.support.fixtures import GOOD_SURVEY

SPEC = RenderSpec(seed=5, samples=3, size=32, styles=("flat", "ink"))
_NAMES = (LabelName.PARTS, LabelName.DEPTH, LabelName.LANDMARKS, LabelName.LAYERS, LabelName.JOINTS)
LABELLED = SPEC.model_copy(update={"labels": _NAMES})
_TABLE = (*COLUMNS[: COLUMNS.index("background") + 1], "split")


def model_id(label: str) -> str:
    """A hash for a label."""
    return hashlib.sha256(label.encode()).hexdigest()


def write_model(out: Path, label: str, inventory: Inventory, spec: RenderSpec = SPEC) -> RenderedModel:
    """Lay a model out under `out`: pictures of a round head, each of its own colours, all else as the farm makes it."""
    annotation = inventory.annotation
    key = render_key(model_id(label), annotation, spec)
    assignment = Assignment(model_id(label), annotation, spec.samples_of(inventory.samples), key, spec)
    todo = plan(assignment, inventory.rules)
    loaded = pipe.Loaded(warnings=[], survey=GOOD_SURVEY, seconds=0)
    with TemporaryDirectory() as room:
        store = LocalStore(Path(room) / "store")
        with closing(Packer(assignment, todo, Path(room))) as packer:
            for number, shot in enumerate(todo.shots):
                packer.add(_drawn(label, number, shot, spec))
            manifest = packer.finish(store, inventory, loaded, ())

        def fetch(file: str, path: Path) -> None:
            path.write_bytes(store.get(f"renders/{key}/{file}"))

        return unpack_result(manifest, label, fetch, out)


def _drawn(label: str, number: int, shot: pipe.Shot, spec: RenderSpec) -> Encoded:
    files = tuple(encode(_head(f"{label} {number} {style}", spec.size)) for style in spec.styles)
    if shot.sample == NEUTRAL.index or not spec.labels:
        return Encoded(files, {}, None)
    return Encoded(files, label_files(*_labels(number, spec)), None)


def _head(text: str, side: int) -> NDArray[np.uint8]:
    colour = np.frombuffer(hashlib.sha256(text.encode()).digest()[:3], np.uint8)
    row, column = np.indices((side, side)) - side / 2
    picture = np.zeros((side, side, 4), np.uint8)
    picture[..., :3] = colour // 2 + np.indices((side, side)).sum(axis=0)[..., None]
    picture[..., 3] = 255
    picture[row**2 + column**2 > (0.45 * side) ** 2] = 0
    return picture


def _labels(number: int, spec: RenderSpec) -> tuple[dict[LabelName, NDArray[Any]], Marks]:
    row, column = np.indices((spec.size, spec.size))
    face = (abs(row - spec.size // 2) < 8) & (abs(column - spec.size // 2) < 8)
    parts = np.where(face, Part.FACE, Part.BACKGROUND).astype(np.uint8)
    parts[spec.size // 2 : spec.size // 2 + 2, spec.size // 2 - number % 4 : spec.size // 2 + 2] = Part.LIPS
    middle = LandmarkLabel(x=16, y=18, point=(0, 0, 1), visible=True)
    camera = CameraLabel(
        intrinsics=((1, 0, 0), (0, 1, 0), (0, 0, 1)),
        extrinsics=((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)),
        orthographic=False,
        rotation_pivot=(0, 0, 0),
    )
    marks = Marks(
        landmarks={"chin": middle},
        head_box=(8, 8, 24, 24),
        face_box=(9, 9, 23, 23),
        camera=camera,
        joints=_joints(parts) if LabelName.JOINTS in spec.labels else None,
    )
    arrays: dict[LabelName, NDArray[Any]] = {
        LabelName.PARTS: parts,
        LabelName.DEPTH: np.where(parts > 0, 1 + number / 64, 0).astype(np.float32),
        LabelName.LAYERS: np.where(parts > 0, Layer.SKIN, Layer.BACKGROUND).astype(np.uint8),
    }
    return {name: array for name, array in arrays.items() if name in spec.labels}, marks


def _joints(parts: NDArray[np.uint8]) -> Joints:
    rows, columns = np.nonzero(parts)
    absent = JointLabel(x=0, y=0, point=None, visibility=0)
    nose = JointLabel(x=16, y=17, point=(16, 17, 1), visibility=2)
    return Joints(
        box=(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1),
        coco=dict.fromkeys(COCO_JOINTS, absent) | {"nose": nose},
        humanoid=dict.fromkeys(HUMANOID_JOINTS, absent),
    )


def write_table(out: Path, splits: Mapping[str, str] | None = None) -> None:
    """``poses.csv`` for the models under `out`, as an earlier version had it, and the gallery.

    `splits` gives their sides by folder, their hashes where it does not.
    """
    with gallery(out) as add:
        for model in models_in(out):
            add(model)
    with (out / POSES).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_TABLE)
        for model in models_in(out):
            writer.writerows(
                _rows(model, out, (splits or {}).get(model.folder.name, split_of(model.manifest.model.id)))
            )


def _rows(model: RenderedModel, out: Path, split: str) -> Iterable[list[Any]]:
    for image in model.manifest.images:
        assert len(image.pose) == len(POSE_COLUMNS)
        yield [
            model.manifest.model.id, model.folder.name, image.style, image.partition, image.sample,
            model.image_path(image).relative_to(out).as_posix(), image.seed, image.light, *image.pose,
            *(value for row in image.rotation for value in row), image.view.index, image.view.yaw, image.view.elevation,
            image.background.id if image.background else "", split,
        ]  # fmt: skip


def with_licence(inventory: Inventory, **meta: str) -> Inventory:
    """The same model under another licence, as VRM's meta has it."""
    return inventory.model_copy(update={"licence": meta})


def rewritten(model: RenderedModel, **changes: Any) -> RenderedModel:
    """The model with another manifest, written into its folder."""
    changed = replace(model, manifest=model.manifest.model_copy(update=changes))
    (model.folder / "manifest.json").write_bytes(changed.manifest.to_bytes())
    return changed
