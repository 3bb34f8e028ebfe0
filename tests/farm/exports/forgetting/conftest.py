"""Exports in every layout, with the model that is withdrawn and without."""

import shutil
from pathlib import Path

import pytest

from farm.exports.layouts import LAYOUTS
from tests.farm.exports.forgetting.withdrawn import GONE, LABELS, export, render_all


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All layouts with the model, under their names, and without, as ``<layout>-fresh``."""
    room = tmp_path_factory.mktemp("made")
    render_all(room / "rendered", LABELS)
    render_all(room / "left", [label for label in LABELS if label != GONE])
    for layout in LAYOUTS:
        export(room / "rendered", room / layout, layout)
        export(room / "left", room / f"{layout}-fresh", layout)
    return room


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def out(made: Path, layout: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / layout, tmp_path / "out"))
