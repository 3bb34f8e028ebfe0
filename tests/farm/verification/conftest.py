"""A rendered folder to be damaged."""

import shutil
from pathlib import Path

import pytest

from farm.models.package import read_model
from tests.support.packed import LABELLED, SPEC, write_model, write_table


@pytest.fixture(scope="module")
def whole(mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models with labels and one without, and their table."""
    out = tmp_path_factory.mktemp("whole")
    inventory = read_model(mascots["nagi"]).inventory
    for label, spec in {"Aoi": LABELLED, "Beni": SPEC, "Cyan": LABELLED}.items():
        write_model(out, label, inventory, spec)
    write_table(out)
    return out


@pytest.fixture
def out(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "out"))
