"""What moves nothing that is seen plays nothing, however well it moves and is named: the next that fits plays."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from farm.catalog import Catalog
from farm.dataset.manifest import MANIFEST, Manifest, read_manifest, result_object
from farm.drawing.blender import Blender
from farm.drawing.render import Interrupted
from farm.inspection.drawing import draw_pictures
from farm.inspection.pictured import decided_by_pictures, with_understudies
from farm.jobs.states import Job
from farm.models.casting import as_seen
from farm.models.package import Package, to_bytes
from farm.morphs.evidence import PictureChange
from farm.morphs.provenance import Provenance
from farm.morphs.refs import MorphRef
from farm.spec import AnnotationRule, RenderSpec
from farm.storage import LocalStore, ObjectStore
from farm.verification.derivation import check_counts, check_poses
from farm.verification.findings import FindingList
from farm.worker.tasks import BlenderRenderer
from tests.farm.inspection.hiding import Hidden, hiding
from tests.support.fixtures import assignment_for
from tests.support.jobs import new_jobs

SPEC = RenderSpec(seed=3, samples=6, size=48, styles=("flat",))
BLINK, SECOND, THIRD, VOWEL = "まばたき", "まばたき２", "まばたき３", "い"
TWICE_HIDDEN = (Hidden(BLINK, BLINK), Hidden(SECOND, BLINK), Hidden(VOWEL, VOWEL))
"""Two blinks that nobody sees before the one that shows, and a vowel that nobody sees and that no other is named for."""
NAMED = {BLINK: THIRD, VOWEL: "ω"}


@pytest.fixture(scope="module")
def package(mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Package:
    return hiding(mascots, tmp_path_factory.mktemp("hidden") / "model", TWICE_HIDDEN, NAMED)


def names(annotation: Mapping[str, MorphRef]) -> dict[str, str]:
    return {target: ref.name for target, ref in annotation.items() if target in ("eye/closed/both", "mouth/i")}


def job_of(package: Package) -> Job:
    order = assignment_for(package, SPEC)
    return replace(
        new_jobs(1)[0], model=package.id, annotation=order.annotation, samples=6, render_key=order.render_key
    )


def drawn(package: Package, store: ObjectStore, blender: Blender, stops: bool = False) -> Manifest:
    def images(count: int, samples: int) -> None:
        if stops and count >= 5:
            raise Interrupted("The worker was told to stop.")

    job = job_of(package)
    BlenderRenderer(store, blender).render(job, SPEC, images)
    return read_manifest(store.get(result_object(job.render_key, MANIFEST)), "here")


def test_the_file_alone_takes_what_moves_best_and_knows_who_else_fits(package: Package) -> None:
    inventory = package.inventory

    assert names(inventory.annotation) == {"eye/closed/both": BLINK, "mouth/i": VOWEL}
    assert [each.morph.name for each in inventory.understudies["eye/closed/both"]] == [SECOND, THIRD]
    assert "mouth/i" not in inventory.understudies
    assert all(each.reasons and each.confidence > 0.3 for each in inventory.understudies["eye/closed/both"])


@pytest.mark.blender
def test_pictures_hand_the_target_to_the_next_that_shows(package: Package, lasting_blender: Blender) -> None:
    pictures = draw_pictures(lasting_blender, package.id, to_bytes(package), package.inventory).inspection

    seen = decided_by_pictures(package, pictures)

    assert names(seen.annotation) == {"eye/closed/both": THIRD}
    first, _, vowel, third = (seen.morphs[index] for index in (0, 1, 2, 3))
    for hidden in (first, vowel):
        assert (hidden.proposal, hidden.reasons) == (None, ["it changes nothing that shows"])
        assert not hidden.judgement().shows
    assert (third.name, third.proposal) == (THIRD, "eye/closed/both")
    assert third.reasons[-1] == f"morph 0, '{BLINK}', changes nothing that shows"
    assert seen.target_morphs == package.inventory.target_morphs - 1


def test_flat_pictures_of_a_model_without_its_textures_take_no_target_away(package: Package) -> None:
    nothing = PictureChange(count=0, picture_left=0, picture_right=0)
    blank = [
        entry.model_copy(update={"evidence": entry.evidence.model_copy(update={"picture": nothing})})
        for entry in package.inventory.morphs
        if entry.evidence is not None
    ]
    whole = package.inventory.model_copy(update={"morphs": blank})

    assert not as_seen(whole).annotation
    lacking = whole.model_copy(update={"textures_absent": ["face.png"]})
    assert as_seen(lacking) == lacking


@pytest.mark.blender
def test_a_render_plays_the_next_that_shows_and_says_so(package: Package, blender: Blender, tmp_path: Path) -> None:
    # GIVEN an order by the file alone
    store = LocalStore(tmp_path / "store")
    Catalog(store).add(package)

    # WHEN a worker draws it
    manifest = drawn(package, store, blender)

    # THEN the blink that shows plays, what has no other plays nothing, and the result tells both and verifies
    assert names(manifest.annotation) == {"eye/closed/both": THIRD}
    assert manifest.ordered == job_of(package).annotation
    assert names(manifest.unseen) == {"mouth/i": VOWEL}
    assert any(f"'{BLINK}' changes nothing" in said and f"'{THIRD}' plays" in said for said in manifest.warnings)
    assert any(image.pose[0] > 0 for image in manifest.images)
    findings = FindingList("here")
    check_counts(manifest, findings)
    check_poses(manifest, findings)
    assert list(findings.all()) == []


@pytest.mark.blender
def test_an_attempt_that_goes_on_casts_as_the_first_one_did(package: Package, blender: Blender, tmp_path: Path) -> None:
    files = []
    for stops in (False, True):
        store = LocalStore(tmp_path / f"store-{stops}")
        Catalog(store).add(package)
        if stops:
            with pytest.raises(Interrupted):
                drawn(package, store, blender, stops=True)
        drawn(package, store, blender)
        files.append({key: store.get(key) for key in store.list("renders/")})

    assert files[0] == files[1]


def test_nobody_stands_in_where_people_have_spoken(package: Package, tmp_path: Path) -> None:
    catalog = Catalog(LocalStore(tmp_path / "store"))
    catalog.add(package)
    order = assignment_for(package, SPEC)
    confirmed = replace(order, spec=SPEC.model_copy(update={"annotation": AnnotationRule.CONFIRMED}))
    sure = replace(order, spec=SPEC.model_copy(update={"least_confidence": 1.0}))

    assert [ref.name for ref in with_understudies(order, catalog).understudies["eye/closed/both"]] == [SECOND, THIRD]
    for spoken in (
        replace(order, provenance=Provenance(record=1)),
        replace(order, provenance=Provenance(table=True)),
        replace(order, provenance=Provenance(groups={"spring": 1})),
        replace(order, annotation={**order.annotation, "eye/closed/both": MorphRef(index=1, name=SECOND)}),
        confirmed,
        sure,
    ):
        assert "eye/closed/both" not in with_understudies(spoken, catalog).understudies
