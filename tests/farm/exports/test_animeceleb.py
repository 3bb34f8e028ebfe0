"""The export in the release's layout, read back by a small loader that shares no code with the farm."""

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from farm.cameras import CameraSpec
from farm.dataset.manifest import MANIFEST, ImageRecord, Manifest
from farm.dataset.output import RenderedModel
from farm.errors import SpecError, StorageError
from farm.exports import running
from farm.exports.animeceleb import AnimeCelebLayout
from farm.exports.destination import MARKER
from farm.exports.running import Exported
from farm.exports.source import FolderSource
from farm.poses import Partition
from farm.spec import RenderSpec
from tests.support.rendered import NEUTRAL, hash_of, pixels, render, tree

SAMPLES = 3
STYLES = ("default", "ink")
LABELS = ("Nagi_v2", "桃", "Sora (swim, 2nd)")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three models, two styles, both partitions."""
    for label in LABELS:
        render(tmp_path / "rendered", label)
    return tmp_path / "rendered"


def export(source: Path, out: Path, **options: Any) -> Exported:
    return running.export(FolderSource(source), str(out), AnimeCelebLayout(), **options)


def _read_list(path: Path) -> list[str]:
    """As the loaders do it: the last character of each line is cut, newline or not."""
    with path.open("r") as file:
        return [line[:-1] for line in file]


def _read_png(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (256, 256, 4), path
    assert pixels.dtype == np.uint8, path
    assert not pixels[pixels[..., 3] == 0].any(), f"{path}: colour where alpha is 0"
    return pixels


class _Loader:
    """Reads one root as the design text says that the authors' loaders do."""

    def __init__(self, root: Path, lists: Path) -> None:
        self.root = root
        self.tree: dict[str, Any] = json.loads((root / "cached.json").read_text("ascii"))
        self.train, self.test = _read_list(lists / "train_list.txt"), _read_list(lists / "test_list.txt")
        with (root / "combined_pose.csv").open(newline="", encoding="utf-8") as file:
            self.header, *self.rows = list(csv.reader(file))

    def pictures(self, org_id: str, partition_folder: str) -> dict[str, NDArray[np.uint8]]:
        entry = self.tree[org_id]
        folder = self.root / partition_folder / entry["num_cluster"] / entry["folder_name"]
        pictures = {name: _read_png(folder / name) for name in entry["img_names"]}
        assert {path.name for path in folder.iterdir()} == pictures.keys(), "files that no row names"
        return pictures

    def basis(self, org_id: str) -> NDArray[np.uint8]:
        return _read_png(self.root / "basis" / self.tree[org_id]["folder_name"] / "basis.png")


