"""What a model file holds, as one JSON-friendly record: the answer of `farm inspect` and of the upload."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from pydantic import BaseModel

from farm.errors import ModelFormatError
from farm.models.description import (
    BoneMorph,
    Character,
    Expression,
    GroupMorph,
    MaterialMorph,
    UVMorph,
    VertexMorph,
)
from farm.models.skeleton import turning_bones
from farm.morphs.annotation import SourceMorph, annotate, sampled_targets
from farm.morphs.expressions import Rule
from farm.morphs.panels import Panel
from farm.morphs.refs import Annotation, MorphRef
from farm.poses import sample_count


class MorphEntry(BaseModel):
    """One source morph and the target morph proposed for it."""

    index: int
    """Place in the file's list of morphs, from 0."""
    name: str
    kind: str
    panel: str
    moved: int
    proposal: str | None
    rule: Rule | None = None
    """VRM: how the expression limits others and itself; None for those without such a wish."""


class MaterialEntry(BaseModel):
    """One material; `texture` is the path in the file, or None."""

    name: str
    triangles: int
    texture: str | None


class Inventory(BaseModel):
    """The contents of one model file. Field names are stable: `farm inspect --json` prints them."""

    format: str
    title: str
    comment: str
    licence: dict[str, str]
    vertices: int
    triangles: int
    meshes: int
    bones: int
    neck: str
    head: str
    bone_rule: str
    materials: list[MaterialEntry]
    textures_found: list[str]
    textures_absent: list[str]
    morphs: list[MorphEntry]
    annotation: dict[str, MorphRef]
    """Target name to source morph, as the vocabulary proposes it."""
    target_morphs: int
    """How many of the 23 are annotated."""
    samples: int
    """100 or 20, by the paper's rule."""
    warnings: list[str]

    @property
    def rules(self) -> dict[int, Rule]:
        """How expressions limit each other, by index, for those that do."""
        return {morph.index: morph.rule for morph in self.morphs if morph.rule is not None}

    def source_morphs(self) -> list[SourceMorph]:
        """The morphs in the form that annotation works on."""
        panels = {panel.name.lower(): panel for panel in Panel}
        return [SourceMorph(m.name, m.kind, panels.get(m.panel), m.moved) for m in self.morphs]


def _named(character: Character, bone: int) -> str:
    return character.bones[bone].name or character.bones[bone].name_en or f"bone {bone}"


def _moved(character: Character) -> list[int]:
    """How much each morph moves: vertices, bones, materials, or, for a group, the morphs that move something themselves.

    What moves nothing must not be annotated: its label would say what no picture shows.
    """
    counts = [0] * len(character.morphs)
    parents: dict[int, list[tuple[int, float]]] = {}
    waiting = []
    for index, morph in enumerate(character.morphs):
        match morph:
            case VertexMorph():
                counts[index] = int((np.abs(morph.offsets).max(axis=1, initial=0) > 0).sum())
            case UVMorph():
                counts[index] = int((np.abs(morph.offsets).max(axis=1, initial=0) > 0).sum()) * (morph.channel == 0)
            case BoneMorph():
                counts[index] = len(morph.bones)
            case MaterialMorph():
                counts[index] = len(morph.entries)
            case Expression():
                counts[index] = morph.shown
            case GroupMorph():
                for child, weight in zip(morph.morphs.tolist(), morph.weights.tolist(), strict=True):
                    parents.setdefault(child, []).append((index, weight))
        if counts[index]:
            waiting.append(index)
    passed = set(waiting)
    while waiting:
        for parent, weight in parents.get(waiting.pop(), []):
            counts[parent] += weight != 0
            if weight and parent not in passed:
                passed.add(parent)
                waiting.append(parent)
    return counts


def of_character(
    character: Character, found: dict[int, str], absent: list[str], remarks: Sequence[str] = ()
) -> Inventory:
    """The inventory of a character. Raises NoNeckBoneError, or ModelFormatError when there is nothing to draw.

    `found` maps texture indices to the paths where they stand; `absent` lists the references without a file; `remarks` are
    further warnings.
    """
    if not len(character.positions) or not len(character.triangles):
        raise ModelFormatError("The model holds no triangles: there is nothing to draw. Is it the right file?")
    neck, head, rule = turning_bones(character)
    moved = _moved(character)
    morphs = [SourceMorph(m.name, m.kind, m.panel, count) for m, count in zip(character.morphs, moved, strict=True)]
    inside = len(character.embedded)
    warnings = list(character.warnings)
    warnings += [f"Texture '{path}' is not in the model's folder; its material is drawn plain." for path in absent]
    warnings += remarks
    return Inventory(
        format=character.format,
        title=character.name or character.name_en,
        comment=character.comment or character.comment_en,
        licence=dict(character.licence),
        vertices=len(character.positions),
        triangles=len(character.triangles),
        meshes=character.meshes,
        bones=len(character.bones),
        neck=_named(character, neck),
        head=_named(character, head),
        bone_rule=rule,
        materials=[
            MaterialEntry(
                name=material.name,
                triangles=material.triangle_count,
                texture=character.textures[material.texture] if material.texture is not None else None,
            )
            for material in character.materials
        ],
        textures_found=sorted(found.values()) + ([f"{inside} inside the file"] if inside else []),
        textures_absent=absent,
        warnings=warnings,
        **_morph_fields(morphs, [m.rule if isinstance(m, Expression) else Rule() for m in character.morphs]),
    )


class _MorphFields(TypedDict):
    morphs: list[MorphEntry]
    annotation: Annotation
    target_morphs: int
    samples: int


def _morph_fields(morphs: list[SourceMorph], rules: Sequence[Rule] = ()) -> _MorphFields:
    """`rules` are those of the morphs, in their order; none: the format has none."""
    annotation = annotate(morphs)
    proposals: dict[int, str] = {}
    for target, morph in annotation.items():
        proposals.setdefault(morph.index, target)
    limits = {index: rule for index, rule in enumerate(rules) if rule != Rule()}
    targets = sampled_targets(annotation)
    return {
        "morphs": [
            MorphEntry(
                index=index,
                name=m.name,
                kind=m.kind,
                panel=m.panel_name,
                moved=m.moved,
                proposal=proposals.get(index),
                rule=limits.get(index),
            )
            for index, m in enumerate(morphs)
        ],
        "annotation": annotation,
        "target_morphs": len(targets),
        "samples": sample_count(targets),
    }
