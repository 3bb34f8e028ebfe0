"""What the names of a model's morphs alone say: for tests of what comes after an annotation, on models that are no faces or
whose morphs show nothing."""

from dataclasses import replace

from farm.models.inventory import Inventory
from farm.morphs.annotation import annotate
from farm.morphs.refs import Annotation


def by_names(inventory: Inventory) -> Annotation:
    """The annotation without regard to what was measured."""
    return annotate([replace(morph, judgement=None) for morph in inventory.source_morphs()])
