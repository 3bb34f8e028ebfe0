"""Shards, read by the library that they are for."""

import io
import json
import tarfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from farm.cameras import CameraSpec
from farm.exports import running
from farm.exports.source import FolderSource
from farm.exports.webdataset import WebDatasetLayout
from farm.labels import LabelName
from farm.poses import Partition
from farm.spec import RenderSpec
from tests.support.rendered import hash_of, label_files, pixels, render, tree

LABELS = [f"fox {number}" for number in range(12)]
SPEC = RenderSpec(styles=("flat", "ink"), size=64, labels=(LabelName.PARTS, LabelName.DEPTH, LabelName.LANDMARKS))
SAMPLES = 4
KEYS = len(LABELS) * SAMPLES * 2


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    for label in LABELS:
        render(folder, label, SPEC, SAMPLES)
    return folder


def _export(source: Path, out: Path, shard_bytes: int = 100_000, threads: int = 3) -> running.Exported:
    return running.export(FolderSource(source), str(out), WebDatasetLayout(), shard_bytes=shard_bytes, threads=threads)


@pytest.mark.filterwarnings("ignore")  # the library's own
def test_the_library_gives_every_key_once_and_no_model_in_two_splits(source: Path, tmp_path: Path) -> None:
    import webdataset as wds

    _export(source, tmp_path / "out")

    index = json.loads((tmp_path / "out" / "index.json").read_bytes())
    seen: Counter[str] = Counter()
    sides: dict[str, set[str]] = {}
    for split in ("train", "test"):
        shards = sorted(map(str, (tmp_path / "out" / split).glob("*.tar")))
        assert [Path(shard).name for shard in shards] == [f"shard-{n:06d}.tar" for n in range(len(shards))]
        keys = 0
        for sample in wds.WebDataset(shards, shardshuffle=False, empty_check=False).decode("pilrgba"):
            row: dict[str, Any] = sample["json"]
            seen[sample["__key__"]] += 1
            keys += 1
            sides.setdefault(row["model"], set()).add(split)
            assert sample["__key__"] == row["key"]
            assert (row["split"], len(row["pose"]), row["styles"]) == (split, 20, ["flat", "ink"])
            label = next(label for label in LABELS if hash_of(label) == row["model"])
            for style in row["styles"]:
                shown = sample[f"{style}.png"]
                assert shown.mode == "RGBA"
                expected = pixels(label, style, row["partition"], row["sample"], SPEC.size)
                np.testing.assert_array_equal(np.asarray(shown), expected)
            labels = label_files(label, Partition(row["partition"]), row["sample"], SPEC.size)
            assert sample["marks.json"] == json.loads(labels[".marks.json"])
            np.testing.assert_array_equal(
                sample["labels.npz"]["depth"], np.load(io.BytesIO(labels[".labels.npz"]))["depth"]
            )
        assert keys == index["splits"][split]["keys"] == sum(s["keys"] for s in index["splits"][split]["shards"])
    assert len(seen) == KEYS
    assert set(seen.values()) == {1}
    assert len(sides) == len(LABELS)
    assert all(len(of) == 1 for of in sides.values())


def test_shards_have_the_chosen_size_and_hold_many_models(source: Path, tmp_path: Path) -> None:
    _export(source, tmp_path / "out", shard_bytes=60_000)

    shards = sorted((tmp_path / "out" / "train").glob("*.tar"))
    assert len(shards) > 2
    models = []
    for shard in shards:
        with tarfile.open(shard) as tar:
            models.append({name.split("_")[0] for name in tar.getnames()})
    assert all(len(found) > 1 for found in models)
    assert any(one != other for one, other in pairwise(models))


def test_alpha_and_files_survive_as_they_are(source: Path, tmp_path: Path) -> None:
    _export(source, tmp_path / "out")

    files = {}
    for shard in (tmp_path / "out").rglob("*.tar"):
        with tarfile.open(shard) as tar:
            for member in tar:
                content = tar.extractfile(member)
                assert content is not None
                files[member.name] = content.read()
    pictures = {data for name, data in files.items() if name.endswith((".flat.png", ".ink.png"))}
    assert pictures == {p.read_bytes() for style in SPEC.styles for p in source.glob(f"*/{style}/*/*.png")}
    with Image.open(io.BytesIO(next(iter(pictures)))) as picture:
        assert {0, 100, 255} <= set(np.asarray(picture)[..., 3].ravel().tolist())


def test_equal_sources_give_equal_shards_whatever_the_threads(source: Path, tmp_path: Path) -> None:
    _export(source, tmp_path / "one", threads=1)
    _export(source, tmp_path / "deep" / "two", threads=4)

    one = tree(tmp_path / "one")
    assert one == tree(tmp_path / "deep" / "two")
    assert not any(str(tmp_path).encode() in data for data in one.values())


def test_each_view_has_a_key(tmp_path: Path) -> None:
    spec = RenderSpec(styles=("flat",), size=32, camera=CameraSpec(views=3, yaw=(-9, 9)))
    render(tmp_path / "rendered", "seen from all sides", spec, samples=1)

    _export(tmp_path / "rendered", tmp_path / "out")

    with tarfile.open(next((tmp_path / "out").rglob("*.tar"))) as tar:
        keys = {name.split(".")[0] for name in tar.getnames()}
    assert keys == {
        f"{hash_of('seen from all sides')[:16]}_00000_{p}_v{v:02d}" for p in ("frontal", "rotated") for v in range(3)
    }
