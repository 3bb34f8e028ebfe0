"""Whether the labels of several characters mean the same: a ridge regression of every pose entry from small pictures.

usage: python -m benchmarks.ridge [--samples 100] [MODELS...]

One linear map for all characters together reads a pose off frontal pictures; where the left eye of one character is called
the right one of another, no map can. Pictures are drawn once, from poses by what the farm decides; then the same pictures are
labelled by names alone, and with the sides of every third character exchanged.

Characters are made comparable by what a data set has anyway (`benchmarks.patches`): of each part a patch of 4 x 4 values
about its landmarks in the basis image, by how much it differs from there. So small, no map can tell whose picture it is, and
call a side by the character. Every character is tried by a map fitted on all others ("one left out"); besides, on a third of
everybody's samples ("pooled"), and by a map that never saw any face of its mascot ("family left out").
Characters whose eyes hardly differ from their skin, as without their textures, are told of and left out.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.lookalikes import write_lookalikes
from benchmarks.patches import Patches
from benchmarks.seen import MODELS
from farm import pipe
from farm.drawing.blender import Blender
from farm.drawing.plan import plan
from farm.labels import LabelName
from farm.models.package import Package, read_model, to_bytes, unfold
from farm.morphs.refs import Annotation
from farm.morphs.vocabulary import POSE_NAMES, all_targets
from farm.poses import Partition, Sample, pose_vector
from farm.spec import RenderSpec
from tests.support.by_names import by_names
from tests.support.fixtures import assignment_for

REAL = ("gene/Gene_light.pmx", "uka/MS_Uka.pmx", "vrm_godette/Godette_vrm_v4.vrm", "vrm_256_ryuunoko_v0/npc.vrm")
"""Of the shared models those with winks, each character once."""
WINKS = ("eye_closed_left", "eye_closed_right")
_PLACES = [POSE_NAMES.index(name) for name in WINKS]
GOAL = 0.8
"""R2 of the winks, every character left out once."""
STYLE = "default"
SIZE = 128
"""Pixels a side, as drawn; what counts are the patches."""
_STRENGTHS = 10.0 ** np.arange(-6, 3)
"""Of the ridge, in shares of a value's mean square."""

type Array = NDArray[np.float64]
type Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Subject:
    """One character, drawn."""

    name: str
    family: str
    """The same for all that are made from one mascot."""
    comparable: bool
    """Whether its eyes show in its pictures."""
    pictures: Array
    """(samples, values) by how much each differs from the basis image."""
    samples: list[Sample]
    decided: Annotation
    named: Annotation
    """By names alone."""


def draw(blender: Blender, path: Path, room: Path, samples: int) -> Subject:
    """Draw the frontal pictures of a character's samples."""
    package = read_model(path)
    spec = RenderSpec(samples=samples, partitions=(Partition.FRONTAL,), styles=(STYLE,), size=SIZE)
    todo = plan(assignment_for(package, spec), package.inventory.rules)
    shots = iter(blender.draw(_request(package, todo.morphs, todo.shots, room), lambda _: None))
    basis = next(shots)
    assert basis.marks is not None
    look = Patches(basis.pictures[0], basis.marks.landmarks)
    pictures = np.stack([look.changed(shot.pictures[0]) for shot in shots])
    return Subject(
        name=path.stem,
        family=path.stem.partition("-")[0],
        comparable=look.shows_eyes,
        pictures=pictures,
        samples=todo.samples,
        decided=package.inventory.annotation,
        named=by_names(package.inventory),
    )


def _request(package: Package, morphs: list[int], shots: list[pipe.Shot], room: Path) -> pipe.Render:
    character, textures = unfold(to_bytes(package), room)
    return pipe.Render(
        character=str(character),
        textures={index: str(texture) for index, texture in textures.items()},
        morphs=morphs,
        annotation={target: morph.index for target, morph in package.inventory.annotation.items()},
        styles=[STYLE],
        labels=[LabelName.LANDMARKS],
        size=SIZE,
        supersample=2,
        shots=shots,
    )


def poses(subject: Subject, annotation: Annotation) -> Array:
    """(samples, 17) what `annotation` calls that which the pictures show."""
    targets = all_targets()
    called = {morph.index: target for target, morph in annotation.items()}
    found = []
    for sample in subject.samples:
        played = {called.get(subject.decided[target].index): weight for target, weight in sample.weights.items()}
        weights = {
            target: weight for target, weight in played.items() if target is not None and targets[target].entries
        }
        said = Sample(sample.index, weights, sample.rotation, sample.light)
        found.append(pose_vector(said, targets, Partition.FRONTAL)[: len(POSE_NAMES)])
    return np.array(found)


def exchanged(vectors: Array) -> Array:
    """The same poses with left and right exchanged."""
    other = {"left": "right", "right": "left"}
    order = []
    for name in POSE_NAMES:
        stem, _, side = name.rpartition("_")
        order.append(POSE_NAMES.index(f"{stem}_{other[side]}") if side in other else POSE_NAMES.index(name))
    return vectors[:, order]


