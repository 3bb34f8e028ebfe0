"""Textures that swap: no vertex moves, and the picture says whose eye it is."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from farm.catalog import Catalog
from farm.dataset.manifest import MANIFEST, read_manifest, result_object
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender
from farm.inspection.drawing import draw_pictures, look_at
from farm.inspection.pictured import by_pictures, decided_by_pictures
from farm.models.description import UVMorph, VertexMorph
from farm.models.inventory import Inventory
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import Package, read_character, read_model, to_bytes
from farm.morphs.panels import Panel
from farm.morphs.provenance import NOBODYS, Provenance
from farm.morphs.vocabulary import POSE_NAMES, Side
from farm.spec import AnnotationRule, RenderSpec, render_key
from farm.storage import LocalStore
from farm.verification.derivation import check_counts, check_poses
from farm.verification.findings import FindingList
from farm.worker.tasks import BlenderRenderer
from tests.farm.inspection.swapping import Swap, package_of
from tests.support.jobs import new_jobs

pytestmark = pytest.mark.blender
SPEC = RenderSpec(seed=3, samples=6, size=48, styles=("flat",))
NAMED_RIGHT, SHOWS_NOTHING = "ウィンク２右", "びっくり左"


def swapping(mascots: dict[str, Path], folder: Path) -> Package:
    """nagi, whose only morphs swap what is painted on her left eye, under the name of the right one; or nothing."""
    shutil.copytree(mascots["nagi"].parent, folder)
    path = folder / mascots["nagi"].name
    character = read_character(".pmx", path.read_bytes())
    left = next(morph for morph in character.morphs if morph.name == "ウィンク２")
    assert isinstance(left, VertexMorph)
    offsets = np.zeros((len(left.vertices), 4), np.float32)
    nothing = UVMorph(SHOWS_NOTHING, "", Panel.EYE, 0, left.vertices, offsets + np.float32(1e-7))
    offsets[:, 0] = 0.4
    swap = UVMorph(NAMED_RIGHT, "", Panel.EYE, 0, left.vertices, offsets)
    path.write_bytes(pmx_bytes(replace(character, morphs=(swap, nothing))))
    return read_model(path)


def test_the_side_is_the_one_that_changes_and_what_changes_nothing_plays_nothing(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    # GIVEN names alone, which are believed where nothing was measured
    package = swapping(mascots, tmp_path / "model")
    assert set(package.inventory.annotation) == {"eye/closed/right", "eye/wide/left"}

    # WHEN the pictures are looked at
    drawn = draw_pictures(blender, package.id, to_bytes(package), package.inventory)
    inventory = decided_by_pictures(package, drawn.inspection)

    # THEN the left eye's morph is the left one's, the other plays nothing, and both are told why
    assert {target: ref.name for target, ref in inventory.annotation.items()} == {"eye/closed/left": NAMED_RIGHT}
    swap, nothing = inventory.morphs
    assert swap.evidence is not None
    assert swap.evidence.side is Side.LEFT
    assert swap.confidence is not None
    named = package.inventory.morphs[0].confidence
    assert named is not None
    assert swap.confidence > named
    assert any("taken as left" in reason for reason in swap.reasons)
    assert nothing.reasons == ["it changes nothing that shows"]
    assert not nothing.judgement().shows
    assert inventory.model_copy(update={"morphs": [], "annotation": {}, "target_morphs": 0, "samples": 0}) == (
        package.inventory.model_copy(update={"morphs": [], "annotation": {}, "target_morphs": 0, "samples": 0})
    )


EYE, BROW, MOUTH = Panel.EYE, Panel.EYEBROW, Panel.MOUTH
WINK, SMILE, BLINK, REST, HALF, SMALL, WIDE, ANGER, SERIOUS, DOWN, OPEN, NONE = (
    "ウィンク２右", "まばたき", "まばたき２", "なごみ", "じと目",
    "びっくり", "びっくり２", "怒り", "真面目", "下", "あ", "い",
)  # fmt: skip
FACES = (
    Swap(WINK, EYE, {"ウィンク２": 1}),
    Swap(SMILE, EYE, {"笑い": 1}),
    Swap(BLINK, EYE, {"まばたき": 1}),
    Swap(REST, EYE, {"まばたき": 1}),
    Swap(HALF, EYE, {"じと目": 1}),
    Swap(SMALL, EYE, {}, iris=0.6),
    Swap(WIDE, EYE, {"びっくり": 1}),
    Swap(ANGER, BROW, {"上": 1}),
    Swap(SERIOUS, BROW, {"怒り": 1}),
    Swap(DOWN, BROW, {"あ": 1}),
    Swap(OPEN, MOUTH, {"あ": 1}),
    Swap(NONE, MOUTH, {}),
)
"""Names, and what they show. By names alone the wink is the right eye's, the smile blinks, and DOWN lowers the brows."""


