"""What a specification costs a model: nothing that a worker has to do is free."""

from itertools import product

import pytest

from farm.cameras import CameraSpec
from farm.labels import LabelName
from farm.poses import Partition
from farm.prices import MODEL, price
from farm.settings import Settings
from farm.spec import CanvasName, RenderSpec

LABELS = tuple(LabelName)
VIEWS = CameraSpec(views=64, yaw=(-60, 60))
PAPERS = RenderSpec()


def drawn(spec: RenderSpec, samples: int) -> int:
    """The pixels that a canvas draws, without what else takes time."""
    return spec.images_of(samples) * (spec.size * spec.supersample) ** 2


def test_whatever_makes_more_work_costs_more() -> None:
    least = RenderSpec(
        size=32, supersample=1, styles=("flat",), partitions=(Partition.FRONTAL,), camera=CameraSpec(yaw=(-60, 60))
    )
    costs = price(least, 1)
    dearer: list[tuple[dict[str, object], int]] = [
        ({"size": 1024}, 4),
        ({"size": 256, "supersample": 4}, 4),
        ({"styles": ("flat", "ink")}, 2),
        ({"partitions": tuple(Partition)}, 2),
        ({"camera": VIEWS}, 64),
        ({"labels": (LabelName.PARTS,)}, 2),
        ({"labels": (LabelName.LANDMARKS,)}, 2),
        ({"canvas": CanvasName.EEVEE}, 64),
        ({"canvas": CanvasName.FINAL}, 140),
    ]
    for change, factor in dearer:
        assert price(least.model_copy(update=change), 1) - MODEL >= factor * (costs - MODEL), change
    assert price(least, 20) - MODEL == 20 * (costs - MODEL)
    assert costs > MODEL


@pytest.mark.parametrize(
    ("size", "supersample", "views", "labels", "canvas"),
    list(product((32, 256, 1024), (1, 2, 4), (1, 64), ((), LABELS), CanvasName)),
)
def test_no_preview_that_fits_draws_more_than_the_allowance_says(
    size: int, supersample: int, views: int, labels: tuple[LabelName, ...], canvas: CanvasName
) -> None:
    """However the same allowance is spent: on many small previews or on few large ones."""
    allowance = Settings().preview_megapixels * 10**6
    camera = CameraSpec(views=views, yaw=(-60, 60))
    spec = RenderSpec(size=size, supersample=supersample, camera=camera, labels=labels, canvas=canvas)
    for samples in (1, 20):
        fit = allowance // price(spec, samples)
        assert fit * drawn(spec, samples) <= allowance
        assert fit <= 128, "each has to be read and built"
        assert fit * spec.images_of(samples) <= 16_000, "each has to be posed, sent and packed"


def test_an_ordinary_user_has_as_many_previews_as_ever() -> None:
    assert Settings().preview_megapixels * 10**6 // price(PAPERS, 4) >= 80
