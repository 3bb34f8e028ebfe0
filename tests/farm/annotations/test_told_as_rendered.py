"""What an annotator is told of a model is what a render of it plays, once its pictures are there; before, that is said."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from farm.annotations.annotations import Annotations
from farm.annotations.groups import Collection
from farm.annotations.verdicts import Saying, VerdictStatus
from farm.catalog import Catalog
from farm.dataset.manifest import MANIFEST, Manifest, read_manifest, result_object
from farm.drawing.blender import Blender
from farm.inspection.pictures import KeptPictures, inspection_key
from farm.jobs.states import Job, Work
from farm.models.package import Package
from farm.morphs.panels import Panel
from farm.morphs.refs import Annotation, MorphRef
from farm.spec import AnnotationRule, RenderSpec, render_key
from farm.storage import LocalStore
from farm.worker.tasks import BlenderRenderer
from tests.farm.inspection.hiding import Hidden, hiding
from tests.farm.inspection.swapping import Swap, package_of
from tests.support.jobs import new_jobs

pytestmark = pytest.mark.blender
SPEC = RenderSpec(seed=3, samples=4, size=48, styles=("flat",))
BLINK, SECOND, WINK = "まばたき", "まばたき２", "ウィンク２右"
CLOSED, VOWEL = "eye/closed/both", "mouth/a"
SAID = Saying(who="anna", when="2026-01-01T00:00:00+00:00", why="")


class Told:
    """A farm with two characters: a blink inside the head before one that shows, and a texture named for the other side."""

    def __init__(self, folder: Path, mascots: dict[str, Path], blender: Blender) -> None:
        self.store = LocalStore(folder / "store")
        self.hidden = hiding(mascots, folder / "hidden", (Hidden(BLINK, BLINK),), {BLINK: SECOND})
        self.winking = package_of(
            mascots, folder / "winking", (Swap(WINK, Panel.EYE, {"ウィンク２": 1}),), kept=("お",)
        )
        self.packages = {package.id: package for package in (self.hidden, self.winking)}
        self._renderer = BlenderRenderer(self.store, blender)
        for package in self.packages.values():
            Catalog(self.store).add(package)
        models = tuple(sorted(self.packages))
        self.ask().collections.create(Collection(name="spring", models=models, who="me", when=SAID.when))

    def ask(self) -> Annotations:
        """A process of the API that remembers nothing."""
        return Annotations(Catalog(self.store), self.store, nullcontext)

    def inspect(self, package: Package) -> None:
        """As a worker does it."""
        job = replace(self._job(package), work=Work.INSPECTION, render_key=inspection_key(package.id))
        self._renderer.render(job, SPEC, lambda count, samples: None)

    def ordered(self, package: Package) -> Annotation:
        """What a batch orders of the model."""
        asked = self.ask()
        return asked.ordered(package.id, SPEC, None, package.id in asked.known([package.id]))[0]

    def rendered(self, package: Package) -> Manifest:
        """The result of a batch of the model."""
        asked = self.ask()
        annotation, provenance = asked.ordered(package.id, SPEC, None, package.id in asked.known([package.id]))
        key = render_key(package.id, annotation, SPEC)
        job = replace(self._job(package), annotation=annotation, provenance=provenance, render_key=key)
        self._renderer.render(job, SPEC, lambda count, samples: None)
        return read_manifest(self.store.get(result_object(key, MANIFEST)), "here")

    def proposed(self, package: Package) -> Annotation:
        """What the API says that counts."""
        return self.ask().effect(package.id).annotation(AnnotationRule.PROPOSALS, 0.0)

    @staticmethod
    def _job(package: Package) -> Job:
        return replace(new_jobs(1)[0], model=package.id, samples=4)


@pytest.fixture
def told(tmp_path: Path, mascots: dict[str, Path], lasting_blender: Blender) -> Told:
    return Told(tmp_path, mascots, lasting_blender)


def named(annotation: Annotation) -> dict[str, str]:
    return {target: ref.name for target, ref in annotation.items()}


def row(annotations: Annotations, name: str) -> dict[str, int]:
    (found,) = (each.proposals for each in annotations.rows("spring").sorted if each.name == name)
    return found


def test_once_its_pictures_are_there_a_model_is_told_of_as_it_is_rendered(told: Told) -> None:
    # GIVEN models that nobody has drawn: the files alone are told of, and that this is so
    before = told.ask()
    assert sorted(before.rows("spring").digest.unseen) == sorted(told.packages)
    assert not any(before.effect(model).pictured for model in told.packages)
    assert (row(before, BLINK)[CLOSED], named(told.proposed(told.hidden))[CLOSED]) == (1, BLINK)
    orders = {model: told.ordered(package) for model, package in told.packages.items()}

    # WHEN workers have drawn their morphs
    for package in told.packages.values():
        told.inspect(package)

    # THEN records, the names' table and what a verdict on a name holds for say what a render plays; orders are as they were
    after = told.ask()
    assert after.rows("spring").digest.unseen == {}
    assert all(after.effect(model).pictured for model in told.packages)
    assert (row(after, BLINK), row(after, SECOND)) == ({}, {CLOSED: 1})
    blink = next(each for each in after.rows("spring").sorted if each.name == BLINK)
    assert not blink.passes(told.hidden.id, CLOSED)
    for package in told.packages.values():
        manifest = told.rendered(package)
        assert named(told.proposed(package)) == named(manifest.annotation), package.name
        assert told.ordered(package) == orders[package.id]
    assert KeptPictures(told.store).drawn(list(told.packages)) == set(told.packages)


def test_what_nobody_has_spoken_of_is_rendered_as_it_is_told_where_somebody_has_of_the_rest(told: Told) -> None:
    # GIVEN somebody who saw the pictures, and decided about a mouth alone
    told.inspect(told.hidden)
    spoken = named(told.proposed(told.hidden))[VOWEL]
    index = next(each.index for each in told.hidden.inventory.morphs if each.name == spoken)
    said = {VOWEL: (VerdictStatus.REJECTED, MorphRef(index=index, name=spoken))}
    told.ask().records.change(told.hidden.id, 0, said, SAID, ())

    # WHEN it is rendered by proposals
    manifest = told.rendered(told.hidden)

    # THEN the eyes close by the morph that was shown to do so, and the mouth is as was said
    assert named(manifest.annotation) == named(told.proposed(told.hidden))
    assert named(manifest.annotation)[CLOSED] == SECOND
    assert VOWEL not in manifest.annotation


def test_a_render_s_few_pictures_take_nothing_from_those_of_all_morphs(told: Told) -> None:
    told.inspect(told.winking)
    assert told.ask().effect(told.winking.id).pictured
    catalog = Catalog(told.store)
    seen = catalog.pictured(told.winking.id)
    assert seen is not None
    first = seen.morphs[0].evidence
    assert first is not None
    assert first.picture is not None

    catalog.keep_pictures(told.winking.id, {0: first.picture})

    assert catalog.pictured(told.winking.id) == seen
