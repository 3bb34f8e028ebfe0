"""A job with occluders, by the worker's own code and real Blender: every view twice, and all that reads results follows."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from farm.catalog import Catalog
from farm.cli import main
from farm.dataset.label_reading import ARRAYS_SUFFIX, PARTS_SUFFIX, read_arrays
from farm.dataset.manifest import MANIFEST, Manifest, result_object
from farm.dataset.output import POSES, RenderedModel, read_output, unpack_result
from farm.dataset.summary import summarise
from farm.drawing.blender import Blender
from farm.drawing.render import Reporter, render
from farm.exports.rows import record_of, rows_of
from farm.labels import LabelName, Part
from farm.models.package import Package
from farm.occluders import CODES, OccluderName, worn
from farm.poses import Partition
from farm.spec import RenderSpec
from farm.storage import LocalStore
from farm.verification.verify import verify
from tests.support.fixtures import assignment_for, read_mascot

pytestmark = pytest.mark.blender
SPEC = RenderSpec(
    seed=11,
    samples=6,
    size=48,
    styles=("flat", "ink"),
    labels=(LabelName.PARTS, LabelName.LANDMARKS, LabelName.OCCLUSION),
    occluders=tuple(OccluderName),
)
QUIET = Reporter(images=lambda count: None, stage=lambda name, seconds: None, drawn=lambda style, partition: None)


@pytest.fixture(scope="module")
def nagi(mascots: dict[str, Path]) -> Package:
    return read_mascot(mascots, "nagi")


def rendered(folder: Path, package: Package, blender: Blender, spec: RenderSpec = SPEC) -> tuple[LocalStore, Manifest]:
    store = LocalStore(folder)
    Catalog(store).add(package)
    return store, render(assignment_for(package, spec), store, blender, QUIET)


@pytest.fixture(scope="module")
def result(
    blender: Blender, nagi: Package, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LocalStore, Manifest, RenderedModel]:
    """The store, the manifest and the folder that a person gets, with its table."""
    store, manifest = rendered(tmp_path_factory.mktemp("store"), nagi, blender)
    out = tmp_path_factory.mktemp("out")

    def fetch(file: str, path: Path) -> None:
        path.write_bytes(b"".join(store.stream(result_object(manifest.render_key, file))))

    unpack_result(manifest, "Nagi", fetch, out)
    (model,) = read_output(out)
    summarise([model], out)
    return store, manifest, model


def test_every_view_is_there_without_and_with(result: tuple[LocalStore, Manifest, RenderedModel]) -> None:
    _, manifest, _ = result

    assert len(manifest.images) == SPEC.images_of(6) == 6 * 2 * 2 * 2
    assert {image.view.occluder for image in manifest.images if image.view.index == 0} == {None}
    for image in manifest.images:
        if image.view.index == 1:
            assert image.view.occluder == worn(SPEC.occluders, SPEC.seed, manifest.model.id, image.sample, 0)
    assert manifest.unworn == ()
    assert len({image.view.occluder for image in manifest.images}) > 3


def test_the_same_again_gives_the_same_bytes_and_leaves_the_bare_pictures_as_they_were(
    result: tuple[LocalStore, Manifest, RenderedModel], blender: Blender, nagi: Package, tmp_path: Path
) -> None:
    _, manifest, _ = result
    _, again = rendered(tmp_path / "again", nagi, blender)
    bare_spec = SPEC.model_copy(update={"occluders": ()})
    _, bare = rendered(tmp_path / "bare", nagi, blender, bare_spec)

    assert again.to_bytes() == manifest.to_bytes()
    first = {(i.style, i.partition, i.sample): (i.sha256, i.pose) for i in manifest.images if i.view.index == 0}
    assert first == {(i.style, i.partition, i.sample): (i.sha256, i.pose) for i in bare.images}
    assert bare.survey == manifest.survey


def test_the_folder_is_whole_and_a_changed_occluder_is_found(
    result: tuple[LocalStore, Manifest, RenderedModel], tmp_path: Path
) -> None:
    _, manifest, model = result
    out = Path(shutil.copytree(model.folder.parent, tmp_path / "out"))
    assert list(verify(out, 1, lambda report: None)) == []

    path = out / model.folder.name / MANIFEST
    name = next(image.view.occluder for image in manifest.images if image.view.occluder)
    other = next(each for each in OccluderName if each is not name)
    path.write_bytes(path.read_bytes().replace(f'"occluder":"{name}"'.encode(), f'"occluder":"{other}"'.encode()))
    assert any("elsewhere or wears" in finding.sentence for finding in verify(out, 1, lambda report: None))


def test_tables_and_rows_say_what_is_worn(result: tuple[LocalStore, Manifest, RenderedModel]) -> None:
    _, _, model = result
    with (model.folder.parent / POSES).open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    rows = rows_of(model)

    assert {(row["sample"], row["view"]): row["occluder"] for row in table} == {
        (str(row.sample), str(row.view)): row.occluder or "" for row in rows
    }
    assert {record_of(row, "train").get("occluder") for row in rows} == {
        None,
        *(r.occluder for r in rows if r.occluder),
    }
    for row in rows:
        occlusion = read_arrays(Path(row.labels[ARRAYS_SUFFIX].path).read_bytes(), SPEC.size)[LabelName.OCCLUSION]
        codes = set(np.unique(occlusion)) - {0, 1}
        assert codes == ({CODES[row.occluder]} if row.occluder else set())
        with Image.open(row.labels[PARTS_SUFFIX].path) as parts:
            assert (np.asarray(parts)[occlusion > 1] == Part.ACCESSORIES).all()


def test_the_animeceleb_layout_refuses_them(result: tuple[LocalStore, Manifest, RenderedModel], tmp_path: Path) -> None:
    from click.testing import CliRunner

    _, _, model = result
    arguments = ["export", str(model.folder.parent), "--format", "animeceleb", "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(main, arguments)

    assert found.exit_code != 0


def test_pairs_for_pytorch(result: tuple[LocalStore, Manifest, RenderedModel]) -> None:
    torch = pytest.importorskip("torch")
    from farm import torch as sets

    _, _, model = result
    faces = sets.Faces(model.folder.parent)
    (side,) = faces.sides.of.values()
    pairs = sets.Deocclusion(faces, side, style="flat", partition=Partition.FRONTAL)

    assert len(pairs) == 6
    for number in range(len(pairs)):
        item = pairs[number]
        differs = (item["input"] - item["target"]).abs().amax(dim=0) > 0.1
        hidden = item["mask"][0] > 0
        assert hidden.any()
        assert differs[hidden].float().mean() > 0.5
        around = torch.nn.functional.max_pool2d(item["mask"], 5, 1, 2)[0] > 0
        assert (differs & ~around).float().mean() < 0.005, "small pictures: slivers of a frame or a loop"
    assert len(faces.select(side, ["flat"])) == 12, "other tasks take the pictures without"
    assert len(faces.select(side, ["flat"], worn=None)) == 24
    assert len(sets.Segmentation(faces, side, style="flat")) == 24
