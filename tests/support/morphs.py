"""Morphs by name, as people write poses in tests."""

from collections.abc import Mapping

from farm.models.package import Package


def numbered(package: Package, weights: Mapping[str, float]) -> dict[int, float]:
    """`weights` by the morphs' indices; of several with one name the first is meant."""
    names = [morph.name for morph in package.inventory.morphs]
    return {names.index(name): weight for name, weight in weights.items()}


def played(package: Package) -> dict[str, int]:
    """Target name to the index of the source morph that the vocabulary proposes."""
    return {target: morph.index for target, morph in package.inventory.annotation.items()}
