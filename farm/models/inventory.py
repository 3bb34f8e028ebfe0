"""What a model file holds, as one JSON-friendly record: the answer of `farm inspect` and of the upload."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

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
from farm.models.movement import measure
from farm.models.notices import Notice
from farm.models.skeleton import turning_bones
from farm.morphs.annotation import SourceMorph, sampled_targets
from farm.morphs.decision import DECISION_VERSION
from farm.morphs.evidence import Evidence, PictureChange
from farm.morphs.expressions import Rule
from farm.morphs.judgement import Judgement
from farm.morphs.judging import MorphDecision, judge
from farm.morphs.naming import naming
from farm.morphs.panels import Panel
from farm.morphs.refs import MorphRef
from farm.morphs.traits import moved_side
from farm.morphs.vocabulary import Side, all_targets
from farm.poses import sample_count
from farm.wording import gathered

MAX_MORPHS = 400
"""Of one model pictures are drawn of so many morphs, the first in the file: the most that a sprite surely holds."""


class MorphEvidence(BaseModel):
    """What a source morph does to the face, in short."""

    side: Side | None
    """The character's; None: nothing that shows."""
    vertices: int
    left_share: float
    """Of all movement, by its square, the share on the character's left; 0 where nothing moves."""
    parts: tuple[str, ...] | None = None
    """Of eyes, brows and mouth those near which it moves something, or where nothing moves those at which the picture
    changes; None where neither is known."""
    sides: dict[str, Side] = Field({}, exclude_if=lambda sides: not sides)
    """By part the side that it moves there, where that is another than `side`: one brow, and the other eye."""
    picture: PictureChange | None = Field(None, exclude_if=lambda picture: picture is None)
    """What it changes in the frontal picture; None where no picture was looked at."""


class MorphEntry(BaseModel):
    """One source morph and the target morph proposed for it."""

    index: int
    """Place in the file's list of morphs, from 0."""
    name: str
    kind: str
    panel: str
    moved: int
    proposal: str | None
    confidence: float | None = None
    """How sure the proposal is, in [0, 1]; None without one, and for those of the extended vocabulary."""
    reasons: list[str] = []
    """In words: for the proposal, or against what the name stands for."""
    denied: dict[str, str] = {}
    """Semantics, such as "eye/closed", that it is named for and does not do, with the reason."""
    evidence: MorphEvidence | None = None
    """None where nothing was measured: morphs of textures and colours before a picture was looked at."""
    rule: Rule | None = None
    """VRM: how the expression limits others and itself; None for those without such a wish."""

    def judgement(self) -> Judgement:
        """What the evidence lets it play."""
        measured = self.evidence
        shows = bool(self.moved) and (measured is None or measured.side is not None)
        side, parts, sides = (measured.side, measured.parts, measured.sides) if measured else (None, None, {})
        return Judgement(shows, side, self.proposal, parts, self.denied, sides)


class Understudy(BaseModel):
    """A source morph that plays a target where pictures show nothing of the one that was decided to."""

    morph: MorphRef
    confidence: float
    reasons: list[str]


class MaterialEntry(BaseModel):
    """One material; `texture` is the path in the file, or None."""

    name: str
    triangles: int
    texture: str | None


