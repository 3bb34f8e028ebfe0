"""Which occluder a sample wears: by the seed alone, and each about as often."""

from collections import Counter

import pytest
from pydantic import ValidationError

from farm.cameras import CameraSpec
from farm.occluders import CODES, OccluderName, worn
from farm.spec import RenderSpec, render_key

MODEL = "ab" * 32


def test_all_are_worn_about_as_often() -> None:
    counts = Counter(worn(list(OccluderName), 7, MODEL, sample, view) for sample in range(500) for view in range(2))

    assert set(counts) == set(OccluderName)
    assert min(counts.values()) > 0.8 * 1000 / len(OccluderName)


def test_it_is_the_seeds_alone() -> None:
    def row(seed: int, model: str) -> list[OccluderName | None]:
        return [worn(list(OccluderName), seed, model, sample, 0) for sample in range(40)]

    assert row(7, MODEL) == row(7, MODEL)
    assert row(7, MODEL) != row(8, MODEL)
    assert row(7, MODEL) != row(7, "cd" * 32)
    assert worn([], 7, MODEL, 0, 0) is None


def test_numbers_stay_what_they_are() -> None:
    """They stand in labels that are stored: a new occluder gets a number of its own, behind these."""
    first = {"glasses": 2, "sunglasses": 3, "mask": 4, "scarf": 5}
    assert {name.value: code for name, code in CODES.items() if name in first} == first
    assert len(set(CODES.values())) == len(CODES)


def test_a_specification_without_them_says_nothing_of_them() -> None:
    bare, asked = RenderSpec(), RenderSpec(occluders=(OccluderName.MASK,), camera=CameraSpec(views=3, yaw=(-9, 9)))

    assert "occluders" not in bare.model_dump(mode="json")
    assert (bare.views, asked.views) == (1, 6)
    assert asked.images_of(10) == 10 * 2 * 4 * 6
    assert render_key(MODEL, {}, bare) != render_key(MODEL, {}, RenderSpec(occluders=(OccluderName.MASK,)))
    with pytest.raises(ValidationError, match="names something twice"):
        RenderSpec(occluders=(OccluderName.MASK, OccluderName.MASK))
