"""What the data sets give, compared with the pictures and labels that stand in the folders."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from farm.cameras import CameraSpec
from farm.colour import laid_over
from farm.dataset.splits import Split, split_of
from farm.errors import BackgroundError, SpecError, StorageError
from farm.exports.members import survey
from farm.exports.rows import rows_of
from farm.exports.sides import sides_of
from farm.exports.source import FolderSource
from farm.labels import LabelName
from farm.spec import RenderSpec
from tests.support.rendered import hash_of, pixels, render

torch = pytest.importorskip("torch")
data = pytest.importorskip("torch.utils.data")

from farm import torch as sets  # noqa: E402  after the skip

SPEC = RenderSpec(styles=("default", "toon", "flat", "ink"), size=32, labels=(LabelName.PARTS,))
SIDES: tuple[Split, Split] = ("train", "test")
LABELS = [next(f"{side} {n}" for n in range(999) if split_of(hash_of(f"{side} {n}")) == side) for side in SIDES]
SAMPLES = 4
RING = (20, 180, 60, 255)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rendered")
    for label in (*LABELS, "train too"):
        render(out, label, SPEC, SAMPLES)
    return out


@pytest.fixture(scope="module")
def faces(folder: Path) -> sets.Faces:
    return sets.Faces(folder)


@pytest.fixture(scope="module")
def backgrounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("backgrounds")
    Image.fromarray(np.full((50, 80, 3), (200, 40, 90), np.uint8)).save(out / "even.png")
    return out


@pytest.fixture(scope="module")
def accessories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ring: a wide empty edge, opaque paint, a hole."""
    out = tmp_path_factory.mktemp("accessories")
    ring = np.zeros((90, 120, 4), np.uint8)
    ring[20:60, 30:90] = RING
    ring[35:45, 50:70] = 0
    Image.fromarray(ring).save(out / "ring.png")
    return out


def shown(label: str, style: str, partition: str, sample: int) -> NDArray[np.uint8]:
    """The picture over white."""
    return laid_over(pixels(label, style, partition, sample, SPEC.size), np.full((32, 32, 3), 255, np.uint8))


def as_bytes(tensor: Any) -> NDArray[np.uint8]:
    """(h, w, c) bytes of a tensor that has pictures' form and range."""
    assert tensor.dtype == torch.float32
    array = np.rint(tensor.numpy() * 255)
    assert 0 <= array.min() <= array.max() <= 255
    return np.asarray(array.transpose(1, 2, 0), np.uint8)


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_sides_are_those_of_an_export(folder: Path, faces: sets.Faces) -> None:
    exported = sides_of(survey(FolderSource(folder), 1, lambda done, total: None, lambda manifest: True), ())

    assert faces.sides.of == exported.of
    assert [faces.sides.of[hash_of(label)] for label in LABELS] == list(SIDES)
    for split in SIDES:
        models = {faces.models[number].model for number, _ in faces.select(split, ["flat"])}
        assert models == {model for model, side in exported.of.items() if side == split}


def test_every_packed_row_finds_its_files(folder: Path, faces: sets.Faces) -> None:
    for model in faces.models:
        rendered = render(folder, next(n for n in (*LABELS, "train too") if hash_of(n) == model.model), SPEC, SAMPLES)
        for place, row in enumerate(rows_of(rendered)):
            for style in SPEC.styles:
                assert np.array_equal(model.picture(place, style), np.asarray(Image.open(row.pictures[style].path)))
            np.testing.assert_allclose(model.poses[place], row.pose, rtol=1e-6)


def test_segmentation_gives_pictures_and_their_parts(faces: sets.Faces) -> None:
    found = sets.Segmentation(faces, "test", style="flat")

    assert len(found) == 2 * SAMPLES
    for number, item in enumerate(found[place] for place in range(len(found))):
        sample, partition = number // 2, ("frontal", "rotated")[number % 2]
        assert np.array_equal(as_bytes(item["picture"]), shown(LABELS[1], "flat", partition, sample))
        assert item["parts"].dtype == torch.int64
        assert (item["parts"] == sample).all()


