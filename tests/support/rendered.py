"""What ``farm render --out`` leaves, without Blender: small pictures of their own under real manifests with true hashes."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm.dataset.label_reading import LAYERS_SUFFIX
from farm.dataset.manifest import (
    MANIFEST,
    BasisRecord,
    ClipRecord,
    ImageRecord,
    LabelRecord,
    LabelShardRecord,
    Manifest,
    ModelRecord,
    image_file,
)
from farm.dataset.output import LABELS, RenderedModel, folder_name
from farm.labels import LabelName
from farm.morphs.vocabulary import all_targets
from farm.pipe import Survey, View
from farm.poses import Partition, draw, pose_vector, rotation_matrix
from farm.spec import RenderSpec
from tests.support.fixtures import GOOD_SURVEY

NEUTRAL = -1
SPEC = RenderSpec(styles=("default", "ink"))


def hash_of(label: str) -> str:
    """The model's hash."""
    return hashlib.sha256(label.encode()).hexdigest()


def survey_of(label: str) -> Survey:
    """A survey that no other label's model has."""
    return GOOD_SURVEY.model_copy(update={"head_vertices": 1000 + int(hash_of(label)[:6], 16)})


def pixels(label: str, style: str, partition: str, sample: int, size: int = 256) -> NDArray[np.uint8]:
    """A picture of its own for each argument list: straight alpha, RGB 0 where alpha is 0."""
    digest = hashlib.sha256(f"{label}/{style}/{partition}/{sample}".encode()).digest()
    shown = np.zeros((size, size, 4), np.uint8)
    cells = np.frombuffer(digest[:27], np.uint8).reshape(3, 3, 3)
    patch = np.kron(cells, np.ones((size // 6, size // 6, 1), np.uint8))
    side = patch.shape[0]
    shown[size // 4 : size // 4 + side, size // 4 : size // 4 + side, :3] = patch
    shown[size // 4 : size // 4 + side, size // 4 : size // 4 + side, 3] = 255
    shown[size // 4, size // 4 : size // 4 + side, 3] = 100  # a soft edge, not premultiplied
    return shown


def png(array: NDArray[np.uint8]) -> bytes:
    """The picture as a file."""
    with io.BytesIO() as out:
        Image.fromarray(array).save(out, "PNG", compress_level=1)
        return out.getvalue()


def render(
    source: Path, label: str, spec: RenderSpec = SPEC, samples: int = 3, survey: Survey | None = None, face: str = ""
) -> RenderedModel:
    """Leave one model in the folder `source`; `face` is the label whose neutral pictures it has."""
    model_id, targets = hash_of(label), {name: t for name, t in all_targets().items() if t.sampled}
    folder = source / folder_name(label, model_id)
    images, basis, listed = [], [], []
    several = spec.camera.views > 1
    for style in spec.styles:
        data = png(pixels(face or label, style, "basis", NEUTRAL, spec.size))
        _write(folder / "basis" / f"{style}.png", data)
        basis.append(BasisRecord(file=f"basis-{style}.png", style=style, sha256=hashlib.sha256(data).hexdigest()))
    for partition in spec.partitions:
        for index in range(samples):
            for view in range(spec.camera.views):
                suffix = f"_v{view:02d}" if several else ""
                sample = draw(spec.seed, model_id, index, tuple(targets.values()))
                for style in spec.styles:
                    data = png(pixels(label, style, f"{partition}{suffix}", index, spec.size))
                    _write(folder / style / partition / f"{folder.name}_{index:05d}{suffix}.png", data)
                    images.append(
                        ImageRecord(
                            file=image_file(model_id, index, suffix),
                            offset=512,
                            bytes=len(data),
                            sample=index,
                            style=style,
                            partition=partition,
                            pose=pose_vector(sample, targets, partition),
                            rotation=tuple(map(tuple, rotation_matrix(sample.rotation_in(partition)).tolist())),
                            light=sample.light,
                            view=View(index=view, yaw=float(view), elevation=0.0),
                            seed=spec.seed,
                            sha256=hashlib.sha256(data).hexdigest(),
                        )
                    )
                if spec.labels:
                    for ending, data in label_files(label, partition, index, spec.size).items():
                        if ending == LAYERS_SUFFIX and LabelName.LAYERS not in spec.labels:
                            continue
                        _write(folder / LABELS / partition / f"{folder.name}_{index:05d}{suffix}{ending}", data)
                        listed.append(
                            LabelRecord(
                                file=image_file(model_id, index, suffix).removesuffix(".png") + ending,
                                offset=512,
                                bytes=len(data),
                                sample=index,
                                partition=partition,
                                view=view,
                                sha256=hashlib.sha256(data).hexdigest(),
                            )
                        )
    labels = [
        LabelShardRecord(file=f"labels-{p}.tar", partition=p, files=len(listed) // 2, bytes=9999, sha256="0" * 64)
        for p in (spec.partitions if spec.labels else ())
    ]
    manifest = Manifest(
        clip=ClipRecord(format="VMD 0002", seconds=samples / 30, moved=1) if spec.motion else None,
        renderer=1,
        render_key=hash_of(f"render {label}"),
        model=ModelRecord(id=model_id, format="pmx", title=label, comment="", licence={"licenseName": "CC0"}),
        annotation={},
        target_morphs=len(targets),
        spec=spec,
        samples=samples,
        survey=survey or survey_of(label),
        warnings=(),
        shards=(),
        labels=tuple(labels),
        basis=tuple(basis),
        images=tuple(images),
        label_files=tuple(listed),
    )
    (folder / MANIFEST).write_bytes(manifest.to_bytes())
    return RenderedModel(folder, manifest)


def label_files(label: str, partition: Partition, sample: int, size: int) -> dict[str, bytes]:
    """Label files by suffix; not what a camera would see, but of the right form."""
    parts = Image.fromarray(np.full((size, size), sample % 12, np.uint8), "L").convert("P")
    layers = Image.fromarray(np.full((size, size), sample % 6, np.uint8), "L").convert("P")
    with io.BytesIO() as out, io.BytesIO() as others, io.BytesIO() as arrays:
        parts.save(out, "PNG")
        layers.save(others, "PNG")
        np.savez_compressed(arrays, depth=np.full((size, size), sample, np.float32))
        marks = json.dumps({"of": f"{label}/{partition}/{sample}"}).encode()
        pictures = {".parts.png": out.getvalue(), LAYERS_SUFFIX: others.getvalue()}
        return {**pictures, ".labels.npz": arrays.getvalue(), ".marks.json": marks}


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def tree(root: Path) -> dict[str, bytes]:
    """All files below `root`, by their path there."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
