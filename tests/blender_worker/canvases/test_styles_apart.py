"""The styles are apart: no two of them show a character the same."""

from pathlib import Path

import pytest

from benchmarks.sheet import APART, APART_BELOW, LIGHT
from benchmarks.subject import subject
from farm import pipe
from farm.dataset.similarity import ssim_about
from farm.drawing.blender import Blender
from farm.labels import LabelName
from farm.poses import Partition
from tests.support.characters import at_hand

pytestmark = [pytest.mark.blender, pytest.mark.timeout(600)]


def test_every_pair_of_styles_differs_on_every_character(blender: Blender, real_models: Path, tmp_path: Path) -> None:
    alike = {}
    for number, path in enumerate(at_hand(tmp_path / "own")):
        shot = pipe.Shot(sample=0, partition=Partition.FRONTAL, weights={}, rotation=(0, 0, 0), light=LIGHT)
        plain = subject(path, tmp_path / str(number)).request
        request = plain.model_copy(update={"labels": [LabelName.LANDMARKS], "shots": [shot]})
        (drawn,) = list(blender.draw(request, lambda _: None))
        pictures = dict(zip(request.styles, drawn.pictures, strict=True))
        assert drawn.marks is not None
        assert drawn.marks.head_box is not None, path
        for one, other in APART:
            alike[f"{path.parent.name}/{path.name} {one}/{other}"] = ssim_about(
                pictures[one], pictures[other], drawn.marks.head_box
            )

    assert {name: round(value, 4) for name, value in alike.items() if value >= APART_BELOW} == {}
