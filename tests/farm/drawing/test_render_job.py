"""A job through the worker's own code, with real Blender: results, determinism, recomputed poses, recovery."""

import csv
import hashlib
import io
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from farm.backgrounds import choose, decode, ground, normalise
from farm.cameras import CameraSpec
from farm.catalog import Catalog
from farm.colour import laid_over
from farm.dataset.gallery import GALLERY
from farm.dataset.manifest import CONTACT_SHEET, MANIFEST, Manifest, result_object
from farm.dataset.output import POSE_COLUMNS, POSES, read_output, unpack_result
from farm.dataset.shards import read_shard
from farm.dataset.summary import Summary, summarise
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender
from farm.drawing.render import Reporter, render
from farm.errors import BlenderDiedError, MappingError, NotFoundError, StorageError
from farm.jobs.states import StaleAttempt
from farm.models.package import Package
from farm.morphs.annotation import sampled_targets
from farm.morphs.refs import BARE, MorphRef
from farm.morphs.vocabulary import all_targets
from farm.poses import LIGHT_RANGE, ROTATION_LIMIT, Partition, draw, pose_vector, rotation_matrix
from farm.spec import RenderSpec
from farm.storage import LocalStore
from farm.styles import PAPER_STYLES
from farm.views import draw_views
from tests.support.fixtures import assignment_for, read_mascot
from tests.support.results import results_in

pytestmark = pytest.mark.blender
SPEC = RenderSpec(seed=42, samples=4, size=48)
QUIET = Reporter(images=lambda count: None, stage=lambda name, seconds: None, drawn=lambda style, partition: None)


@pytest.fixture(scope="module")
def packages(mascots: dict[str, Path]) -> dict[str, Package]:
    return {name: read_mascot(mascots, name) for name in mascots}


def store_with(folder: Path, packages: dict[str, Package]) -> LocalStore:
    store = LocalStore(folder)
    for package in packages.values():
        Catalog(store).add(package)
    return store


@pytest.fixture(scope="module")
def rendered(
    blender: Blender, packages: dict[str, Package], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Assignment]]:
    """Both mascots, nagi first; the store's folder and the assignments."""
    folder = tmp_path_factory.mktemp("store")
    store = store_with(folder, packages)
    assignments = {name: assignment_for(packages[name], SPEC) for name in ("nagi", "momo")}
    for assignment in assignments.values():
        render(assignment, store, blender, QUIET)
    return folder, assignments


def manifest_of(folder: Path, assignment: Assignment) -> Manifest:
    return Manifest.model_validate_json((folder / result_object(assignment.render_key, MANIFEST)).read_bytes())


def test_another_worker_in_another_order_gives_the_same_bytes(
    rendered: tuple[Path, dict[str, Assignment]], packages: dict[str, Package], tmp_path: Path
) -> None:
    store = store_with(tmp_path / "store", packages)
    other = Blender()
    try:
        for name in ("momo", "nagi"):
            render(assignment_for(packages[name], SPEC), store, other, QUIET)
    finally:
        other.stop()

    assert results_in(tmp_path / "store") == results_in(rendered[0])


def test_a_result_holds_every_image_once_in_its_shard(rendered: tuple[Path, dict[str, Assignment]]) -> None:
    folder, assignments = rendered
    for assignment in assignments.values():
        manifest = manifest_of(folder, assignment)
        assert len(manifest.images) == 4 * 2 * 4
        assert {(s.style, s.partition) for s in manifest.shards} == {(s, p) for s in PAPER_STYLES for p in Partition}
        for shard in manifest.shards:
            path = folder / result_object(assignment.render_key, shard.file)
            assert hashlib.sha256(path.read_bytes()).hexdigest() == shard.sha256
            assert path.stat().st_size == shard.bytes
            members = dict(read_shard(path))
            images = [i for i in manifest.images if (i.style, i.partition) == (shard.style, shard.partition)]
            assert len(images) == shard.images == 4
            assert set(members) == {f for i in images for f in (i.file, i.file.replace(".png", ".json"))}
            for image in images:
                assert hashlib.sha256(members[image.file]).hexdigest() == image.sha256
                assert path.read_bytes()[image.offset : image.offset + image.bytes] == members[image.file]
                with Image.open(io.BytesIO(members[image.file])) as picture:
                    assert (picture.size, picture.mode) == ((48, 48), "RGBA")
        for basis in manifest.basis:
            data = (folder / result_object(assignment.render_key, basis.file)).read_bytes()
            assert hashlib.sha256(data).hexdigest() == basis.sha256


