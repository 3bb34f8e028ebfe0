"""No label says what no picture shows: annotated morphs that change nothing are dropped, whatever the cause."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm.catalog import Catalog
from farm.dataset.manifest import MANIFEST, Manifest, result_object
from farm.dataset.usability import reasons_against
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender
from farm.drawing.render import Interrupted, Reporter, render
from farm.errors import UnusableModelError
from farm.models.description import Character, VertexMorph
from farm.models.materials import MaterialFlag
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import Package, read_character, read_model
from farm.models.vrm.writer import vrm_bytes
from farm.morphs.annotation import sampled_targets
from farm.morphs.panels import Panel
from farm.morphs.vocabulary import all_targets
from farm.poses import SAMPLES_FEW, SAMPLES_MANY, Partition, draw, pose_vector
from farm.spec import RenderSpec, render_key
from farm.storage import LocalStore
from tests.support.by_names import by_names
from tests.support.characters import mascot_and_pictures, pictures_of
from tests.support.fixtures import assignment_for

pytestmark = pytest.mark.blender
QUIET = Reporter(images=lambda count: None, stage=lambda name, seconds: None, drawn=lambda style, partition: None)
SPEC = RenderSpec(seed=3, samples=6, size=48, styles=("flat",))
NAME = "あ"
"""A morph of nagi that opens the mouth."""


def package_of(mascots: dict[str, Path], folder: Path, change: Callable[[Character], Character]) -> Package:
    """nagi, changed, with all its textures."""
    shutil.copytree(mascots["nagi"].parent, folder)
    path = folder / mascots["nagi"].name
    path.write_bytes(pmx_bytes(change(read_character(".pmx", path.read_bytes()))))
    return read_model(path)


def as_named(package: Package, spec: RenderSpec) -> Assignment:
    """All of the package, with what the names of its morphs alone say, as a person may who has not looked."""
    annotation = by_names(package.inventory)
    plain = assignment_for(package, spec)
    return replace(plain, annotation=annotation, render_key=render_key(package.id, annotation, spec))


def with_morph(character: Character, offsets: Callable[[VertexMorph], VertexMorph]) -> Character:
    morphs = tuple(offsets(m) if m.name == NAME and isinstance(m, VertexMorph) else m for m in character.morphs)
    assert any(m.name == NAME for m in morphs)
    return replace(character, morphs=morphs)


def tiny(character: Character) -> Character:
    """The morph moves its vertices by less than anyone can see."""
    return with_morph(character, lambda m: replace(m, offsets=m.offsets * np.float32(1e-7)))


def behind_the_head(character: Character) -> Character:
    """The morph moves what the face hides: a vertex of the back of the head."""
    hidden = np.array([np.argmax(character.positions[:, 2])], np.int32)
    return with_morph(character, lambda m: replace(m, vertices=hidden, offsets=np.array([[0, 0, 0.3]], np.float32)))


@pytest.mark.parametrize("change", [tiny, behind_the_head])
def test_a_morph_that_changes_no_pixel_is_neither_sampled_nor_labelled(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path, change: Callable[[Character], Character]
) -> None:
    # GIVEN a model one of whose annotated morphs shows nothing
    package = package_of(mascots, tmp_path / "model", change)
    store, assignment = LocalStore(tmp_path / "store"), as_named(package, SPEC)
    Catalog(store).add(package)
    (target,) = [target for target, morph in assignment.annotation.items() if morph.name == NAME]

    # WHEN it is rendered
    warnings = render(assignment, store, blender, QUIET).warnings

    # THEN the manifest says that it was left out, and every pose is one of what remains
    manifest = Manifest.model_validate_json(store.get(result_object(assignment.render_key, MANIFEST)))
    assert manifest.unseen == {target: assignment.annotation[target]}
    assert manifest.annotation == {t: m for t, m in assignment.annotation.items() if t != target}
    assert manifest.target_morphs == len(sampled_targets(assignment.annotation)) - 1
    assert sum(f"'{NAME}' changes nothing" in warning for warning in warnings) == 1
    assert manifest.warnings == warnings
    assert (manifest.render_key, manifest.samples) == (assignment.render_key, assignment.samples)
    assert len(manifest.images) == assignment.images_total
    targets = sampled_targets(manifest.annotation)
    for image in manifest.images:
        sample = draw(SPEC.seed, package.id, image.sample, targets)
        assert target not in sample.weights
        assert image.pose == pose_vector(sample, all_targets(), image.partition)


def test_a_resumed_attempt_plans_as_the_first_one_did(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    package = package_of(mascots, tmp_path / "model", tiny)
    assignment = as_named(package, SPEC)
    files = []
    for stops in (False, True):
        store = LocalStore(tmp_path / f"store-{stops}")
        Catalog(store).add(package)

        def stop(count: int) -> None:
            if count >= 5:
                raise Interrupted("The worker was told to stop.")

        if stops:
            with pytest.raises(Interrupted):
                render(assignment, store, blender, replace(QUIET, images=stop))
        render(assignment, store, blender, QUIET)
        files.append({key: store.get(key) for key in store.list("renders/")})

    assert files[0] == files[1]


@pytest.mark.parametrize(("ordered", "stops"), [(6, False), (6, True), (7, False)])
def test_the_count_of_samples_follows_the_targets_that_show(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path, ordered: int, stops: bool
) -> None:
    # GIVEN a model of six or seven target morphs of which one shows nothing
    package = package_of(mascots, tmp_path / "model", tiny)
    whole = as_named(package, SPEC).annotation
    chosen = [target.name for target in sampled_targets(whole)]
    chosen.sort(key=lambda target: whole[target].name != NAME)
    annotation = {target: morph for target, morph in whole.items() if target in chosen[:ordered]}
    spec = RenderSpec(size=32, styles=("flat",), partitions=(Partition.FRONTAL,))
    assignment = Assignment(package.id, annotation, SAMPLES_MANY, render_key(package.id, annotation, spec), spec)
    store = LocalStore(tmp_path / "store")
    Catalog(store).add(package)
    told: list[int] = []

    def stop(count: int) -> None:
        if count >= 5:
            raise Interrupted("The worker was told to stop.")

    # WHEN it is rendered, perhaps by two attempts
    if stops:
        with pytest.raises(Interrupted):
            render(assignment, store, blender, replace(QUIET, images=stop))
    manifest = render(assignment, store, blender, replace(QUIET, planned=told.append))

    # THEN those that remain decide, from the first word on
    expected = SAMPLES_FEW if ordered == 6 else SAMPLES_MANY
    assert (manifest.target_morphs, manifest.samples, told) == (ordered - 1, expected, [expected])
    assert sorted(image.sample for image in manifest.images) == list(range(expected))
    assert [shard.images for shard in manifest.shards] == [expected]


def normals_away(character: Character) -> Character:
    return replace(character, normals=-character.normals)


def one_sided_nagi() -> Character:
    mascot = mascot_and_pictures("nagi")
    character, pictures = mascot.character, dict(pictures_of(mascot))
    embedded = {place: pictures[path] for place, path in enumerate(character.textures)}
    materials = tuple(
        replace(material, flags=material.flags & ~MaterialFlag.DOUBLE_SIDED) for material in character.mmd_materials
    )
    return replace(character, embedded=embedded, materials=materials)


def eyes_inside_the_head(character: Character) -> Character:
    """A chibi: its closed eyes are a plate that waits inside the head until its only morph brings it out."""
    (head,) = (i for i, bone in enumerate(character.bones) if bone.name == "頭")
    on_head = character.positions[character.bone_indices[:, 0] == head]
    centre = (on_head.min(axis=0) + on_head.max(axis=0)) / 2
    first, size = len(character.positions), np.ptp(on_head[:, 1]) / 5
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32) * size + centre

    def longer(values: np.ndarray, row: object) -> np.ndarray:
        return np.concatenate([values, np.repeat(np.array([row], values.dtype), 4, axis=0)])

    offsets = np.repeat(np.array([[0, 0, on_head[:, 2].min() - centre[2] - 0.5]], np.float32), 4, axis=0)
    vertices = np.arange(first, first + 4, dtype=np.int32)
    last = character.mmd_materials[-1]
    plate = replace(last, name="plate", texture=None, first_triangle=len(character.triangles), triangle_count=4)
    faces = np.array([[0, 2, 1], [0, 3, 2], [0, 1, 2], [0, 2, 3]], np.int32) + first
    return replace(
        character,
        positions=np.concatenate([character.positions, square.astype(np.float32)]),
        normals=longer(character.normals, (0, 0, 1)),
        uvs=longer(character.uvs, (0, 0)),
        bone_indices=longer(character.bone_indices, (head, -1, -1, -1)),
        bone_weights=longer(character.bone_weights, (1, 0, 0, 0)),
        edge_scales=longer(character.edge_scales, 0.0),
        triangles=np.concatenate([character.triangles, faces]),
        materials=(*character.materials, plate),
        morphs=(VertexMorph("まばたき", "", Panel.EYE, vertices, offsets),),
    )


@pytest.mark.parametrize("change", [normals_away, eyes_inside_the_head])
def test_a_face_is_there_when_its_morphs_change_the_picture(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path, change: Callable[[Character], Character]
) -> None:
    package = package_of(mascots, tmp_path / "model", change)
    store, assignment = LocalStore(tmp_path / "store"), as_named(package, SPEC)
    Catalog(store).add(package)

    render(assignment, store, blender, QUIET)

    manifest = Manifest.model_validate_json(store.get(result_object(assignment.render_key, MANIFEST)))
    assert reasons_against(manifest.survey) == []
    assert manifest.unseen == {}


@pytest.mark.parametrize("version", ["0.x", "1.0"])
def test_a_vrm_whose_normals_point_away_is_usable(blender: Blender, tmp_path: Path, version: str) -> None:
    # GIVEN a character none of whose surfaces is double-sided, and as it should be beside it
    faces: list[bytes] = []
    for change in (normals_away, lambda character: character):
        character = change(one_sided_nagi())
        (tmp_path / "model.vrm").write_bytes(vrm_bytes(character, version))
        package = read_model(tmp_path / "model.vrm")
        store, assignment = LocalStore(tmp_path / f"store-{len(faces)}"), assignment_for(package, SPEC)
        Catalog(store).add(package)

        # WHEN it is drawn
        manifest = render(assignment, store, blender, QUIET)

        # THEN every morph shows
        assert (reasons_against(manifest.survey), manifest.unseen) == ([], {})
        faces.append(store.get(result_object(assignment.render_key, manifest.basis[0].file)))

    # AND its colours are those of the sound one: normals are for the light alone
    assert faces[0] == faces[1]


@pytest.mark.parametrize("how", ["absent", "unreadable"])
def test_a_model_whose_textures_are_lost_is_unusable_and_says_which(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path, how: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(mascots["nagi"].parent, folder)
    for picture in folder.rglob("*.png"):
        picture.unlink() if how == "absent" else picture.write_bytes(b"no picture")
    package = read_model(folder / mascots["nagi"].name)
    store = LocalStore(tmp_path / "store")
    Catalog(store).add(package)

    with pytest.raises(UnusableModelError, match=r"of its head are missing.*\.png'"):
        render(assignment_for(package, SPEC), store, blender, QUIET)

    kept = SPEC.model_copy(update={"keep_unusable": True})
    manifest = render(assignment_for(package, kept), store, blender, QUIET)
    assert any("of its head are missing" in warning for warning in manifest.warnings)
