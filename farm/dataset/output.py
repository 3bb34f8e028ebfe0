"""The folder that a person gets: results laid out as plain files, one folder a model.

DIR/poses.csv, poses.parquet                       a row for every image of every model (`farm.dataset.tables`)
DIR/index.html, index-2.html ...                   the contact sheets (`farm.dataset.gallery`)
DIR/failed.jsonl                                   the models that cannot be drawn (`farm.dataset.failures`)
DIR/<folder>/clip.mp4                              the preview of a clip
DIR/<folder>/manifest.json, contact-sheet.png      one folder a model, named <label>-<8 digits of its hash>
DIR/<folder>/basis/<style>.png                     the neutral face
DIR/<folder>/<style>/<partition>/<folder>_<sample>.png    several views: <folder>_<sample>_v<view>.png
DIR/<folder>/labels/<partition>/<folder>_<sample>.parts.png, .labels.npz, .marks.json      if asked for
"""

import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from farm.dataset.manifest import (
    CLIP_VIDEO,
    CONTACT_SHEET,
    MANIFEST,
    ImageRecord,
    LabelShardRecord,
    Manifest,
    read_manifest,
    view_suffix,
)
from farm.dataset.shards import read_shard, sha256_of
from farm.errors import StorageError
from farm.morphs.decision import DECISION_VERSION
from farm.morphs.provenance import NOBODYS
from farm.morphs.vocabulary import POSE_NAMES
from farm.spec import RENDERER_VERSION, RenderSpec
from farm.styles import STYLES

POSES = "poses.csv"
POSES_PARQUET = "poses.parquet"
LABELS = "labels"
POSE_COLUMNS = (*POSE_NAMES, *(f"rotation_{axis}" for axis in "xyz"))
"""Names of the 20 entries of the pose vector, in order."""
COLUMNS = (
    "model", "folder", "style", "partition", "sample", "file", "seed", "light", *POSE_COLUMNS,
    *(f"r{row}{column}" for row in range(3) for column in range(3)),
    "view", "yaw", "elevation", "background", "split", "org_id", "framing", "projection", "field_of_view",
)  # fmt: skip
"""Of the tables of poses, in order."""


@dataclass(frozen=True, slots=True)
class RenderedModel:
    """One model's folder."""

    folder: Path
    manifest: Manifest

    def image_path(self, image: ImageRecord) -> Path:
        """Where the picture stands."""
        stem = file_stem(self.folder, image.sample, view_suffix(self.manifest.spec, image.view))
        return self.folder / image.style / image.partition / f"{stem}.png"


def file_stem(folder: Path, sample: int, suffix: str) -> str:
    """What the names of a sample's pictures and labels begin with; `suffix` tells its views apart."""
    return f"{folder.name}_{sample:05d}{suffix}"


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
    if manifest.contact_sheet is not None and sha256_of(model.folder / CONTACT_SHEET) != manifest.contact_sheet:
        raise StorageError(f"{CONTACT_SHEET} of model {label} is not what its manifest says; retry.")
    if manifest.clip is not None and manifest.clip.video_sha256:
        fetch(CLIP_VIDEO, model.folder / CLIP_VIDEO)
        if sha256_of(model.folder / CLIP_VIDEO) != manifest.clip.video_sha256:
            raise StorageError(f"{CLIP_VIDEO} of model {label} is not what its manifest says; retry.")
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
    with replacing(model.folder / MANIFEST) as path:
        path.write_bytes(manifest.to_bytes())
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
    for name in (CONTACT_SHEET, CLIP_VIDEO):
        (folder / name).unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place to write the file `path` anew: it is whole or as it was before, whenever the process is killed.

    What a hard link shares with the old file keeps its bytes.
    """
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)  # a folder may come from elsewhere, with a link there
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def rendered_models(directory: Path) -> Iterator[RenderedModel]:
    """The rendered models under `directory`, by folder name, each read when it is asked for.

    Raises StorageError when there is none, and for a manifest that is none.
    """
    paths = sorted(directory.glob(f"*/{MANIFEST}"))
    if not paths:
        raise StorageError(
            f"{directory} holds no rendered models; make some with `farm render PATH --out {directory}`."
        )
    for path in paths:
        yield RenderedModel(path.parent, read_manifest(path.read_bytes(), str(path)))


def read_output(directory: Path) -> list[RenderedModel]:
    """The same as a list: for few models, as the manifests of thousands take gigabytes."""
    return list(rendered_models(directory))


def whole_result(folder: Path, wanted: Callable[[Manifest], bool]) -> RenderedModel | None:
    """The result in `folder` if it is `wanted` and every file stands there in its size; None otherwise."""
    try:
        model = RenderedModel(folder, read_manifest((folder / MANIFEST).read_bytes(), str(folder)))
    except (FileNotFoundError, NotADirectoryError, StorageError):
        return None
    manifest = model.manifest
    if not wanted(manifest) or not (folder / CONTACT_SHEET).is_file():
        return None
    video = manifest.clip is None or not manifest.clip.video_sha256 or (folder / CLIP_VIDEO).is_file()
    whole = (
        video
        and all((folder / "basis" / f"{basis.style}.png").is_file() for basis in manifest.basis)
        and all(_size(model.image_path(image)) == image.bytes for image in manifest.images)
        and all(len(list((folder / LABELS / s.partition).glob("*"))) == s.files for s in manifest.labels)
    )
    return model if whole else None


def _size(path: Path) -> int:
    """In bytes; -1 where there is no file."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return -1


class Shelf:
    """Which results stand in a folder, whatever their labels: found by the digits at the end of their folders' names."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._folders: dict[str, list[Path]] = {}
        for folder in sorted(out.iterdir()) if out.is_dir() else ():
            self.add(folder)

    def add(self, folder: Path) -> None:
        """A model was laid out there."""
        known = self._folders.setdefault(folder.name[-8:], [])
        if folder not in known:
            known.append(folder)

    def find(self, model_id: str, render_key: str) -> RenderedModel | None:
        """The whole result of this key; None where it is missing or any of it is."""
        return self._first(model_id, lambda manifest: manifest.render_key == render_key)

    def find_as(self, model_id: str, spec: RenderSpec) -> RenderedModel | None:
        """The same for what this version makes of a model of which nobody has said anything. The key needs not be known:
        what it hashes is compared, the decision on the model's morphs by its version.
        """

        def wanted(manifest: Manifest) -> bool:
            return (
                (manifest.model.id, manifest.spec, manifest.provenance) == (model_id, spec, NOBODYS)
                and (manifest.renderer, manifest.decided_by) == (RENDERER_VERSION, DECISION_VERSION)
            )  # fmt: skip

        return self._first(model_id, wanted)

    def _first(self, model_id: str, wanted: Callable[[Manifest], bool]) -> RenderedModel | None:
        found = (whole_result(folder, wanted) for folder in self._folders.get(model_id[:8], ()))
        return next((model for model in found if model is not None), None)
