"""How well morphs are annotated: against what a person saw, on characters that the weights were not fitted on.

usage: python -m benchmarks.annotation [CHARACTERS.json] [--write]

For each character the weights are fitted on all others. Prints every target with what was right, wrong and missed, every
miss, and the totals, beside those of names alone; then the same with the names hidden, and with the names shuffled within
their panels; then what the farm's own weights decide for the characters whose morphs were looked at (`benchmarks.seen`).
--write fits on all characters and writes farm/morphs/weights.toml.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console
from rich.table import Table

import farm.morphs
from benchmarks.annotated import FOLDER, Character, characters
from benchmarks.annotation_fit import Sheet, fit, written
from benchmarks.seen import MODELS, Seen, seen
from farm.drawing.blender import Blender
from farm.mascots import write_mascots
from farm.morphs.annotation import annotate
from farm.morphs.decision import decide
from farm.morphs.naming import semantic_of, side_of
from farm.morphs.refs import Annotation
from farm.morphs.scoring import Weights
from farm.morphs.vocabulary import Side, all_targets


@dataclass(slots=True)
class Tally:
    """What was right and wrong, by target."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    swapped: int = 0
    """Wrong ones that play the same thing on the other side."""
    misses: list[str] = field(default_factory=list)

    def add(self, character: Character, annotation: Annotation) -> None:
        """Compare one character's annotation with its truth, as the data's README says."""
        for target, verdict in character.truth.items():
            played = annotation.get(target)
            count = self.counts.setdefault(target, Counter())
            got = f"'{played.name}'" if played else "nothing"
            if played is not None and played.index in verdict.best:
                count["right"] += 1
                continue
            if played is not None and played.index not in verdict.uncounted:
                count["wrong"] += 1
                self.swapped += _is_swapped(character, target, played.index)
                self.misses.append(f"{character}: {target} is no {got}")
            if verdict.best:
                count["missed"] += 1
                names = ", ".join(f"'{character.morphs[index].name}'" for index in verdict.best)
                self.misses.append(f"{character}: {target} is {names}; plays {got}")

    @property
    def total(self) -> Counter[str]:
        """Of all targets."""
        return sum(self.counts.values(), Counter())

    @property
    def precision(self) -> float:
        """Of those that play something that counts, the share that is right."""
        return self.total["right"] / max(1, self.total["right"] + self.total["wrong"])

    @property
    def recall(self) -> float:
        """Of those that could be played, the share that is."""
        return self.total["right"] / max(1, self.total["right"] + self.total["missed"])


def _is_swapped(character: Character, target: str, index: int) -> bool:
    other = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}.get(side_of(target))
    verdict = character.truth.get(f"{semantic_of(target)}/{other}")
    return verdict is not None and index in verdict.best + verdict.uncounted


def left_out(sheets: Sequence[Sheet]) -> dict[int, Weights]:
    """By character's number: weights fitted on all others."""
    return {sheet.character.number: fit([other for other in sheets if other is not sheet]) for sheet in sheets}


def tally(cast: Sequence[Character], by: Callable[[Character], Annotation]) -> Tally:
    """Compare what `by` makes of all characters."""
    found = Tally()
    for character in cast:
        found.add(character, by(character))
    return found


def tally_seen(cast: Sequence[Seen], by_pictures: bool = False) -> Tally:
    """Compare what the farm decides for characters of the table; `by_pictures`: for those that were drawn."""
    found = Tally()
    for each in cast:
        annotation = each.by_pictures if by_pictures else each.annotation
        if annotation is not None:
            found.add(each.character, annotation)
    return found


def hidden(character: Character) -> Character:
    """The character with names that say nothing."""
    return replace(
        character, morphs=tuple(replace(morph, name=f"#{index}") for index, morph in enumerate(character.morphs))
    )


def shuffled(character: Character) -> Character:
    """The character with its names dealt anew within each panel."""
    morphs = list(character.morphs)
    for panel in {morph.panel for morph in morphs}:
        places = [index for index, morph in enumerate(character.morphs) if morph.panel == panel]
        for index, other in zip(places, np.random.default_rng(character.number).permutation(places), strict=True):
            morphs[index] = replace(morphs[index], name=character.morphs[other].name)
    return replace(character, morphs=tuple(morphs))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, default=FOLDER / "characters.json")
    parser.add_argument("--write", action="store_true", help="fit on all and write farm/morphs/weights.toml")
    wishes = parser.parse_args()
    cast = characters(wishes.path)
    sheets = [Sheet(character) for character in cast]
    if wishes.write:
        path = Path(farm.morphs.__path__[0]) / "weights.toml"
        path.write_text(written(fit(sheets), len(cast)), encoding="utf-8")
        print(f"wrote {path}")
    fitted = left_out(sheets)

    def decided(character: Character) -> Annotation:
        return decide(character.morphs, character.evidence, fitted=fitted[character.number]).annotation

    found = tally(cast, decided)
    console = Console(width=120)
    table = Table(
        "target", "right", "wrong", "missed", title=f"{len(cast)} characters, each decided by weights of the others"
    )
    for target in all_targets():
        if target in found.counts:
            table.add_row(target, *(str(found.counts[target][kind]) for kind in ("right", "wrong", "missed")))
    console.print(table)
    for line in found.misses:
        console.print(line, highlight=False, markup=False)
    totals = Table("annotation", "right", "wrong", "missed", "precision", "recall", "sides swapped")
    for name, each in (
        ("names alone", tally(cast, lambda character: annotate(character.morphs))),
        ("evidence and names", found),
        ("names hidden", tally([hidden(character) for character in cast], decided)),
        ("names shuffled", tally([shuffled(character) for character in cast], decided)),
    ):
        _add(totals, name, each)
    with TemporaryDirectory(prefix="farm-mascots-") as room:
        blender = Blender()
        try:
            looked_at = seen(MODELS, {path.stem: path for path in write_mascots(Path(room))}, blender)
        finally:
            blender.stop()
    drawn = tally_seen(looked_at)
    _add(totals, f"{len(looked_at)} characters that were looked at", drawn)
    pictured = tally_seen(looked_at, by_pictures=True)
    _add(totals, "the same, their pictures seen as well", pictured)
    for line in (*drawn.misses, *(f"{miss} (pictures seen)" for miss in pictured.misses)):
        console.print(line, highlight=False, markup=False)
    console.print(totals)


def _add(totals: Table, name: str, each: Tally) -> None:
    counts = (str(each.total[kind]) for kind in ("right", "wrong", "missed"))
    totals.add_row(name, *counts, f"{each.precision:.3f}", f"{each.recall:.3f}", str(each.swapped))


if __name__ == "__main__":
    main()