def test_the_loaders_find_every_picture_under_its_name(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "release"

    result = export(source, out)

    assert (result.styles, result.models, result.images, result.copied) == (STYLES, 3, 3 * SAMPLES * 2 * 2, 0)
    assert (result.train, result.test) == (2, 1)
    assert sorted(p.name for p in out.iterdir()) == sorted(
        ["combined_default", "combined_ink", "train_list.txt", "test_list.txt", MARKER]
        + ["README.md", "SHA256SUMS", "croissant.json", "making.json", "models.jsonl", "train", "test"]
    )
    for style in STYLES:
        loader = _Loader(out / f"combined_{style}", out)
        assert len(loader.tree) == 3
        seen = set()
        for org_id in loader.tree:
            entry = loader.tree[org_id]
            label = next(n for n in LABELS if entry["folder_name"].endswith(hash_of(n)[:8]))
            seen.add(label)
            np.testing.assert_array_equal(loader.basis(org_id), pixels(label, style, "basis", NEUTRAL))
            rotation, expression = loader.pictures(org_id, "rotation"), loader.pictures(org_id, "expression")
            assert rotation.keys() == expression.keys()
            assert len(rotation) == SAMPLES >= 1
            for sample, name in enumerate(entry["img_names"]):
                assert name.startswith(f"{entry['folder_name']}_")
                assert name.endswith(".png")
                assert name.split("_")[0] == entry["folder_name"], "the loaders rebuild the folder's name like this"
                np.testing.assert_array_equal(rotation[name], pixels(label, style, "rotated", sample))
                np.testing.assert_array_equal(expression[name], pixels(label, style, "frontal", sample))
        assert seen == set(LABELS)


def test_a_row_holds_the_pose_of_the_rotated_picture(source: Path, tmp_path: Path) -> None:
    export(source, tmp_path / "release")

    loader = _Loader(tmp_path / "release" / "combined_ink", tmp_path / "release")
    assert loader.header[:3] == ["org_id", "folder_name", "png_name"]
    assert len(loader.header) == 3 + 20
    assert loader.header[3] == "eye_closed_left"
    assert loader.header[-3:] == ["rotation_x", "rotation_y", "rotation_z"]
    assert len(loader.rows) == 3 * SAMPLES
    expected = {}
    for manifest in (Manifest.model_validate_json(p.read_bytes()) for p in source.glob(f"*/{MANIFEST}")):
        for image in manifest.images:
            if (image.style, image.partition) == ("ink", Partition.ROTATED):
                expected[manifest.model.id[:8], image.sample] = image.pose
    for org_id, cluster, png_name, *floats in loader.rows:
        pose = tuple(float(value) for value in floats)
        entry = loader.tree[org_id]
        folder = entry["folder_name"]
        assert f"{int(cluster):05d}" == entry["num_cluster"]
        assert png_name.startswith(f"{folder}_")
        assert pose == tuple(entry["pose_information"][entry["img_names"].index(png_name)])
        folder, _, sample = png_name.removesuffix(".png").rpartition("_")
        assert pose == expected[folder[-8:], int(sample)]
        assert any(pose[17:])
        assert all(-20 <= angle <= 20 for angle in pose[17:])


def test_ids_survive_being_read_as_numbers_and_the_lists_part_them(source: Path, tmp_path: Path) -> None:
    export(source, tmp_path / "release")

    loader = _Loader(tmp_path / "release" / "combined_default", tmp_path / "release")
    for org_id in loader.tree:
        assert str(int(float(org_id))) == org_id
    assert loader.train
    assert loader.test
    assert sorted(loader.train + loader.test) == sorted(loader.tree)
    for name in ("train_list.txt", "test_list.txt"):
        assert (tmp_path / "release" / name).read_bytes().endswith(b"\n")


def test_exports_are_equal_in_every_byte_and_name_no_place(source: Path, tmp_path: Path) -> None:
    export(source, tmp_path / "one")
    first = tree(tmp_path / "one")

    export(source, tmp_path / "one")
    export(source, tmp_path / "deep" / "two")

    assert tree(tmp_path / "one") == tree(tmp_path / "deep" / "two") == first
    assert not any(str(tmp_path).encode() in data for data in first.values())
    assert not any(p.is_symlink() for p in (tmp_path / "one").rglob("*"))


def test_an_export_costs_no_space(source: Path, tmp_path: Path) -> None:
    export(source, tmp_path / "release")

    inodes = {p.stat().st_ino for p in source.rglob("*.png")}
    pictures = list((tmp_path / "release").rglob("*.png"))
    assert len(pictures) == 3 * 2 * (3 * 2 * SAMPLES + 1)
    assert {p.stat().st_ino for p in pictures} == inodes


def test_another_file_system_gets_copies(source: Path, tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK) or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system at /dev/shm")
    export(source, tmp_path / "linked")

    with tempfile.TemporaryDirectory(dir=memory) as elsewhere:
        result = export(source, Path(elsewhere))
        copies = tree(Path(elsewhere))

    assert result.copied == 3 * 2 * (2 * SAMPLES + 1)
    assert copies == tree(tmp_path / "linked")


def test_a_picture_behind_a_symbolic_link_becomes_a_file(source: Path, tmp_path: Path) -> None:
    picture = next(source.rglob("*_00001.png"))
    elsewhere = picture.rename(tmp_path / "elsewhere.png")
    picture.symlink_to(elsewhere)

    result = export(source, tmp_path / "release")

    assert result.copied == 1
    assert not any(p.is_symlink() for p in (tmp_path / "release").rglob("*"))


def test_names_and_sides_hold_when_models_are_added(tmp_path: Path) -> None:
    source, few, many = tmp_path / "rendered", tmp_path / "few", tmp_path / "many"
    labels = [f"cat {number}" for number in range(24)]
    only_default = RenderSpec(styles=("default",))
    for label in labels[:16]:
        render(source, label, only_default, samples=1)
    export(source, few)
    for label in labels[16:]:
        render(source, label, only_default, samples=1)
    export(source, many)

    before, after = _Loader(few / "combined_default", few), _Loader(many / "combined_default", many)
    assert len(before.tree) == 16
    assert len(after.tree) == 24
    assert before.tree.items() <= after.tree.items()
    assert set(before.test) <= set(after.test)
    assert set(before.train) <= set(after.train)


def test_one_model_is_for_training(tmp_path: Path) -> None:
    render(tmp_path / "rendered", "alone")

    result = export(tmp_path / "rendered", tmp_path / "release")

    assert (result.train, result.test) == (1, 0)
    assert (tmp_path / "release" / "test_list.txt").read_bytes() == b""


def test_a_new_export_replaces_all_of_the_old(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "release"
    export(source, out)
    (out / "notes.txt").write_text("mine")
    for folder in source.iterdir():
        (folder / MANIFEST).unlink()
    render(source, "another", RenderSpec(styles=("ink",)))

    export(source, out)

    assert not (out / "combined_default").exists()
    assert len(_Loader(out / "combined_ink", out).tree) == 1
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (RenderSpec(styles=STYLES, partitions=(Partition.ROTATED,)), "lacks the frontal partition"),
        (RenderSpec(styles=STYLES, size=128), "at 128 pixels"),
        (RenderSpec(styles=STYLES, backgrounds=("0" * 64,)), "over backgrounds"),
        (RenderSpec(styles=STYLES, camera=CameraSpec(views=2, yaw=(0, 9))), "from 2 views"),
        (RenderSpec(styles=STYLES[:1]), "rendered in default, and the models beside it in default, ink"),
    ],
)
def test_what_the_layout_cannot_hold_is_refused_before_anything_is_written(
    source: Path, tmp_path: Path, spec: RenderSpec, sentence: str
) -> None:
    odd = render(source, "odd one", spec)

    with pytest.raises(SpecError, match=sentence) as caught:
        export(source, tmp_path / "release")

    assert odd.folder.name in str(caught.value)
    assert "again" in str(caught.value)
    assert not (tmp_path / "release").exists()


