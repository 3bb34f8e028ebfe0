"""A model, what a quiet run gives of it, and a job that was broken off."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from farm.drawing.blender import Blender
from farm.drawing.render import render
from farm.models.package import Package
from farm.storage import LocalStore
from tests.farm.drawing.checkpoints.interrupted import PLAIN, SPECS, Diary, break_off, store_with
from tests.support.fixtures import assignment_for, read_mascot
from tests.support.results import results_in


@pytest.fixture(scope="module")
def momo(mascots: dict[str, Path]) -> Package:
    return read_mascot(mascots, "momo")


@pytest.fixture(scope="module")
def undisturbed(
    blender: Blender, momo: Package, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], dict[str, str]]:
    """The objects that a quiet run of a spec of SPECS stores."""
    known: dict[str, dict[str, str]] = {}

    def of(name: str) -> dict[str, str]:
        if name not in known:
            folder = tmp_path_factory.mktemp("undisturbed")
            render(assignment_for(momo, SPECS[name]), store_with(folder, momo), blender, Diary().reporter)
            known[name] = results_in(folder)
        return known[name]

    return of


@pytest.fixture
def broken_off(begun: Path, tmp_path: Path) -> LocalStore:
    """A store in which a job of PLAIN has one checkpoint, of the first three shots."""
    shutil.copytree(begun, tmp_path / "begun")
    return LocalStore(tmp_path / "begun")


@pytest.fixture(scope="module")
def begun(blender: Blender, momo: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("begun")
    break_off(assignment_for(momo, PLAIN), store_with(folder, momo), blender, after=8)
    return folder
