"""What rendered folders hold, without torch: who is in it, and what is said where torch is missing."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from farm.errors import StorageError
from farm.licences.tombstones import Tombstone, bury
from farm.spec import RenderSpec
from farm.torch import Faces
from tests.support.rendered import hash_of, render

SPEC = RenderSpec(styles=("flat",), size=32)
LABELS = ["fox 1", "fox 2", "fox 3"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for label in LABELS:
        render(tmp_path / "rendered", label, SPEC, samples=2)
    return tmp_path / "rendered"


def _withdraw(folder: Path, label: str) -> None:
    bury(folder, Tombstone(model=hash_of(label), who="Rin", when=datetime.now(UTC), why="the creator asked"))


def test_a_withdrawn_model_that_a_copy_brought_back_is_not_in_it(folder: Path) -> None:
    assert {model.model for model in Faces(folder).models} == set(map(hash_of, LABELS))
    _withdraw(folder, "fox 2")
    told: list[tuple[int, int]] = []

    faces = Faces(folder, progress=lambda done, total: told.append((done, total)))

    left = {hash_of("fox 1"), hash_of("fox 3")}
    assert {model.model for model in faces.models} == set(faces.sides.of) == left
    assert told == [(1, 3), (2, 3), (3, 3)]
    for split in ("train", "test"):
        rows = faces.select(split, ["flat"])
        assert {faces.models[model].model for model, _ in rows} <= left


def test_it_is_in_none_of_the_folders_that_are_named_together(folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    _withdraw(folder, "fox 2")

    assert hash_of("fox 2") in Faces(other).sides.of
    assert hash_of("fox 2") not in Faces(other, folder).sides.of


def test_where_all_were_withdrawn_there_is_no_model(folder: Path) -> None:
    for label in LABELS:
        _withdraw(folder, label)

    with pytest.raises(StorageError, match="holds no rendered models"):
        Faces(folder)


def test_a_class_that_gives_tensors_says_what_to_install_where_torch_is_missing() -> None:
    code = """
import sys
sys.modules["torch"] = None  # as if it were not installed
from farm.torch import Faces
print(Faces.__name__)
from farm.torch import Segmentation
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (1, "Faces\n")
    assert "farm.torch.Segmentation needs PyTorch: pip install 'facefarm[torch]'" in ended.stderr
    assert "During handling" not in ended.stderr