def _replace_images(model: RenderedModel, images: Sequence[ImageRecord]) -> None:
    manifest = model.manifest.model_copy(update={"images": tuple(images)})
    (model.folder / MANIFEST).write_bytes(manifest.to_bytes())


@pytest.mark.parametrize("kept", [0, -1])
def test_pictures_that_do_not_pair_up_are_refused(source: Path, tmp_path: Path, kept: int) -> None:
    model = render(source, "torn")
    _replace_images(model, model.manifest.images[:kept])

    with pytest.raises(StorageError, match=r"do not pair up|is not there in every style"):
        export(source, tmp_path / "release")


def test_the_same_model_under_two_labels_is_refused(source: Path, tmp_path: Path) -> None:
    folder = next(source.iterdir())
    shutil.copytree(folder, folder.with_name(f"copy-of-{folder.name}"))

    with pytest.raises(StorageError, match="same model"):
        export(source, tmp_path / "release")


def test_a_missing_picture_leaves_the_earlier_export_whole(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "release"
    export(source, out)
    before = tree(out)
    next(source.rglob("*_00002.png")).unlink()

    with pytest.raises(StorageError, match="is missing; delete the folder"):
        export(source, out)

    assert {name: data for name, data in tree(out).items() if not name.startswith(".partial/")} == before


def test_an_export_that_was_killed_can_be_repeated(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "release"
    export(source, out)
    before = tree(out)
    (out / "train_list.txt").unlink()
    (out / ".partial" / "combined_default").mkdir(parents=True)

    export(source, out)

    assert tree(out) == before


def test_a_folder_with_other_things_in_it_is_refused(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "precious"
    (out / "combined_default").mkdir(parents=True)
    (out / "train_list.txt").write_text("9\n")

    for place in (out, out / "train_list.txt", source):
        with pytest.raises(StorageError, match="name a new folder"):
            export(source, place)

    assert (out / "train_list.txt").read_text() == "9\n"


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="holds no rendered models"):
        export(tmp_path, tmp_path / "release")
