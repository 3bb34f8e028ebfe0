"""What a model's morphs are decided to play when their pictures are known: textures that swap move no vertex."""

from farm.inspection.record import Inspection
from farm.models.inventory import Inventory, decided_again
from farm.models.package import Package, read_character


def decided_by_pictures(package: Package, inspection: Inspection) -> Inventory:
    """The inventory of `package`, decided by what its morphs move and, where that is nothing, by what `inspection` shows.

    A morph that was not drawn is judged as without pictures.
    """
    character = read_character(package.suffix, package.data)
    pictures = {morph.index: morph.change for morph in inspection.morphs}
    return decided_again(package.inventory, character, pictures)