@pytest.fixture(scope="module")
def faces(mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Package:
    return package_of(mascots, tmp_path_factory.mktemp("faces") / "model", FACES)


@pytest.fixture(scope="module")
def drawn(faces: Package, lasting_blender: Blender) -> Inventory:
    return decided_by_pictures(
        faces, draw_pictures(lasting_blender, faces.id, to_bytes(faces), faces.inventory).inspection
    )


def test_a_face_that_swaps_plays_what_is_seen(faces: Package, drawn: Inventory) -> None:
    assert {
        target: ref.name
        for target, ref in faces.inventory.annotation.items()
        if target in ("eye/closed/right", "mouth/i")
    } == {"eye/closed/right": WINK, "mouth/i": NONE}
    assert {target: ref.name for target, ref in drawn.annotation.items()} == {
        "eye/closed/both": BLINK,
        "eye/closed/left": WINK,
        "eye/wide/both": WIDE,
        "eye/half_closed/both": HALF,
        "eyebrow/angry/both": SERIOUS,
        "mouth/a": OPEN,
    }


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (SMILE, "in the picture the eye closes in a smile (^)"),
        (REST, "in the picture the eye is shut all the way"),
        (SMALL, "in the picture the iris is smaller, and the eye is not larger"),
        (ANGER, "nothing in the picture puts the brow's inner end down"),
        (DOWN, "what it changes in the picture is not the brows"),
        (NONE, "it changes nothing that shows"),
    ],
)
def test_what_shows_something_else_is_told_so(drawn: Inventory, name: str, reason: str) -> None:
    (entry,) = (morph for morph in drawn.morphs if morph.name == name)
    assert entry.proposal is None
    assert reason in " ".join(entry.reasons)
    assert any(reason in why for why in entry.denied.values())


def look(inventory: Inventory, name: str, part: str) -> Any:
    """What the picture shows of a part of the face when the morph of this name plays."""
    (entry,) = (morph for morph in inventory.morphs if morph.name == name)
    assert entry.evidence is not None
    assert entry.evidence.picture is not None
    assert entry.evidence.picture.looks is not None
    return entry.evidence.picture.looks.model_dump()[part]


def test_what_is_seen_is_recorded_in_numbers_by_side(drawn: Inventory) -> None:
    shut = look(drawn, WINK, "left_eye")
    assert shut["open"] < 0.3
    assert shut["lash"] < 0.02
    assert look(drawn, WINK, "right_eye") == {"open": 1, "size": 1, "iris": 1, "white": 1, "lash": None}
    assert look(drawn, SMILE, "right_eye")["lash"] > 0.1
    small = look(drawn, SMALL, "left_eye")
    assert small["iris"] < 0.7
    assert small["white"] > 1.1
    assert small["size"] < 1.05 < look(drawn, WIDE, "left_eye")["size"]
    for brow in ("left_brow", "right_brow"):
        assert look(drawn, ANGER, brow)["lift"] > 0.01
        assert abs(look(drawn, ANGER, brow)["tilt"]) < 0.004
        assert look(drawn, SERIOUS, brow)["tilt"] > 0.02
    mouth = look(drawn, OPEN, "mouth")
    assert 0.02 < mouth["height"] < mouth["width"]
    assert look(drawn, OPEN, "parts") == ("mouth",)


def test_a_shape_shows_the_same_whether_vertices_or_textures_make_it(
    blender: Blender, mascots: dict[str, Path], drawn: Inventory
) -> None:
    package = read_model(mascots["nagi"])
    (wink,) = (morph.index for morph in package.inventory.morphs if morph.name == "ウィンク２")

    (picture,) = look_at(blender, to_bytes(package), package.inventory, [wink])

    seen = picture.change.looks
    assert seen is not None
    assert seen.left_eye is not None
    assert seen.left_eye.model_dump() == pytest.approx(look(drawn, WINK, "left_eye"), abs=0.05)