def predicted(pictures: Array, values: Array, known: Indices, wanted: Indices, groups: Indices) -> Array:
    """The values of the pictures in `wanted`, by a ridge regression on those in `known`.

    Its strength is the one that serves best when a third of the groups among `known` is tried by the two others.
    """
    parts = np.searchsorted(np.unique(groups[known]), groups[known]) % 3
    errors = [
        sum(
            ((_solved(pictures, values, known[parts != part], known[parts == part], strength) - tried) ** 2).sum()
            for part in range(3)
            if len(tried := values[known[parts == part]])
        )
        for strength in _STRENGTHS
    ]
    return _solved(pictures, values, known, wanted, _STRENGTHS[int(np.argmin(errors))])


def _solved(pictures: Array, values: Array, known: Indices, wanted: Indices, strength: float) -> Array:
    middle, mean = pictures[known].mean(axis=0), values[known].mean(axis=0)
    seen = pictures[known] - middle
    products = seen.T @ seen
    ridge = strength * np.trace(products) / len(products) * np.eye(len(products))
    found: Array = (pictures[wanted] - middle) @ np.linalg.solve(
        products + ridge, seen.T @ (values[known] - mean)
    ) + mean
    return found


def explained(found: Array, truth: Array) -> Array:
    """(17,) R2 by entry: 1 less the squared error over the variance; not a number where nothing varies."""
    scatter = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(scatter > 0, 1 - ((found - truth) ** 2).sum(axis=0) / scatter, np.nan)


def left_out(pictures: Array, values: Array, tried: Indices, characters: Indices) -> Array:
    """(samples, 17) every group of samples by a map fitted on the others.

    `tried` (samples,) has the groups' numbers, `characters` (samples,) those of whose pictures they are.
    """
    found = np.zeros_like(values)
    for group in np.unique(tried):
        wanted, known = np.flatnonzero(tried == group), np.flatnonzero(tried != group)
        found[wanted] = predicted(pictures, values, known, wanted, characters)
    return found


def compare(subjects: Sequence[Subject], console: Console) -> None:
    """Fit and print."""
    pictures = np.concatenate([each.pictures for each in subjects])
    counts = [len(each.samples) for each in subjects]
    numbers = np.repeat(np.arange(len(subjects)), counts)
    names = [each.family for each in subjects]
    families = np.repeat([names.index(name) for name in names], counts)
    thirds = np.concatenate([np.arange(count) % 3 for count in counts])
    true = [poses(each, each.decided) for each in subjects]
    labelled = {
        "by evidence": np.concatenate(true),
        "by names alone": np.concatenate([poses(each, each.named) for each in subjects]),
        "a third exchanged": np.concatenate([exchanged(one) if n % 3 == 1 else one for n, one in enumerate(true)]),
    }
    found = {name: left_out(pictures, values, numbers, numbers) for name, values in labelled.items()}
    table = Table("entry", *labelled, title=f"R2 over {len(subjects)} characters, one left out at a time")
    columns = [explained(found[name], values) for name, values in labelled.items()]
    for entry, name in enumerate(POSE_NAMES):
        table.add_row(name, *(f"{column[entry]:.2f}" for column in columns))
    console.print(table)

    single = Table("character", *WINKS, title="the winks by evidence, character by character")
    for number, each in enumerate(subjects):
        own = numbers == number
        values = explained(found["by evidence"][own], labelled["by evidence"][own])
        single.add_row(each.name, *(f"{value:.2f}" for value in values[_PLACES]))
    console.print(single)

    splits = Table("the lesser of the winks", *labelled)
    splits.add_row("one left out", *(f"{column[_PLACES].min():.2f}" for column in columns))
    for way, groups in (("pooled", thirds), ("family left out", families)):
        lesser = [explained(left_out(pictures, one, groups, numbers), one)[_PLACES].min() for one in labelled.values()]
        splits.add_row(way, *(f"{value:.2f}" for value in lesser))
    console.print(splits)
    least = columns[0][_PLACES].min()
    console.print(f"Winks by evidence: {least:.2f}, {'as' if least >= GOAL else 'short of what'} is wanted ({GOAL}).")


def main() -> None:
    """Draw, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, help="other characters than the shared ones")
    parser.add_argument("--samples", type=int, default=100, help="of each character (100)")
    wishes = parser.parse_args()
    real = wishes.models or [MODELS / name for name in REAL if (MODELS / name).is_file()]
    with TemporaryDirectory(prefix="farm-ridge-") as folder:
        room = Path(folder)
        files = [*real, *write_lookalikes(room / "made")]
        blender = Blender()
        try:
            subjects = [
                draw(blender, path, room / str(number), wishes.samples)
                for number, path in enumerate(track(files, "drawing", transient=True))
            ]
        finally:
            blender.stop()
    console = Console(width=120)
    for each in subjects:
        if not each.comparable:
            console.print(f"{each.name} is left out: its eyes are hardly darker than its skin, a picture cannot tell.")
    compare([each for each in subjects if each.comparable], console)


if __name__ == "__main__":
    main()
