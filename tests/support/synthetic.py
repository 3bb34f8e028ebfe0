"""Folders of results that were never drawn: manifests with every row, and no pictures."""

import hashlib
from pathlib import Path

from farm.dataset.manifest import MANIFEST, ImageRecord, Manifest, ModelRecord, image_file
from farm.dataset.output import folder_name
from farm.morphs.vocabulary import all_targets
from farm.poses import draw, pose_vector, rotation_matrix
from farm.spec import RenderSpec
from tests.support.fixtures import GOOD_SURVEY


def synthetic_manifest(label: str, samples: int, spec: RenderSpec | None = None) -> Manifest:
    """A manifest of `samples` samples as a render would have it, its hash made from the label."""
    spec = spec or RenderSpec()
    model, targets = hashlib.sha256(label.encode()).hexdigest(), {n: t for n, t in all_targets().items() if t.sampled}
    drawn = [draw(spec.seed, model, index, tuple(targets.values())) for index in range(samples)]
    images = [
        ImageRecord(
            file=image_file(model, sample.index),
            offset=512,
            bytes=1,
            sample=sample.index,
            style=style,
            partition=partition,
            pose=pose_vector(sample, targets, partition),
            rotation=tuple(map(tuple, rotation_matrix(sample.rotation_in(partition)).tolist())),
            light=sample.light,
            seed=spec.seed,
            sha256="0" * 64,
        )
        for style in spec.styles
        for partition in spec.partitions
        for sample in drawn
    ]
    return Manifest(
        renderer=1,
        render_key=hashlib.sha256(f"key of {label}".encode()).hexdigest(),
        model=ModelRecord(id=model, format="PMX 2.0", title=label, comment="", licence={}),
        annotation={},
        target_morphs=len(targets),
        spec=spec,
        samples=samples,
        survey=GOOD_SURVEY,
        warnings=(f"A remark on {label} <b>.",),
        shards=(),
        basis=(),
        images=tuple(images),
    )


def write_synthetic(out: Path, count: int, samples: int) -> None:
    """Manifests of so many models under `out`, as a render leaves them, but that all have the poses of the first."""
    first = synthetic_manifest("model 0000", samples)
    text = first.to_bytes().decode()
    for number in range(count):
        label = f"model {number:04d}"
        model = hashlib.sha256(label.encode()).hexdigest()
        folder = out / folder_name(label, model)
        folder.mkdir(parents=True)
        renamed = text.replace(first.model.id, model).replace(first.model.id[:16], model[:16])
        (folder / MANIFEST).write_text(renamed.replace(first.model.title, label), "utf-8")
