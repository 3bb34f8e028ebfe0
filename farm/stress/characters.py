"""Fake models in the object store: nobody reads their packages, since nobody draws them."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from farm.catalog import kept_annotation
from farm.models.inventory import Inventory, MorphEntry
from farm.morphs.annotation import SourceMorph, annotate, sampled_targets
from farm.morphs.decision import DECISION_VERSION
from farm.morphs.panels import Panel
from farm.morphs.refs import Annotation
from farm.poses import sample_count

_MORPHS = {
    Panel.EYE: "まばたき ウィンク2 ウィンク2右 びっくり びっくり左 びっくり右 じと目 じと目左 じと目右",
    Panel.EYEBROW: "眉上 眉上左 眉上右 眉下 眉下左 眉下右 怒り 怒り左 怒り右",
    Panel.MOUTH: "あ え い お う",
}
"""Names as they stand in most models for MikuMikuDance: one for each of the 23 targets."""
_LINKS = 10_000
"""Names that one file may have; file systems set the limit at 32,000 and above."""


def model_ids(seed: int, count: int) -> list[str]:
    """The ids of the first `count` models."""
    return [hashlib.sha256(f"stress {seed} {number}".encode()).hexdigest() for number in range(count)]


def annotation() -> Annotation:
    """What the vocabulary makes of the models' morphs: all 23 targets."""
    return annotate(_source_morphs())


def _source_morphs() -> list[SourceMorph]:
    return [SourceMorph(name, "vertex", panel, 200) for panel, names in _MORPHS.items() for name in names.split()]


def _inventory() -> Inventory:
    found = annotation()
    proposals = {morph.index: target for target, morph in found.items()}
    morphs = [
        MorphEntry(
            index=index, name=m.name, kind=m.kind, panel=m.panel_name, moved=m.moved, proposal=proposals.get(index)
        )
        for index, m in enumerate(_source_morphs())
    ]
    targets = sampled_targets(found)
    return Inventory(
        format="PMX 2.0", title="負荷試験", comment="", licence={}, vertices=30_000, triangles=50_000, meshes=1,
        bones=300, neck="首", head="頭", bone_rule="names", materials=[], textures_found=[], textures_absent=[],
        morphs=morphs, annotation=found, decided_by=DECISION_VERSION,
        target_morphs=len(targets), samples=sample_count(targets), warnings=[],
    )  # fmt: skip


def put_models(store: Path, ids: Sequence[str], advance: Callable[[int], None]) -> None:
    """Put the models into the store in the directory `store`, as `farm.catalog` keeps them, without packages.

    All have the same files, under many names each: writing and syncing every one takes minutes for nothing.
    """
    contents = {
        "inventory.json": _inventory().model_dump_json().encode(),
        "annotation.json": kept_annotation(annotation()),
    }
    originals: dict[str, Path] = {}
    for place, model in enumerate(ids):
        folder = store / "models" / model
        folder.mkdir(parents=True)
        for name, data in contents.items():
            if place % _LINKS == 0:
                originals[name] = folder / name
                originals[name].write_bytes(data)
            else:
                os.link(originals[name], folder / name)
        advance(1)
