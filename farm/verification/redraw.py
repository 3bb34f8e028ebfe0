"""Draws a share of the models again and compares: the same renderer gives the same bytes, another one the same look."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from farm.backgrounds import find_pictures, normalise
from farm.catalog import Catalog
from farm.dataset.manifest import CLIP_VIDEO, MANIFEST, ImageRecord, Manifest
from farm.dataset.output import RenderedModel, folder_name, unpack_result
from farm.dataset.reading import model_folders, read_model_folder
from farm.dataset.similarity import ssim
from farm.drawing.blender import Blender
from farm.drawing.render import Reporter, render
from farm.errors import FarmError, StorageError
from farm.models.incoming import open_models
from farm.models.package import Package
from farm.poses import uniform
from farm.reading.readers import Readers
from farm.spec import RENDERER_VERSION
from farm.storage import LocalStore
from farm.verification.derivation import assignment_of
from farm.verification.findings import Fault, Finding, FindingList
from farm.verification.pictures import decoded

MIN_SSIM = 0.95
"""Of two pictures of one pose by different versions: other rounding gives 0.99 and more, another pose 0.9 at most."""
_SEED = 0


def chosen_models(directory: Path, share: float) -> list[Path]:
    """The folders of the models that are drawn again: that share of them, by their names, and one at least."""
    folders = [folder for folder in model_folders(directory) if (folder / MANIFEST).is_file()]
    by_lot = sorted(folders, key=lambda folder: uniform(_SEED, folder.name, 0, "redraw"))
    return sorted(by_lot[: max(1, round(share * len(folders)))]) if share > 0 else []


def redraw(
    folders: Iterable[Path],
    models: Mapping[Path, Path],
    backgrounds: Path | None,
    motion: Path | None,
    on_picture: Callable[[], None],
    on_model: Callable[[Path], None],
) -> Iterator[Finding]:
    """Draw the models of `folders` again and say what differs.

    `models` are files among which theirs are looked for, by content, with the folders in which their textures may stand;
    `backgrounds` is the folder of pictures that was composed over, `motion` the file of clips. A model whose file is not
    among them is a finding.
    """
    blender = Blender()
    try:
        for folder in folders:
            findings = FindingList(folder.name)
            with TemporaryDirectory(prefix="farm-redraw-") as room:
                try:
                    _one(
                        read_model_folder(folder),
                        models,
                        backgrounds,
                        motion,
                        Path(room),
                        blender,
                        on_picture,
                        findings,
                    )
                except FarmError as error:
                    findings.add(Fault.REDRAW, "", f"It cannot be drawn again: {error}")
            yield from findings.all()
            on_model(folder)
    finally:
        blender.stop()


def _one(
    before: RenderedModel,
    models: Mapping[Path, Path],
    backgrounds: Path | None,
    motion: Path | None,
    room: Path,
    blender: Blender,
    on_picture: Callable[[], None],
    findings: FindingList,
) -> None:
    manifest = before.manifest
    package = _package(before, models)
    store = LocalStore(room / "store")
    catalog = Catalog(store)
    catalog.add(package)
    if manifest.spec.backgrounds:
        if backgrounds is None:
            raise StorageError("it was composed over backgrounds: name their folder with --backgrounds.")
        for path in find_pictures(backgrounds):
            catalog.add_background(normalise(path.read_bytes(), path.name))
    if manifest.spec.motion is not None:
        if motion is None:
            raise StorageError("it is a clip: name its motion's file with --motion.")
        with closing(Readers(1)) as readers, readers.motion(motion.name, [motion.read_bytes()]) as found:
            if found.about.id != manifest.spec.motion.id:
                raise StorageError(f"{motion.name} is not the motion of the clip, {manifest.spec.motion.id[:8]}.")
            catalog.add_motion(found.about, found.file)
    quiet = Reporter(
        images=lambda count: None,
        stage=lambda name, seconds: None,
        drawn=lambda style, partition: on_picture(),
    )
    now = render(assignment_of(manifest), store, blender, quiet)
    _compare_labels(manifest, now, findings)
    if manifest.renderer == RENDERER_VERSION and manifest.clip != now.clip:
        findings.add(Fault.REDRAW, CLIP_VIDEO, "Drawn again, the clip or its preview is another one.")

    def fetch(file: str, path: Path) -> None:
        path.write_bytes(store.get(f"renders/{manifest.render_key}/{file}"))

    again = unpack_result(now, "again", fetch, room / "out")
    with ThreadPoolExecutor(2) as pool:
        for where, sentence in pool.map(lambda pair: _difference(before, again, *pair), _pairs(manifest, now)):
            if sentence:
                findings.add(Fault.REDRAW, where, sentence)


def _package(model: RenderedModel, models: Mapping[Path, Path]) -> Package:
    """The model's file, by its content. Those named as the folder is are read first. Raises StorageError."""
    wanted, name = model.manifest.model.id, model.folder.name

    def unlike(path: Path) -> bool:
        return name not in (folder_name(path.stem, wanted), folder_name(path.name, wanted))

    for path in sorted(models, key=unlike):
        try:
            for opened in open_models(path, models[path]):
                if not isinstance(opened.files, FarmError) and opened.files.id == wanted:
                    return opened.files.package()
        except FarmError:
            continue  # no model of ours came of it
    raise StorageError(f"none of the model files that were named with --models is model {wanted[:8]}.")


def _pairs(before: Manifest, now: Manifest) -> Iterator[tuple[ImageRecord, ImageRecord | None]]:
    def place(image: ImageRecord) -> tuple[str, str, int, int]:
        return image.style, image.partition, image.sample, image.view.index

    drawn = {place(image): image for image in now.images}
    return ((image, drawn.get(place(image))) for image in before.images)


def _difference(
    before: RenderedModel, again: RenderedModel, old: ImageRecord, new: ImageRecord | None
) -> tuple[str, str]:
    """Where a picture stands and what is wrong with it; nothing if it looks as it did."""
    path = before.image_path(old)
    where = path.relative_to(before.folder).as_posix()
    if new is None:
        return where, "Drawn again, the model has no such picture."
    same_version = before.manifest.renderer == RENDERER_VERSION
    if same_version and old.sha256 == new.sha256:
        return where, ""
    try:
        side = before.manifest.spec.size
        likeness = ssim(_rgba(path, side), _rgba(again.image_path(new), side))
    except StorageError as error:
        return where, f"Drawn again, it cannot be compared: {error}"
    if same_version:
        return where, f"Drawn again by the same renderer, its bytes differ (SSIM {likeness:.4f})."
    if likeness < MIN_SSIM:
        versions = f"{before.manifest.renderer} and {RENDERER_VERSION}"
        return where, f"Drawn again it looks otherwise: SSIM {likeness:.4f} between renderers {versions}."
    return where, ""


def _rgba(path: Path, side: int) -> NDArray[np.uint8]:
    pixels = decoded(path, side)
    return pixels if pixels.shape[2] == 4 else np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


def _compare_labels(before: Manifest, now: Manifest, findings: FindingList) -> None:
    if before.renderer != RENDERER_VERSION:
        return
    drawn = {shard.partition: shard.sha256 for shard in now.labels}
    for shard in before.labels:
        if drawn.get(shard.partition) != shard.sha256:
            findings.add(Fault.REDRAW, f"labels/{shard.partition}", "Drawn again, the labels differ.")
