"""The layout of the release, read as two loaders do that others than the authors published."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from farm.exports import running
from farm.exports.animeceleb import AnimeCelebLayout
from farm.exports.source import FolderSource
from tests.support.rendered import hash_of, pixels, render

LABELS = ("Nagi_v2", "桃", "Sora (swim, 2nd)")
SAMPLES = 3


@pytest.fixture
def release(tmp_path: Path) -> Path:
    for label in LABELS:
        render(tmp_path / "rendered", label, samples=SAMPLES)
    running.export(FolderSource(tmp_path / "rendered"), str(tmp_path / "release"), AnimeCelebLayout())
    return tmp_path / "release"


def _read_png(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_loader_that_takes_column_two_for_the_folder_finds_every_picture(release: Path) -> None:
    """Rebuilt from a published loader: pandas reads the table, column two is padded to five digits, ids go into queries."""
    root = release / "combined_ink"
    table: Any = pd.read_csv(root / "combined_pose.csv")
    assert len(table) == 3 * SAMPLES
    read = 0
    for index in range(len(table)):
        name = table.iloc[index, 2]
        label = next(n for n in LABELS if hash_of(n)[:8] in name)
        sample = int(name.removesuffix(".png")[-5:])
        for folder, partition in (("rotation", "rotated"), ("expression", "frontal")):
            path = root / "flat" / folder / str(table.iloc[index, 1]).zfill(5) / name
            np.testing.assert_array_equal(_read_png(path), pixels(label, "ink", partition, sample))
            read += 1
        (other,) = table.query(f"org_id == {table.iloc[index, 0]}").sample(n=1).astype(str).to_dict("records")
        assert (root / "flat" / "rotation" / other["folder_name"].zfill(5) / other["png_name"]).is_file()
        assert len([float(value) for value in table.iloc[index, 3:]]) == 20
    assert read == 2 * 3 * SAMPLES


def test_a_loader_that_wants_all_pictures_in_one_folder_finds_them(release: Path) -> None:
    """Rebuilt from a published loader: the folder's length is the data's, names come from column three."""
    root = release / "combined_default"
    table: Any = pd.read_csv(root / "combined_pose.csv")
    for folder, partition in (("rotation", "rotated"), ("expression", "frontal")):
        pictures = list((root / "together" / folder).iterdir())
        assert len(pictures) == len(table)
        for index in range(len(pictures)):
            name = table.iloc[index, 2]
            label = next(n for n in LABELS if hash_of(n)[:8] in name)
            shown = _read_png(root / "together" / folder / name)
            np.testing.assert_array_equal(shown, pixels(label, "default", partition, int(name[-9:-4])))
