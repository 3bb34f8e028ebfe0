"""What rendered folders hold, as data sets ask for it: rows by side of the split, partition and what there is of them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from farm.dataset.label_reading import PARTS_SUFFIX
from farm.dataset.manifest import MANIFEST
from farm.dataset.reading import model_folders, read_model_folder
from farm.dataset.splits import Split
from farm.errors import SpecError, StorageError
from farm.exports.duplicates import near_duplicates
from farm.exports.members import Member, member_of
from farm.exports.sides import Sides, read_lists, sides_of
from farm.exports.source import neutral, plainest
from farm.licences.tombstones import tombstones
from farm.poses import Partition
from farm.torch.rows import PARTITIONS, PackedRows, pack
from farm.wording import counted

type Places = NDArray[np.int32]
"""(n, 2) the place of a model in `Faces.models`, and that of a row in it."""


class Faces:
    """The rows of one rendered folder, or of several. Reads all manifests and neutral pictures once, and no other picture.

    Sides are those that `farm export` gives: by the model's hash, near-duplicates together. `lists` is a folder with
    `train_list.txt` and `test_list.txt` to go by instead. A result that stands in two folders counts once, and
    a model that was withdrawn from one of them (`farm forget`) is in none, should a copy have brought it back.
    `progress(done, total)` is called after each model. Some 400 bytes a row stay in memory.

    Raises StorageError for damaged folders and for those that hold no model, SpecError for pictures of several sizes.
    """

    def __init__(
        self,
        *folders: str | Path,
        lists: str | Path | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        places = [place for folder in folders for place in model_folders(Path(folder)) if (place / MANIFEST).is_file()]
        withdrawn = {model for folder in folders for model in tombstones(Path(folder))}
        found: dict[str, PackedRows] = {}
        members: dict[str, Member] = {}
        for done, place in enumerate(places):
            model = read_model_folder(place)
            manifest = model.manifest
            if manifest.render_key not in found and manifest.model.id not in withdrawn:
                found[manifest.render_key] = pack(model)
                if manifest.model.id not in members:
                    face = neutral(model, plainest(manifest.spec.styles))
                    members[manifest.model.id] = member_of(place.name, model, face)
            progress(done + 1, len(places))
        if not found:
            named = ", ".join(map(str, folders)) or "Nothing that was named"
            raise StorageError(f"{named} holds no rendered models; make some with `farm render PATH --out DIR`.")
        self.models: Sequence[PackedRows] = tuple(found.values())
        """In the order of the folders."""
        side_list = read_lists(Path(lists)) if lists else None
        self.sides: Sides = sides_of(list(members.values()), near_duplicates(list(members.values())), side_list)
        """Who is on which side, and which models are near-duplicates."""
        self.side: int = self.models[0].spec.size
        """Width and height of every picture."""
        for other in self.models:
            if other.spec.size != self.side:
                raise SpecError(
                    f"{other.folder} has pictures of {other.spec.size} pixels, and {self.models[0].folder} of {self.side}, "
                    "so they fit no batch; render one of them again, or name folders of one size."
                )
            if other.pose_names != self.models[0].pose_names:
                raise SpecError(
                    f"{other.folder} has poses of {other.spec.pose_space}, and {self.models[0].folder} of "
                    f"{self.models[0].spec.pose_space}, so they fit no batch; name folders of one pose space."
                )
        self.pose_names: tuple[str, ...] = self.models[0].pose_names
        """Of the entries of every pose, in order."""

    def select(
        self,
        split: Split,
        styles: Sequence[str],
        parts: bool = False,
        partition: Partition | str | None = None,
        worn: bool | None = False,
    ) -> Places:
        """The rows of a side that are in `partition` (None: in both), by model and view.

        `worn`: without what may hide the character, with something that does, or None for both.

        Raises SpecError when a model lacks one of the styles or, if they are needed, the labels `parts`, and when no row
        is left.
        """
        wanted = None if partition is None else PARTITIONS.index(Partition(partition))
        chosen = []
        for number, model in enumerate(self.models):
            if self.sides.of[model.model] != split:
                continue
            _check(model, styles, parts)
            rows = np.arange(len(model.places), dtype=np.int32)
            if wanted is not None:
                rows = rows[model.places[:, 1] == wanted]
            if worn is not None:
                rows = rows[model.worn[rows] > 0 if worn else ~model.doubled[rows]]
            rows = rows[np.argsort(model.places[rows, 2], kind="stable")]
            chosen.append(np.stack([np.full_like(rows, number), rows], axis=1))
        places = np.concatenate(chosen) if chosen else np.zeros((0, 2), np.int32)
        if not len(places):
            what = f"{partition} pictures" if chosen else "models"
            raise SpecError(
                f"There are no {what} on the side '{split}' of {counted(len(self.sides.of), 'model')}; render more, or give "
                "lists that say who is on which side."
            )
        return places


def _check(model: PackedRows, styles: Sequence[str], parts: bool) -> None:
    if missing := [style for style in styles if style not in model.spec.styles]:
        raise SpecError(
            f"{model.folder} was not rendered in style {missing[0]}, only in {', '.join(model.spec.styles)}; render it "
            f"again with --style {' --style '.join(dict.fromkeys(styles))}."
        )
    if parts and PARTS_SUFFIX not in model.hashes:
        raise SpecError(f"{model.folder} has no labels of parts; render it again with --labels parts.")