def test_the_poses_in_the_manifest_are_those_of_the_seed(rendered: tuple[Path, dict[str, Assignment]]) -> None:
    folder, assignments = rendered
    for assignment in assignments.values():
        manifest = manifest_of(folder, assignment)
        targets = sampled_targets(manifest.annotation)
        for image in manifest.images:
            sample = draw(image.seed, manifest.model.id, image.sample, targets)
            assert image.seed == SPEC.seed
            assert image.pose == pose_vector(sample, all_targets(), image.partition)
            assert image.light == sample.light
            pitch, roll, yaw = image.pose[17:]
            np.testing.assert_allclose(image.rotation, rotation_matrix((pitch, roll, yaw)), atol=1e-8)
            assert LIGHT_RANGE[0] <= image.light <= LIGHT_RANGE[1]
            assert all(0 <= weight <= 1 for weight in image.pose[:17])
            assert all(abs(angle) <= ROTATION_LIMIT for angle in image.pose[17:])
            if image.partition is Partition.FRONTAL:
                assert image.pose[17:] == (0, 0, 0)


def test_the_partitions_of_a_sample_share_their_morphs(rendered: tuple[Path, dict[str, Assignment]]) -> None:
    folder, assignments = rendered
    by_sample: dict[int, set[tuple[float, ...]]] = {}
    for image in manifest_of(folder, assignments["nagi"]).images:
        by_sample.setdefault(image.sample, set()).add(image.pose[:17])
    assert [len(poses) for poses in by_sample.values()] == [1] * 4
    assert len({pose for poses in by_sample.values() for pose in poses}) == 4


def test_the_output_folder_agrees_with_the_manifest(
    rendered: tuple[Path, dict[str, Assignment]], tmp_path: Path
) -> None:
    # GIVEN a result laid out as a person gets it
    folder, assignments = rendered
    manifest = manifest_of(folder, assignments["nagi"])

    def fetch(file: str, path: Path) -> None:
        path.write_bytes((folder / result_object(manifest.render_key, file)).read_bytes())

    model = unpack_result(manifest, "凪 / Nagi", fetch, tmp_path)
    assert summarise([model], tmp_path) == Summary(1, len(manifest.images))

    # THEN every row of poses.csv names a picture with the manifest's bytes and numbers
    with (tmp_path / POSES).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(manifest.images)
    for row, image in zip(rows, manifest.images, strict=True):
        assert hashlib.sha256((tmp_path / row["file"]).read_bytes()).hexdigest() == image.sha256
        assert (row["style"], row["partition"], int(row["sample"])) == (image.style, image.partition, image.sample)
        assert tuple(float(row[column]) for column in POSE_COLUMNS) == image.pose
        assert [float(row[f"r{i}{j}"]) for i in range(3) for j in range(3)] == [v for r in image.rotation for v in r]
        assert (float(row["light"]), int(row["seed"])) == (image.light, image.seed)
    assert read_output(tmp_path)[0].manifest == manifest
    assert f"{model.folder.name}/{CONTACT_SHEET}" in (tmp_path / GALLERY).read_text("utf-8")
    assert manifest.contact_sheet == hashlib.sha256((model.folder / CONTACT_SHEET).read_bytes()).hexdigest()
    with Image.open(model.folder / CONTACT_SHEET) as sheet:
        assert sheet.width > 8 * 100
        assert np.asarray(sheet).std() > 10


