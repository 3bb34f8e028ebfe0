"""Who plays what once pictures are known of morphs that move vertices: what shows nothing hands its target on."""

from farm.models.inventory import Inventory, MorphEntry
from farm.morphs.annotation import sampled_targets
from farm.morphs.refs import Annotation
from farm.morphs.traits import LEAST_PIXELS
from farm.morphs.understudies import recast
from farm.poses import sample_count

NOTHING_SHOWS = "it changes nothing that shows"


def as_seen(inventory: Inventory) -> Inventory:
    """The inventory without proposals for morphs of whose picture it knows that nothing changes: understudies play.

    What a render does by itself: there the pictures that it draws say it (`farm.drawing.plan`).
    """
    unseen = {
        entry.index
        for entry in inventory.morphs
        if entry.evidence is not None
        and entry.evidence.picture is not None
        and entry.evidence.picture.count < LEAST_PIXELS
    }
    # Flat colours show little of a face without its textures, and other styles may show more: a render looks at those, too.
    if not unseen or inventory.textures_absent:
        return inventory
    annotation = recast(inventory.annotation, inventory.understudy_morphs, unseen)
    targets = sampled_targets(annotation)
    return inventory.model_copy(
        update={
            "morphs": [
                _unseen(entry) if entry.index in unseen else entry
                for entry in _with_understudies(inventory, annotation)
            ],
            "annotation": annotation,
            "target_morphs": len(targets),
            "samples": sample_count(targets),
        }
    )


def _unseen(entry: MorphEntry) -> MorphEntry:
    assert entry.evidence is not None
    told = {"evidence": entry.evidence.model_copy(update={"side": None})}
    if entry.proposal is None:
        return entry.model_copy(update=told)
    return entry.model_copy(update=told | {"proposal": None, "confidence": None, "reasons": [NOTHING_SHOWS]})


def _with_understudies(inventory: Inventory, annotation: Annotation) -> list[MorphEntry]:
    """The entries, those that stand in with what they play now and why."""
    entries = list(inventory.morphs)
    for target, ref in annotation.items():
        before = inventory.annotation[target]
        if ref == before:
            continue
        (found,) = (each for each in inventory.understudies[target] if each.morph == ref)
        instead = f"morph {before.index}, '{before.name}', changes nothing that shows"
        entries[found.morph.index] = entries[found.morph.index].model_copy(
            update={"proposal": target, "confidence": found.confidence, "reasons": [*found.reasons, instead]}
        )
    return entries
