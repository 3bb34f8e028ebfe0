"""Parquet and plain folders, read by the library that they are for, without a network."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from farm.exports import running
from farm.exports.folder import FolderLayout
from farm.exports.huggingface import HuggingFaceLayout
from farm.exports.layout import Layout
from farm.exports.source import FolderSource
from farm.labels import LabelName
from farm.poses import Partition
from farm.spec import RenderSpec
from tests.support.rendered import hash_of, label_files, pixels, render, tree

LABELS = [f"fox {number}" for number in range(6)]
SPEC = RenderSpec(styles=("default", "flat"), size=64, labels=tuple(LabelName))
SAMPLES = 3


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    for label in LABELS:
        render(folder, label, SPEC, SAMPLES)
    return folder


def _export(source: Path, out: Path, layout: Layout, shard_bytes: int = 60_000) -> None:
    running.export(FolderSource(source), str(out), layout, shard_bytes=shard_bytes)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The libraries ask nobody, and keep what they make in the test's folder."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    return tmp_path / "cache"


def _is_right(row: dict[str, Any], split: str) -> tuple[str, int, str]:
    """Check a row of either layout; which it is."""
    label = next(label for label in LABELS if hash_of(label) == row["model"])
    for style in SPEC.styles:
        shown = row[f"image_{style}"]
        assert shown.mode == "RGBA"
        expected = pixels(label, style, row["partition"], row["sample"], SPEC.size)
        np.testing.assert_array_equal(np.asarray(shown), expected)
    assert len(row["pose"]) == 20
    assert all(isinstance(value, float) for value in row["pose"])
    if row["partition"] == "frontal":
        assert row["pose"][17:] == [0, 0, 0]
    return row["model"], row["sample"], row["partition"]


@pytest.mark.filterwarnings("ignore")  # the library's own
def test_load_dataset_gives_typed_rows_of_parquet(source: Path, tmp_path: Path, offline: Path) -> None:
    from datasets import Image as ImageFeature
    from datasets import List, Value, load_dataset

    _export(source, tmp_path / "out", HuggingFaceLayout())
    data = load_dataset(str(tmp_path / "out"), cache_dir=str(offline))

    assert set(data) == {"train", "test"}
    assert len(list((tmp_path / "out" / "data").glob("train-*.parquet"))) > 1
    seen = set()
    for split in data:
        features = data[split].features
        assert features["pose"] == List(Value("float64"), length=20)
        assert features["rotation"] == List(Value("float64"), length=9)
        assert features["image_flat"] == ImageFeature()
        for row in data[split]:
            seen.add(_is_right(row, split))
            labels = label_files(
                next(label for label in LABELS if hash_of(label) == row["model"]),
                Partition(row["partition"]), row["sample"], SPEC.size,
            )  # fmt: skip
            for name in ("parts", "layers"):
                with Image.open(io.BytesIO(labels[f".{name}.png"])) as picture:
                    np.testing.assert_array_equal(np.asarray(row[name]), np.asarray(picture))
            assert row["arrays"] == labels[".labels.npz"]
            assert row["marks"].encode() == labels[".marks.json"]
    rows = len(LABELS) * SAMPLES * 2
    assert len(seen) == rows == sum(map(len, data.values()))
    index = json.loads((tmp_path / "out" / "index.json").read_bytes())
    assert {split: side["keys"] for split, side in index["splits"].items()} == {s: len(data[s]) for s in data}
    assert not set(data["train"]["model"]) & set(data["test"]["model"])


@pytest.mark.filterwarnings("ignore")
def test_load_dataset_reads_the_plain_folder_too(source: Path, tmp_path: Path, offline: Path) -> None:
    from datasets import load_dataset

    _export(source, tmp_path / "out", FolderLayout())
    data = load_dataset("imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(offline))

    seen = {_is_right(row, split) for split in data for row in data[split]}
    assert len(seen) == len(LABELS) * SAMPLES * 2 == sum(map(len, data.values()))
    rows = [
        json.loads(line) for line in (tmp_path / "out" / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    ]
    for row in rows:
        for name in ("label_parts", "label_labels", "label_marks", "image_flat_file_name"):
            assert (tmp_path / "out" / "train" / row[name]).is_file()


def test_a_row_group_is_no_larger_than_memory_likes(source: Path, tmp_path: Path) -> None:
    render(tmp_path / "many", "of many samples", RenderSpec(styles=("flat",), size=32), samples=130)
    _export(tmp_path / "many", tmp_path / "out", HuggingFaceLayout(), 2**20)

    (file,) = (tmp_path / "out" / "data").glob("*.parquet")
    found = pq.ParquetFile(file).metadata
    assert [found.row_group(n).num_rows for n in range(found.num_row_groups)] == [100, 100, 60]


def test_the_card_tells_what_a_reader_needs(source: Path, tmp_path: Path) -> None:
    _export(source, tmp_path / "out", HuggingFaceLayout())

    _, matter, text = (tmp_path / "out" / "README.md").read_text("utf-8").split("---\n", 2)
    front = yaml.safe_load(matter)
    assert front["license"] == "other"
    assert front["configs"][0]["data_files"][0] == {"split": "train", "path": "data/train-*.parquet"}
    for heading in (
        "Load it",
        "How it was made",
        "The pose vector",
        "Styles",
        "Labels",
        "Coverage",
        "Split",
        "Licences",
    ):
        assert f"\n## {heading}\n" in text
    assert "| CC0 | 6 |" in text
    assert "| train | 5 | 15 | 30 | 60 |" in text or "| train | 4 | 12 | 24 | 48 |" in text


@pytest.mark.parametrize("layout", [HuggingFaceLayout(), FolderLayout()])
def test_equal_sources_give_equal_bytes(source: Path, tmp_path: Path, layout: Layout) -> None:
    _export(source, tmp_path / "one", layout)
    _export(source, tmp_path / "two", layout)

    assert tree(tmp_path / "one") == tree(tmp_path / "two")
