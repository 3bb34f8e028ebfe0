"""The filter's two forms say the same: weights of samples, and linear look-ups between them."""

import numpy as np
import pytest

from blender_worker.canvases.filters import kernel, lookups, resolve


@pytest.mark.parametrize("supersample", [1, 2, 3, 4])
def test_look_ups_give_each_sample_its_weight(supersample: int) -> None:
    weights = kernel(supersample)
    found = np.zeros(len(weights))
    first = (supersample - len(weights)) / 2 + 0.5  # where the first sample's centre is
    for place, weight in lookups(supersample):
        sample, share = divmod(place - first, 1.0)
        found[round(sample)] += weight * (1 - share)
        if share > 1e-9:
            found[round(sample) + 1] += weight * share
    assert found == pytest.approx(weights)
    assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize("supersample", [1, 2, 3, 4])
def test_look_ups_are_as_few_as_do(supersample: int) -> None:
    assert len(lookups(supersample)) == -(-len(kernel(supersample)) // 2)


@pytest.mark.parametrize("supersample", [1, 2, 3, 4])
def test_one_colour_stays_it(supersample: int) -> None:
    drawn = np.full((8 * supersample, 8 * supersample, 4), 1.0, np.float32)
    assert (resolve(drawn, supersample) == 255).all()
