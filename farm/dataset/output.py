"""The folder that a person gets: results laid out as plain files.

DIR/poses.csv                                      a row for every image of every model
DIR/index.html                                     the contact sheets on one page
DIR/<folder>/manifest.json, contact-sheet.png      one folder a model, named <label>-<8 digits of its hash>
DIR/<folder>/basis/<style>.png                     the neutral face
DIR/<folder>/<style>/<partition>/<folder>_<sample>.png    several views: <folder>_<sample>_v<view>.png
DIR/<folder>/labels/<partition>/<folder>_<sample>.parts.png, .labels.npz, .marks.json      if asked for
"""

import csv
import fcntl
import html
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from farm.dataset.manifest import (
    CONTACT_SHEET,
    MANIFEST,
    ImageRecord,
    LabelShardRecord,
    Manifest,
    read_manifest,
    view_suffix,
)
from farm.dataset.shards import read_shard
from farm.errors import ConflictError, StorageError
from farm.morphs.vocabulary import POSE_NAMES
from farm.styles import STYLES

POSES = "poses.csv"
LABELS = "labels"
POSE_COLUMNS = (*POSE_NAMES, *(f"rotation_{axis}" for axis in "xyz"))
"""Names of the 20 entries of the pose vector, in order."""
COLUMNS = (
    "model", "folder", "style", "partition", "sample", "file", "seed", "light", *POSE_COLUMNS,
    *(f"r{row}{column}" for row in range(3) for column in range(3)),
    "view", "yaw", "elevation", "background",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RenderedModel:
    """One model's folder."""

    folder: Path
    manifest: Manifest

    def image_path(self, image: ImageRecord) -> Path:
        """Where the picture stands."""
        name = f"{self.folder.name}_{image.sample:05d}{view_suffix(self.manifest.spec, image.view)}.png"
        return self.folder / image.style / image.partition / name


def folder_name(label: str, model_id: str) -> str:
    """A name for a model's folder: safe on every file system, and unique through the model's hash."""
    plain = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFKC", label)).strip("-.") or "model"
    return f"{plain[:60]}-{model_id[:8]}"


def unpack_result(manifest: Manifest, label: str, fetch: Callable[[str, Path], None], out: Path) -> RenderedModel:
    """Lay one result out under `out`.

    `fetch(file, path)` brings a file of the result to a path. Raises StorageError when what comes is not what the
    manifest says. The manifest is written last: a folder with a manifest is whole.
    """
    model = RenderedModel(out / folder_name(label, manifest.model.id), manifest)
    _clear(model.folder)
    fetch(CONTACT_SHEET, model.folder / CONTACT_SHEET)
    (model.folder / "basis").mkdir(exist_ok=True)
    for basis in manifest.basis:
        fetch(basis.file, model.folder / "basis" / f"{basis.style}.png")
    for shard in manifest.shards:
        paths = {
            image.file: model.image_path(image)
            for image in manifest.images
            if (image.style, image.partition) == (shard.style, shard.partition)
        }
        (model.folder / shard.style / shard.partition).mkdir(parents=True, exist_ok=True)
        packed = model.folder / f".{shard.file}"
        fetch(shard.file, packed)
        written = 0
        for name, data in read_shard(packed):
            if name in paths:
                paths[name].write_bytes(data)
                written += 1
        packed.unlink()
        if written != shard.images:
            raise StorageError(f"Shard {shard.file} of model {label} holds {written} of {shard.images} images; retry.")
    for labels in manifest.labels:
        _unpack_labels(model, labels, fetch)
    (model.folder / MANIFEST).write_bytes(manifest.to_bytes())
    return model


def _unpack_labels(model: RenderedModel, shard: LabelShardRecord, fetch: Callable[[str, Path], None]) -> None:
    """Lay the label files of one partition out, named like the pictures that they belong to."""
    folder = model.folder / LABELS / shard.partition
    folder.mkdir(parents=True, exist_ok=True)
    packed = model.folder / f".{shard.file}"
    fetch(shard.file, packed)
    written = 0
    for name, data in read_shard(packed):
        rest = name.partition("_")[2]  # behind the model's hash: the sample, the view, what it is
        if not re.fullmatch(r"\d{5}(_v\d\d)?(\.[a-z]+)+", rest):
            raise StorageError(f"Shard {shard.file} holds a file {name!r} that is no label; retry.")
        (folder / f"{model.folder.name}_{rest}").write_bytes(data)
        written += 1
    packed.unlink()
    if written != shard.files:
        raise StorageError(f"Shard {shard.file} holds {written} of {shard.files} files; retry.")


def _clear(folder: Path) -> None:
    """Make the model's folder, or remove what an earlier run left in it, the manifest first.

    Files are removed and never overwritten: an export may share them, and has to keep its bytes.
    """
    (folder / MANIFEST).unlink(missing_ok=True)
    for name in ("basis", LABELS, *STYLES):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONTACT_SHEET).unlink(missing_ok=True)


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Make the folder `out` and keep it for this process. Raises ConflictError while another writes there."""
    out.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(f"Another farm is writing into {out}; wait for it, or name another folder.") from error
        yield
    finally:
        os.close(descriptor)


def read_output(directory: Path) -> list[RenderedModel]:
    """The rendered models under `directory`, by folder name. Raises StorageError when there is none."""
    models = []
    for path in sorted(directory.glob(f"*/{MANIFEST}")):
        models.append(RenderedModel(path.parent, read_manifest(path.read_bytes(), str(path))))
    if not models:
        raise StorageError(
            f"{directory} holds no rendered models; make some with `farm render PATH --out {directory}`."
        )
    return models


def write_poses(models: Sequence[RenderedModel], out: Path) -> Path:
    """Write ``poses.csv`` for all `models`, and return its path."""
    path = out / POSES
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for model in sorted(models, key=lambda m: m.folder.name):
            for image in model.manifest.images:
                writer.writerow(
                    [
                        model.manifest.model.id,
                        model.folder.name,
                        image.style,
                        image.partition,
                        image.sample,
                        model.image_path(image).relative_to(out).as_posix(),
                        image.seed,
                        image.light,
                        *image.pose,
                        *(value for row in image.rotation for value in row),
                        image.view.index,
                        image.view.yaw,
                        image.view.elevation,
                        image.background.id if image.background else "",
                    ]
                )
    return path


def write_gallery(models: Sequence[RenderedModel], out: Path) -> Path:
    """Write ``index.html``, a page with every model's contact sheet, and return its path."""
    cards = []
    for model in sorted(models, key=lambda m: m.folder.name):
        manifest, name = model.manifest, html.escape(model.folder.name)
        notes = "".join(f"<li>{html.escape(warning)}</li>" for warning in manifest.warnings)
        cards.append(
            f"<section><h2>{html.escape(manifest.model.title or model.folder.name)}</h2>"
            f"<p>{name} &middot; {html.escape(manifest.model.format)} &middot; {manifest.target_morphs} target morphs "
            f"&middot; {manifest.samples} samples &middot; {len(manifest.images)} images</p>"
            + (f"<ul>{notes}</ul>" if notes else "")
            + f'<a href="{name}/"><img src="{name}/{CONTACT_SHEET}" alt="Contact sheet of {name}"></a></section>'
        )
    path = out / "index.html"
    path.write_text(_PAGE.replace("CARDS", "\n".join(cards)), encoding="utf-8")
    return path


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Facefarm: rendered models</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1600px; padding: 0 1rem; color: #282c34; }
section { margin-bottom: 3rem; } h2 { margin-bottom: 0; } p { color: #667; margin-top: .2rem; }
img { max-width: 100%; border: 1px solid #dde; } li { color: #a50; }
</style></head><body><h1>Rendered models</h1>
CARDS
</body></html>
"""