class Inventory(BaseModel):
    """The contents of one model file. Field names are stable: `farm inspect --json` prints them."""

    format: str
    title: str
    title_en: str = ""
    """The second name of an MMD file, meant to be English."""
    creator: str = ""
    """As VRM's meta says it; an MMD file has no place for it but the comment."""
    comment: str
    comment_en: str = ""
    licence: dict[str, str]
    notices: list[Notice] = []
    """The readme and licence files beside the model."""
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
    """Target name to source morph, as it was decided by what the morphs move and how they are named."""
    understudies: dict[str, list[Understudy]] = Field({}, exclude_if=lambda found: not found)
    """By target: who else fits and plays nothing, the best first."""
    decided_by: str
    """The version of measures, decision and vocabulary."""
    target_morphs: int
    """How many of the 23 are annotated."""
    samples: int
    """100 or 20, by the paper's rule."""
    warnings: list[str]

    @property
    def rules(self) -> dict[int, Rule]:
        """How expressions limit each other, by index, for those that do."""
        return {morph.index: morph.rule for morph in self.morphs if morph.rule is not None}

    @property
    def understudy_morphs(self) -> dict[str, list[MorphRef]]:
        """The understudies' morphs alone."""
        return {target: [each.morph for each in found] for target, found in self.understudies.items()}

    @property
    def pictured(self) -> bool:
        """Whether pictures of all morphs were looked at that move something, as far as they are drawn."""
        moving = [entry.evidence for entry in self.morphs if entry.moved][:MAX_MORPHS]
        return all(evidence is not None and evidence.picture is not None for evidence in moving)

    @property
    def guessed(self) -> list[int]:
        """The indices of morphs that have a name for a target and move no vertex: their names alone say what they do, until
        pictures are looked at.
        """
        return [
            entry.index
            for entry, source in zip(self.morphs, self.source_morphs(), strict=True)
            if entry.moved and entry.evidence is None and naming(source.name, source.panel).says_something
        ]

    def source_morphs(self) -> list[SourceMorph]:
        """The morphs in the form that annotation works on."""
        panels = {panel.name.lower(): panel for panel in Panel}
        return [SourceMorph(m.name, m.kind, panels.get(m.panel), m.moved, m.judgement()) for m in self.morphs]


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
    character: Character,
    found: dict[int, str],
    absent: list[str],
    remarks: Sequence[str] = (),
    notices: Iterable[Notice] = (),
) -> Inventory:
    """The inventory of a character. Raises NoNeckBoneError, or ModelFormatError when there is nothing to draw.

    `found` maps texture indices to the paths where they stand; `absent` lists the references without a file; `remarks` are
    further warnings; `notices` stand beside the model.
    """
    if not len(character.positions) or not len(character.triangles):
        raise ModelFormatError("The model holds no triangles: there is nothing to draw. Is it the right file?")
    neck, head, rule = turning_bones(character)
    inside = len(character.embedded)
    warnings = list(character.warnings)
    warnings += [f"Texture '{path}' is not in the model's folder; its material is drawn plain." for path in absent]
    warnings += remarks
    return Inventory(
        format=character.format,
        title=character.name or character.name_en,
        title_en=character.name_en,
        creator=character.licence.get("author") or character.licence.get("authors") or "",
        comment=character.comment or character.comment_en,
        comment_en=character.comment_en,
        licence=dict(character.licence),
        notices=list(notices),
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
        warnings=gathered(warnings),
        **_decided(character, {}),
    )


def decided_again(
    held: Inventory, character: Character, pictures: Mapping[int, PictureChange] | None = None
) -> Inventory:
    """The inventory of the same character when it was decided by an earlier version, or now by pictures as well.

    `pictures` are what morphs change in the neutral picture, by index: they decide where no movement could be measured, as of
    colours and textures, and are told of for the others. Raises NoNeckBoneError.
    """
    return Inventory.model_validate(held.model_dump() | _decided(character, pictures or {}))


def _decided(character: Character, pictures: Mapping[int, PictureChange]) -> dict[str, Any]:
    """The fields of an inventory that tell of morphs."""
    sources = [
        SourceMorph(morph.name, morph.kind, morph.panel, count)
        for morph, count in zip(character.morphs, _moved(character), strict=True)
    ]
    seen = {index: Evidence(picture=change) for index, change in pictures.items()}
    evidence = seen | measure(character)
    judged = judge(sources, evidence)
    verdicts = judged.morphs
    playing = {v.target: MorphRef(index=i, name=sources[i].name) for i, v in enumerate(verdicts) if v.target}
    annotation = {target: playing[target] for target in all_targets() if target in playing}
    targets = sampled_targets(annotation)
    rules = [morph.rule if isinstance(morph, Expression) else Rule() for morph in character.morphs]
    return {
        "morphs": [
            MorphEntry(
                index=index,
                name=source.name,
                kind=source.kind,
                panel=source.panel_name,
                moved=source.moved,
                proposal=verdict.target,
                confidence=verdict.confidence,
                reasons=list(verdict.reasons),
                denied=dict(verdict.denied),
                evidence=_short(evidence[index], verdict, pictures.get(index)) if index in evidence else None,
                rule=rules[index] if rules[index] != Rule() else None,
            )
            for index, (source, verdict) in enumerate(zip(sources, verdicts, strict=True))
        ],
        "annotation": annotation,
        "understudies": {
            target: [
                Understudy(
                    morph=MorphRef(index=each.morph, name=sources[each.morph].name),
                    confidence=each.confidence,
                    reasons=list(each.reasons),
                )
                for each in found
            ]
            for target, found in judged.understudies.items()
        },
        "decided_by": DECISION_VERSION,
        "target_morphs": len(targets),
        "samples": sample_count(targets),
    }


def _short(evidence: Evidence, verdict: MorphDecision, picture: PictureChange | None) -> MorphEvidence:
    left, right = (side.energy if side else 0.0 for side in (evidence.left, evidence.right))
    return MorphEvidence(
        side=moved_side(evidence),
        vertices=sum(side.vertices for side in (evidence.left, evidence.right) if side),
        left_share=round(left / (left + right), 3) if left + right else 0.0,
        parts=verdict.parts,
        sides=dict(verdict.sides),
        picture=picture,
    )
