"""What a rendered folder holds, counted model by model: memory does not grow with the pictures."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from farm.dataset.manifest import Manifest
from farm.dataset.output import POSE_COLUMNS
from farm.licences.ledger import terms_in
from farm.licences.terms import Permission
from farm.morphs.vocabulary import POSE_ENTRIES, target_morphs
from farm.poses import LIGHT_RANGE, ROTATION_LIMIT, Partition

_BINS = 20


@dataclass(slots=True)
class Histogram:
    """Values counted in equal steps between two bounds; those beyond are counted in the outermost."""

    low: float
    high: float
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, np.int64))

    def add(self, values: Iterable[float]) -> None:
        """Count values; what is no number is left out."""
        array = np.asarray(list(values), np.float64)
        share = (array[np.isfinite(array)] - self.low) / (self.high - self.low)
        places = (share.clip(0, 1) * len(self.counts)).astype(np.int64).clip(0, len(self.counts) - 1)
        self.counts += np.bincount(places, minlength=len(self.counts))


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model of the report's table."""

    folder: str
    title: str
    format: str
    targets: int
    samples: int
    pictures: int


ANGLES = frozenset(POSE_COLUMNS[POSE_ENTRIES:])
"""Entries of the paper's poses that are degrees."""


def _pose_histograms() -> dict[str, Histogram]:
    weights = {name: Histogram(0, 1) for name in POSE_COLUMNS[:POSE_ENTRIES]}
    angles = {name: Histogram(-ROTATION_LIMIT, ROTATION_LIMIT) for name in POSE_COLUMNS[POSE_ENTRIES:]}
    return weights | angles


@dataclass(slots=True)
class Counts:
    """Sums over the models of a folder."""

    models: int = 0
    pictures: int = 0
    samples: int = 0
    lines: list[ModelLine] = field(default_factory=list)
    samples_a_model: Counter[int] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    styles: Counter[str] = field(default_factory=Counter)
    renderers: Counter[int] = field(default_factory=Counter)
    models_with: Counter[str] = field(default_factory=Counter)
    """Models that can play a target."""
    poses: dict[str, Histogram] = field(default_factory=_pose_histograms)
    """Of each pose entry: weights over 0, and the angles of rotated pictures, each sample once."""
    still: Counter[str] = field(default_factory=Counter)
    """Samples in which a weight is 0."""
    light: Histogram = field(default_factory=lambda: Histogram(*LIGHT_RANGE))
    yaw: Histogram = field(default_factory=lambda: Histogram(-180, 180))
    elevation: Histogram = field(default_factory=lambda: Histogram(-90, 90))
    backgrounds: int = 0
    """Pictures over a background."""
    head_heights: Histogram = field(default_factory=lambda: Histogram(0, 1))
    """Shares of the frame, by the neutral picture."""
    head_boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    permissions: dict[str, Counter[str]] = field(
        default_factory=lambda: {permission.value: Counter() for permission in Permission}
    )
    licences: Counter[str] = field(default_factory=Counter)
    warned: int = 0
    """Models with warnings."""

    def add(self, folder: str, manifest: Manifest) -> None:
        """Count one model."""
        self.models += 1
        self.pictures += len(manifest.images)
        self.samples += manifest.samples
        self.samples_a_model[manifest.samples] += 1
        self.formats[manifest.model.format] += 1
        self.renderers[manifest.renderer] += 1
        self.warned += bool(manifest.warnings)
        self.styles.update(manifest.spec.styles)
        self.models_with.update(target.name for target in target_morphs() if target.name in manifest.annotation)
        self.lines.append(
            ModelLine(
                folder,
                manifest.model.title,
                manifest.model.format,
                manifest.target_morphs,
                manifest.samples,
                len(manifest.images),
            )
        )
        self._add_samples(manifest)
        left, top, right, bottom = manifest.survey.head_box
        if np.isfinite(manifest.survey.head_box).all():
            self.head_boxes.append((left, top, right, bottom))
        self.head_heights.add([bottom - top])
        terms = terms_in(manifest)
        for permission in Permission:
            self.permissions[permission][terms.answer(permission).answer] += 1
        self.licences[terms.licence.partition("?")[0][:80] or "none named"] += 1

    def _add_samples(self, manifest: Manifest) -> None:
        """Poses, lights and views: of one style, as all styles share them."""
        style = manifest.spec.styles[0]
        shown = [image for image in manifest.images if image.style == style]
        self.backgrounds += sum(image.background is not None for image in manifest.images)
        self.yaw.add(image.view.yaw for image in shown)
        self.elevation.add(image.view.elevation for image in shown)
        once = {(image.partition, image.sample): image for image in shown}
        poses: dict[int, Sequence[float]] = {}
        for (partition, sample), image in once.items():
            if partition is Partition.ROTATED or sample not in poses:
                poses[sample] = image.pose
        self.light.add({sample: image.light for (_, sample), image in once.items()}.values())
        bounds = dict(zip(manifest.spec.space.entries, manifest.spec.space.ranges, strict=True))
        rotated = Partition.ROTATED in manifest.spec.partitions
        for place, name in enumerate(POSE_COLUMNS if manifest.space is None else manifest.pose_names):
            values = [pose[place] for pose in poses.values() if place < len(pose)]
            if name not in self.poses:
                self.poses[name] = Histogram(*bounds.get(name, (0.0, 1.0)))
            if name not in ANGLES:
                self.still[name] += sum(value == 0 for value in values)
                self.poses[name].add(value for value in values if value != 0)
            elif rotated:
                self.poses[name].add(values)