def test_views_and_backgrounds_change_nothing_but_what_they_should(
    blender: Blender, packages: dict[str, Package], tmp_path: Path
) -> None:
    # GIVEN the same samples and views, once transparent and once over backgrounds
    store = store_with(tmp_path / "store", {"momo": packages["momo"]})
    catalog = Catalog(store)
    kept = []
    for seed in range(3):
        with io.BytesIO() as file:
            noise = np.random.default_rng(seed).integers(0, 256, (60, 90, 3), np.uint8)
            Image.fromarray(noise).save(file, "PNG")
            kept.append(normalise(file.getvalue(), "noise.png"))
        catalog.add_background(kept[-1])
    camera = CameraSpec(views=2, yaw=(-50, 50), elevation=(-10, 10))
    plain = RenderSpec(seed=5, samples=3, size=48, styles=("flat", "ink"), camera=camera)
    over = plain.model_copy(update={"backgrounds": tuple(background.id for background in kept)})
    assignments = [assignment_for(packages["momo"], spec) for spec in (plain, over)]
    for assignment in assignments:
        render(assignment, store, blender, QUIET)
    manifests = [manifest_of(tmp_path / "store", assignment) for assignment in assignments]

    # THEN each picture is the transparent one over its sample's background, and all else is equal
    def members(manifest: Manifest) -> dict[tuple[str, str, str], bytes]:
        paths = {(s.style, s.partition): tmp_path / "store" / result_object(manifest.render_key, s.file)
                 for s in manifest.shards}  # fmt: skip
        return {(*of, name): data for of, path in paths.items() for name, data in read_shard(path)}

    files = [members(manifest) for manifest in manifests]
    pixels = {background.id: decode(background.png) for background in kept}
    assert len(manifests[0].images) == over.images_of(3) == 3 * 2 * 2 * 2
    for before, after in zip(*(manifest.images for manifest in manifests), strict=True):
        key = (before.style, before.partition, before.file)
        assert before.background is None
        assert after.background == choose(over, packages["momo"].id, after.sample, lambda _: (90, 60))
        own = {"background": None, **before.model_dump(include={"sha256", "offset", "bytes"})}
        assert after.model_copy(update=own) == before
        with Image.open(io.BytesIO(files[0][key])) as one, Image.open(io.BytesIO(files[1][key])) as two:
            assert (one.mode, two.mode) == ("RGBA", "RGB")
            behind = ground(pixels[after.background.id], after.background, 48)
            np.testing.assert_array_equal(np.asarray(two), laid_over(np.asarray(one), behind))
        label = json.loads(files[1][*key[:2], before.file.replace(".png", ".json")])
        assert label["background"] == after.background.model_dump()
        assert label["view"] == after.view.model_dump()

    # AND the views are those of the seed, shared by the partitions, and in the names
    for sample in range(3):
        drawn = draw_views(5, packages["momo"].id, sample, camera)
        for partition in Partition:
            images = [i for i in manifests[0].images if (i.sample, i.partition, i.style) == (sample, partition, "ink")]
            assert tuple(image.view for image in images) == drawn
            assert [image.file[-8:] for image in images] == ["_v00.png", "_v01.png"]
    # AND the basis image is as ever: straight ahead and transparent
    basis = [tmp_path / "store" / result_object(m.render_key, m.basis[0].file) for m in manifests]
    assert basis[0].read_bytes() == basis[1].read_bytes()
    with Image.open(basis[0]) as picture:
        assert picture.mode == "RGBA"


def test_a_background_that_left_the_store_leaves_no_manifest(
    blender: Blender, packages: dict[str, Package], tmp_path: Path
) -> None:
    store = store_with(tmp_path / "store", {"momo": packages["momo"]})
    spec = RenderSpec(samples=2, size=48, styles=("flat",), backgrounds=("5" * 64,))
    assignment = assignment_for(packages["momo"], spec)

    with pytest.raises(NotFoundError, match="There is no background"):
        render(assignment, store, blender, QUIET)

    assert not store.exists(result_object(assignment.render_key, MANIFEST))