def ordered(package: Package, spec: RenderSpec = SPEC, provenance: Provenance = NOBODYS) -> Assignment:
    key = render_key(package.id, package.inventory.annotation, spec, provenance)
    return Assignment(package.id, package.inventory.annotation, 6, key, spec, provenance)


def test_whoever_draws_an_order_looks_first_and_once(
    blender: Blender, faces: Package, drawn: Inventory, tmp_path: Path
) -> None:
    # GIVEN an order by names alone
    store = LocalStore(tmp_path / "store")
    catalog = Catalog(store)
    catalog.add(faces)
    order = ordered(faces)

    # WHEN one worker takes it, and later another, which need not draw to know
    first = by_pictures(order, catalog, blender)
    idle = Blender()
    second = by_pictures(order, Catalog(store), idle)

    # THEN both draw what the pictures of all morphs say; the order and its key stay as they were
    assert first == second
    assert idle.renderer == ""
    assert first.annotation == drawn.annotation
    assert (first.ordered, first.render_key) == (order.annotation, order.render_key)
    assert catalog.annotation(faces.id) == order.annotation
    # and people are told what is seen
    assert catalog.proposals(faces.id) == catalog.pictured(faces.id)
    assert catalog.proposals(faces.id).annotation == drawn.annotation


def test_the_word_of_a_person_on_the_model_stands_and_that_on_a_name_holds_as_far_as_the_picture_lets_it(
    blender: Blender, faces: Package, tmp_path: Path
) -> None:
    catalog = Catalog(LocalStore(tmp_path / "store"))
    catalog.add(faces)

    def played(provenance: Provenance, spec: RenderSpec = SPEC) -> dict[str, str]:
        found = by_pictures(ordered(faces, spec, provenance), catalog, blender).annotation
        return {target: ref.name for target, ref in found.items()}

    by_name = played(Provenance(table=True))
    assert by_name["eye/closed/left"] == WINK
    assert not {"eye/closed/right", "eye/closed/both", "mouth/i"} & by_name.keys()

    rejected = played(Provenance(record=1, own=("eye/closed/left",)))
    assert not {"eye/closed/left", "eye/closed/right"} & rejected.keys()

    by_person = played(Provenance(record=1, own=("eye/closed/right", "mouth/i")))
    assert (by_person["eye/closed/right"], by_person["mouth/i"]) == (WINK, NONE)
    assert "eye/closed/left" not in by_person

    confirmed = SPEC.model_copy(update={"annotation": AnnotationRule.CONFIRMED})
    assert played(Provenance(record=1), confirmed) == {t: r.name for t, r in faces.inventory.annotation.items()}


def test_a_model_whose_file_tells_everything_is_drawn_without_looking(mascots: dict[str, Path], tmp_path: Path) -> None:
    package = read_model(mascots["nagi"])
    catalog = Catalog(LocalStore(tmp_path / "store"))
    catalog.add(package)
    order, idle = ordered(package), Blender()

    assert by_pictures(order, catalog, idle) is order
    assert idle.renderer == ""


def test_a_result_says_what_was_ordered_and_verifies(
    blender: Blender, faces: Package, drawn: Inventory, tmp_path: Path
) -> None:
    # GIVEN a job ordered by names alone
    store = LocalStore(tmp_path / "store")
    Catalog(store).add(faces)
    order = ordered(faces)
    job = replace(new_jobs(1)[0], model=faces.id, annotation=order.annotation, samples=6, render_key=order.render_key)

    # WHEN a worker draws it
    BlenderRenderer(store, blender).render(job, SPEC, lambda count, samples: None)

    # THEN labels are of what is seen, the manifest has both mappings, and every check of it passes
    manifest = read_manifest(store.get(result_object(order.render_key, MANIFEST)), "here")
    assert manifest.annotation == drawn.annotation
    assert manifest.ordered == order.annotation
    findings = FindingList("here")
    check_counts(manifest, findings)
    check_poses(manifest, findings)
    assert list(findings.all()) == []
    left, right = POSE_NAMES.index("eye_closed_left"), POSE_NAMES.index("eye_closed_right")
    assert any(image.pose[left] > image.pose[right] for image in manifest.images)
    assert not any(image.pose[right] > image.pose[left] for image in manifest.images)
    # and a manifest whose order was changed is found out
    forged = manifest.model_copy(update={"ordered": manifest.annotation})
    check_counts(forged, findings)
    assert any("render key" in finding.sentence for finding in findings.all())
