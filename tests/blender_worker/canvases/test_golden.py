"""Every style in both canvases and every label of our own characters look as they did when somebody last looked."""

from pathlib import Path

import numpy as np
import pytest

from tests.blender_worker.canvases import golden

pytestmark = pytest.mark.blender
OUT = Path(__file__).parents[3] / "build" / "golden"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    return dict(golden.draw_all(tmp_path_factory.mktemp("golden")))


@pytest.mark.parametrize("name", golden.names())
def test_it_looks_as_it_did(drawn: dict[str, np.ndarray], name: str) -> None:
    assert not golden.difference(name, drawn[name], golden.FOLDER, OUT)


def test_there_are_no_others(drawn: dict[str, np.ndarray]) -> None:
    assert set(drawn) == {path.stem for path in golden.FOLDER.glob("*.png")}


def test_a_change_is_seen_and_shown(drawn: dict[str, np.ndarray], tmp_path: Path) -> None:
    # GIVEN a picture whose mouth has gone
    picture = drawn["nagi-forward-flat"].copy()
    picture[52:62, 40:60] = picture[50, 50]

    # WHEN it is compared, THEN the sentence names a picture that shows the difference
    found = golden.difference("nagi-forward-flat", picture, golden.FOLDER, tmp_path)

    assert "SSIM" in found
    assert (tmp_path / "nagi-forward-flat.png").exists()