def test_reenactment_pairs_two_pictures_of_one_model_with_the_poses_of_both(folder: Path, faces: sets.Faces) -> None:
    found = sets.Reenactment(faces, "test", seed=3)
    rows = {row.sample: row for row in rows_of(render(folder, LABELS[1], SPEC, SAMPLES)) if row.partition == "rotated"}

    assert len(found) == SAMPLES
    for sample, item in enumerate(found[place] for place in range(len(found))):
        assert np.array_equal(as_bytes(item["source"]), shown(LABELS[1], "default", "rotated", sample))
        target = next(
            n for n in rows if np.array_equal(as_bytes(item["target"]), shown(LABELS[1], "default", "rotated", n))
        )
        assert target != sample
        for role, n in (("source", sample), ("target", target)):
            np.testing.assert_allclose(item[f"{role}_pose"], rows[n].pose, rtol=1e-6)
            assert float(item[f"{role}_light"]) == pytest.approx(rows[n].light)


def test_pairs_are_of_one_view(tmp_path: Path) -> None:
    spec = RenderSpec(styles=("default",), size=32, camera=CameraSpec(views=2, yaw=(-30, 30)))
    for label in LABELS:
        render(tmp_path, label, spec, SAMPLES)
    faces = sets.Faces(tmp_path)
    found = sets.Reenactment(faces, "train")

    for place in range(len(found)):
        (one, row), (other, partner) = found._pairs.pair(place)
        model = faces.models[one]
        assert one == other
        assert row != partner
        assert model.places[row, 2] == model.places[partner, 2]


def test_colorization_gives_lines_colours_and_a_reference(faces: sets.Faces) -> None:
    item = sets.Colorization(faces, "test")[1]

    assert item["lines"].shape == (1, 32, 32)
    assert np.array_equal(as_bytes(item["colour"]), shown(LABELS[1], "flat", "rotated", 1))
    others = [shown(LABELS[1], "flat", "rotated", sample) for sample in (0, 2, 3)]
    assert sum(np.array_equal(as_bytes(item["reference"]), other) for other in others) == 1


def test_harmonization_changes_the_character_and_not_the_background(faces: sets.Faces, backgrounds: Path) -> None:
    found = sets.Harmonization(faces, "test", backgrounds, cast=0.4)

    for place in range(len(found)):
        item = found[place]
        sample, partition = place // 2, ("frontal", "rotated")[place % 2]
        drawn = pixels(LABELS[1], "flat", partition, sample, SPEC.size)
        behind = np.full((32, 32, 3), (200, 40, 90), np.uint8)
        assert np.array_equal(as_bytes(item["mask"])[..., 0], drawn[..., 3])
        assert np.array_equal(as_bytes(item["target"]), laid_over(drawn, behind))
        outside = item["mask"][0] == 0
        assert torch.equal(item["input"][:, outside], item["target"][:, outside])
        assert (item["input"] - item["target"])[:, ~outside].abs().mean() > 0.05


def test_without_a_cast_the_input_is_another_style_as_drawn(faces: sets.Faces, backgrounds: Path) -> None:
    item = sets.Harmonization(faces, "test", backgrounds, other_styles=["toon"], cast=0)[0]

    behind = np.full((32, 32, 3), (200, 40, 90), np.uint8)
    assert np.array_equal(as_bytes(item["input"]), laid_over(pixels(LABELS[1], "toon", "frontal", 0, 32), behind))


def test_an_accessory_lies_over_the_head_as_it_is_and_under_a_light_of_its_own(
    faces: sets.Faces, backgrounds: Path, accessories: Path
) -> None:
    found = sets.Harmonization(faces, "test", backgrounds, accessories, cast=0.4)
    plain = sets.Harmonization(faces, "test", backgrounds, cast=0.4)
    left, top, right, bottom = (32 * edge for edge in faces.models[0].head_box)

    middles = set()
    for place in range(len(found)):
        item, without = found[place], plain[place]
        lies, mask = (as_bytes(item[name])[..., 0] for name in ("accessory", "mask"))
        rows, columns = np.nonzero(lies)
        middle = ((rows.min() + rows.max() + 1) / 2, (columns.min() + columns.max() + 1) / 2)
        middles.add(middle)
        assert top - 1.5 <= middle[0] <= bottom + 1.5
        assert left - 1.5 <= middle[1] <= right + 1.5
        assert 0.2 * (bottom - top) < max(np.ptp(rows), np.ptp(columns)) + 1 < (bottom - top)
        assert (mask >= np.maximum(lies, as_bytes(without["mask"])[..., 0])).all()
        assert (mask[lies == 255] == 255).all()
        assert np.abs(as_bytes(item["target"])[lies == 255].astype(int) - RING[:3]).max() < 12
        assert not torch.equal(item["input"], item["target"])
        for name in ("input", "target"):  # what it does not cover is as it would be without it
            assert torch.equal(item[name][:, lies == 0], without[name][:, lies == 0])
            assert torch.equal(item[name][:, mask == 0], item["target"][:, mask == 0])
        assert "accessory" not in without
    assert len(middles) > SAMPLES
    again = sets.Harmonization(faces, "test", backgrounds, accessories, cast=0.4)
    assert all(equal(found[place], again[place]) for place in range(len(found)))


