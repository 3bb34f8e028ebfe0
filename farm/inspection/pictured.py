"""What a model's morphs are decided to play when pictures of them are known: textures that swap move no vertex.

An order is made from the file alone, without a picture: so the same request is always the same order, with the same render
key, whether or not somebody has drawn the model before. The worker that draws it looks at those of its morphs of which the
file tells nothing but a name, and follows what they show. They are looked at once: what was seen is kept with the model.
"""

from collections.abc import Iterable
from dataclasses import replace

from farm.annotations.counting import counting
from farm.catalog import Catalog
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender
from farm.inspection.drawing import look_at
from farm.inspection.record import Inspection, MorphPicture
from farm.models.casting import as_seen
from farm.models.inventory import MAX_MORPHS, Inventory, decided_again
from farm.models.package import Package, read_character
from farm.morphs.judgement import let_pass
from farm.morphs.provenance import NOBODYS
from farm.morphs.refs import Annotation
from farm.morphs.vocabulary import all_targets
from farm.spec import AnnotationRule


def decided_by_pictures(package: Package, inspection: Inspection) -> Inventory:
    """The inventory of `package`, decided by what its morphs move and, where that is nothing, by what `inspection` shows.

    What shows nothing plays nothing, whatever it moves. A morph that was not drawn is judged as without pictures.
    """
    return decided_by(package, inspection.morphs)


def decided_by(package: Package, pictures: Iterable[MorphPicture]) -> Inventory:
    """The same by pictures of some morphs."""
    character = read_character(package.suffix, package.data)
    return as_seen(decided_again(package.inventory, character, {morph.index: morph.change for morph in pictures}))


def by_pictures(assignment: Assignment, catalog: Catalog, blender: Blender) -> Assignment:
    """The assignment with what the pictures say of morphs that it, or the farm for it, chose by their names alone.

    The word of a person on this very model stands. Raises what `Blender.draw` and `Catalog.inventory` raise.
    """
    held = catalog.inventory(assignment.model)
    guessed = held.guessed
    ordered = assignment.annotation
    nobodys = assignment.provenance == NOBODYS
    open_to = nobodys or any(
        ref.index in guessed for target, ref in ordered.items() if target not in assignment.provenance.own
    )
    if assignment.spec.annotation is AnnotationRule.CONFIRMED or not guessed or not open_to:
        return assignment
    seen = catalog.pictured(assignment.model)
    if seen is None:
        pictures = look_at(blender, catalog.package(assignment.model), held, guessed[:MAX_MORPHS])
        seen = catalog.keep_pictures(assignment.model, {morph.index: morph.change for morph in pictures})
    if nobodys:
        found, _ = counting(assignment.model, seen, assignment.spec, None)
    else:
        found = _passed(assignment, seen, set(guessed))
    return assignment if found == ordered else replace(assignment, annotation=found, ordered=ordered)


def with_understudies(assignment: Assignment, catalog: Catalog) -> Assignment:
    """The assignment with those who play where the pictures, once drawn, show nothing of a morph that the farm chose.

    Where people have spoken of the model, nobody stands in: they may have meant that nothing plays. Raises what
    `Catalog.inventory` raises.
    """
    spec = assignment.spec
    if assignment.provenance != NOBODYS or spec.annotation is AnnotationRule.CONFIRMED:
        return assignment
    held = catalog.inventory(assignment.model)
    decided = (catalog.pictured(assignment.model) or held) if held.guessed else held
    found = {
        target: [
            each.morph for each in decided.understudies.get(target, ()) if each.confidence >= spec.least_confidence
        ]
        for target, ref in assignment.annotation.items()
        if decided.annotation.get(target) == ref
    }
    return replace(assignment, understudies={target: morphs for target, morphs in found.items() if morphs})


def _passed(assignment: Assignment, seen: Inventory, guessed: set[int]) -> Annotation:
    """Where people have said what names stand for: what the pictures let pass of it, on the side that changes."""
    morphs = seen.source_morphs()
    kept: Annotation = {}
    moved: Annotation = {}
    for target, ref in assignment.annotation.items():
        if target in assignment.provenance.own or ref.index not in guessed:
            kept[target] = ref
            continue
        plays, _ = let_pass(target, morphs[ref.index].judgement)
        if plays is not None and plays not in assignment.provenance.own:
            moved.setdefault(plays, ref)
    found = moved | kept
    return {target: found[target] for target in all_targets() if target in found}
