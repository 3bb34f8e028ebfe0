"""Pages over models that are made up: as many as wished, without drawing one."""

from pathlib import Path

from farm.inspection import page as pages
from farm.inspection.record import Inspection, MorphPicture
from farm.models.inventory import Inventory, MorphEntry, MorphEvidence
from farm.morphs.annotation import annotate, read_table
from farm.morphs.evidence import PictureChange
from farm.morphs.traits import PARTS
from farm.morphs.vocabulary import Side

DOT = bytes.fromhex("524946461a000000574542505650384c0e0000002f07c00100071011fd0f4444ff03")
"""A WebP of 8 x 8 pixels."""
SIDES = {"left": (0, 50), "right": (50, 0), "both": (25, 25), "": (0, 0)}
"""Pixels that change in the picture's left and right half."""


class Collection:
    """A page over models that are made up; every morph is (name, panel, proposal, side).

    It moves something where its panel says, on that side.
    """

    def __init__(self, out: Path, like: Inventory) -> None:
        self._page, self._like, self._out = pages.InspectionPage(out), like, out
        self._models: list[pages.Inspected] = []

    def add(self, name: str, *morphs: tuple[str, str, str | None, str], unusable: tuple[str, ...] = ()) -> str:
        model = f"{len(self._models):064x}"
        entries = [
            MorphEntry(
                index=index,
                name=named,
                kind="vertex",
                panel=panel,
                moved=9,
                proposal=proposal,
                evidence=_moving(panel, side),
            )
            for index, (named, panel, proposal, side) in enumerate(morphs)
        ]
        pictures = [
            MorphPicture(
                index=index,
                change=PictureChange(count=sum(SIDES[side]), picture_left=SIDES[side][0], picture_right=SIDES[side][1]),
                effect="changes the face",
            )
            for index, (_, _, _, side) in enumerate(morphs)
        ]
        inventory = self._like.model_copy(update={"morphs": entries})
        record = Inspection(
            version="", model=model, size=8, head=(0, 0, 8, 8), sprite=(8, 8), morphs=pictures, unusable=unusable
        )
        self._models.append(pages.Inspected(name, inventory, record))
        (self._out / "pictures" / f"{model}.webp").write_bytes(DOT)
        return model

    def write(self) -> str:
        return self._page.write(self._models).as_uri()

    def annotation(self, table: Path, model: str) -> dict[str, int]:
        """What the downloaded table gives for a model."""
        rows = read_table(table.read_text("utf-8-sig")).of(model)
        (found,) = (one for one in self._models if one.inspection.model == model)
        return {target: ref.index for target, ref in annotate(found.inventory.source_morphs(), rows).items()}


def _moving(panel: str, side: str) -> MorphEvidence:
    parts = (panel,) if panel in PARTS else None
    return MorphEvidence(side=Side(side) if side else None, vertices=9, left_share=0.5, parts=parts)