def test_an_accessory_that_shows_nothing_is_refused(faces: sets.Faces, backgrounds: Path, tmp_path: Path) -> None:
    (tmp_path / "props").mkdir()
    with pytest.raises(BackgroundError, match="no picture in"):
        sets.Harmonization(faces, "test", backgrounds, tmp_path / "props")
    Image.new("RGBA", (64, 64)).save(tmp_path / "props" / "nothing.png")
    with pytest.raises(BackgroundError, match=r"nothing\.png shows nothing"):
        sets.Harmonization(faces, "test", backgrounds, tmp_path / "props")[0]


def test_the_seed_decides_and_processes_of_a_loader_change_nothing(
    folder: Path, backgrounds: Path, accessories: Path
) -> None:
    def batches(seed: int, workers: int) -> list[dict[str, Any]]:
        faces = sets.Faces(folder)
        harmonized = sets.Harmonization(faces, "train", backgrounds, accessories, seed=seed)
        made = [sets.Reenactment(faces, "train", seed=seed), harmonized]
        return [batch for each in made for batch in data.DataLoader(each, batch_size=3, num_workers=workers)]

    first, again, other = batches(1, 0), batches(1, 2), batches(2, 0)

    assert len(first) == len(again) > 4
    assert all(equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(equal(a, b) for a, b in zip(first, other, strict=True))


def test_several_folders_are_one_set_and_a_result_counts_once(folder: Path, tmp_path: Path) -> None:
    render(tmp_path / "more", "train again", SPEC, SAMPLES)
    render(tmp_path / "more", LABELS[0], SPEC, SAMPLES)

    both = sets.Faces(folder, tmp_path / "more")

    assert len(both.models) == len(both.sides.of) == 4
    assert len(both.select("test", ["flat"])) == 2 * SAMPLES


def test_lists_say_who_is_on_which_side(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "train_list.txt").write_text(f"{hash_of(LABELS[1])}\n")
    (tmp_path / "test_list.txt").write_text(f"{hash_of(LABELS[0])}\n{hash_of('train too')}\n")

    sides = sets.Faces(folder, lists=tmp_path).sides.of

    assert [sides[hash_of(label)] for label in (*LABELS, "train too")] == ["test", "train", "test"]


def test_a_changed_picture_is_refused_when_it_is_asked_for(tmp_path: Path) -> None:
    for label in LABELS:
        render(tmp_path, label, SPEC, SAMPLES)
    found = sets.Segmentation(sets.Faces(tmp_path), "test", style="flat")
    (changed,) = tmp_path.glob("test*/flat/rotated/*_00002.png")
    changed.write_bytes(changed.read_bytes()[:-1] + b"?")

    assert found[4]["picture"].shape == (3, 32, 32)
    with pytest.raises(StorageError, match="not what its manifest says"):
        found[5]


def test_what_a_data_set_needs_and_a_folder_lacks_is_named(tmp_path: Path, folder: Path, backgrounds: Path) -> None:
    plain = RenderSpec(styles=("default",), size=32)
    for label in LABELS:
        render(tmp_path / "plain", label, plain, samples=1)
    faces = sets.Faces(tmp_path / "plain")
    (tmp_path / "empty").mkdir()
    render(tmp_path / "large", "large", plain.model_copy(update={"size": 64}), samples=1)

    with pytest.raises(SpecError, match="--labels parts"):
        sets.Segmentation(faces, "train")
    with pytest.raises(SpecError, match="--style ink --style flat"):
        sets.Colorization(faces, "train")
    with pytest.raises(SpecError, match="render more samples"):
        sets.Reenactment(faces, "train")
    with pytest.raises(SpecError, match="of one size"):
        sets.Faces(tmp_path / "plain", tmp_path / "large")
    with pytest.raises(SpecError, match="no models on the side 'test'"):
        sets.Segmentation(sets.Faces(tmp_path / "large"), "test")
    with pytest.raises(StorageError, match="farm render"):
        sets.Faces(tmp_path / "empty")
    with pytest.raises(BackgroundError, match="no picture in"):
        sets.Harmonization(sets.Faces(folder), "train", tmp_path / "empty")