def test_a_worker_that_crashes_half_way_leaves_no_manifest_and_the_next_attempt_gives_the_same_bytes(
    rendered: tuple[Path, dict[str, Assignment]], packages: dict[str, Package], tmp_path: Path
) -> None:
    store = store_with(tmp_path / "store", {"nagi": packages["nagi"]})
    assignment = assignment_for(packages["nagi"], SPEC)
    blender = Blender()

    def kill_once(message: str, seconds: float) -> None:
        if message == "load":
            assert blender._process is not None
            os.kill(blender._process.pid, signal.SIGKILL)

    with pytest.raises(BlenderDiedError):
        render(assignment, store, blender, Reporter(QUIET.images, kill_once, QUIET.drawn))
    assert not store.exists(result_object(assignment.render_key, MANIFEST))

    render(assignment, store, blender, QUIET)
    blender.stop()

    before = {key: value for key, value in results_in(rendered[0]).items() if assignment.render_key in key}
    assert results_in(tmp_path / "store") == before


def test_bare_names_give_the_same_result_as_the_morphs_that_they_mean(
    rendered: tuple[Path, dict[str, Assignment]], packages: dict[str, Package], blender: Blender, tmp_path: Path
) -> None:
    folder, assignments = rendered
    momo = assignments["momo"]
    bare = {target: MorphRef(index=BARE, name=morph.name) for target, morph in momo.annotation.items()}
    store = store_with(tmp_path / "store", {"momo": packages["momo"]})

    render(replace(momo, annotation=bare), store, blender, QUIET)

    there = {key: digest for key, digest in results_in(folder).items() if momo.render_key in key}
    assert results_in(tmp_path / "store") == there
    assert manifest_of(tmp_path / "store", momo).annotation == momo.annotation


@pytest.mark.parametrize(
    ("morph", "sentence"),
    [
        (MorphRef(index=10_000, name="あ"), "no morph 10000"),
        (MorphRef(index=0, name="いない"), "Morph 0 of the model is"),
        (MorphRef(index=BARE, name="いない"), "no morph 'いない' that moves something"),
    ],
)
def test_an_annotation_that_does_not_fit_the_model_is_refused_before_anything_is_drawn(
    packages: dict[str, Package], tmp_path: Path, morph: MorphRef, sentence: str
) -> None:
    assignment = assignment_for(packages["momo"], SPEC)
    assignment = replace(assignment, annotation=assignment.annotation | {"mouth/a": morph})
    store = store_with(tmp_path / "store", {"momo": packages["momo"]})

    with pytest.raises(MappingError, match=sentence):
        render(assignment, store, Blender(), QUIET)

    assert not (tmp_path / "store" / "renders").exists()


def test_an_attempt_that_is_over_stops_drawing(blender: Blender, packages: dict[str, Package], tmp_path: Path) -> None:
    store = store_with(tmp_path / "store", {"momo": packages["momo"]})
    assignment = assignment_for(packages["momo"], RenderSpec(samples=200, size=48))
    seen: list[int] = []

    def cancelled(count: int) -> None:
        seen.append(count)
        if count >= 20:
            raise StaleAttempt("cancelled")

    with pytest.raises(StaleAttempt):
        render(assignment, store, blender, with_images(cancelled))

    assert max(seen) < 60
    assert not (tmp_path / "store" / "renders").exists()


def with_images(images: Callable[[int], None]) -> Reporter:
    return Reporter(images=images, stage=QUIET.stage, drawn=QUIET.drawn)


def test_a_manifest_of_an_earlier_format_is_refused_with_a_sentence(
    rendered: tuple[Path, dict[str, Assignment]], tmp_path: Path
) -> None:
    folder, assignments = rendered
    current = json.loads((folder / result_object(assignments["momo"].render_key, MANIFEST)).read_bytes())
    (tmp_path / "momo").mkdir()
    (tmp_path / "momo" / MANIFEST).write_text(json.dumps({**current, "format": 2}))

    with pytest.raises(StorageError, match="no manifest of format 3: an earlier or a later Facefarm wrote it"):
        read_output(tmp_path)
