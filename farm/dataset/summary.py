"""What spans all models of a folder, made again from what stands there: the tables of poses and the gallery.

Every manifest is read once and let go, so memory does not grow with the number of models.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from farm.dataset.gallery import gallery
from farm.dataset.output import RenderedModel
from farm.dataset.tables import pose_tables


@dataclass(slots=True)
class Summary:
    """What a folder holds."""

    models: int = 0
    images: int = 0
    """Without the basis images."""


def summarise(models: Iterable[RenderedModel], out: Path, progress: Callable[[int], None] | None = None) -> Summary:
    """Write the tables and the gallery of `models`, which stand under `out` and come by folder name.

    `progress` is told how many models are done. Raises StorageError for a manifest that is none.
    """
    found = Summary()
    with pose_tables(out) as add_poses, gallery(out) as add_sheet:
        for model in models:
            add_poses(model)
            add_sheet(model)
            found.models += 1
            found.images += len(model.manifest.images)
            if progress is not None:
                progress(found.models)
    return found
