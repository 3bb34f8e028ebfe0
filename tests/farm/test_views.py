"""The views of a sample: drawn from the seed, within the camera's ranges."""

import pytest
from pydantic import ValidationError

from farm.cameras import CameraSpec
from farm.pipe import View
from farm.views import draw_views, views_around

MODEL = "a" * 64
CAMERA = CameraSpec(views=5, yaw=(-60, 45), elevation=(-10, 30))


def test_the_paper_s_one_view_is_straight_ahead() -> None:
    assert draw_views(0, MODEL, 3, CameraSpec()) == (View(),)


def test_views_lie_within_their_ranges_and_fill_them() -> None:
    views = [view for sample in range(400) for view in draw_views(1, MODEL, sample, CAMERA)]

    for low, high, angles in ((-60, 45, [v.yaw for v in views]), (-10, 30, [v.elevation for v in views])):
        assert low <= min(angles) < low + 1
        assert high - 1 < max(angles) <= high
        assert all(round(angle, 6) == angle for angle in angles)
    assert len({(view.yaw, view.elevation) for view in views}) == len(views)


@pytest.mark.parametrize("other", [(2, MODEL, 3), (1, "b" * 64, 3), (1, MODEL, 4)])
def test_a_view_depends_on_seed_model_and_sample(other: tuple[int, str, int]) -> None:
    assert draw_views(1, MODEL, 3, CAMERA) == draw_views(1, MODEL, 3, CAMERA)
    assert draw_views(1, MODEL, 3, CAMERA) != draw_views(*other, CAMERA)


def test_more_views_leave_the_first_ones_as_they_are() -> None:
    more = CAMERA.model_copy(update={"views": 9})

    assert draw_views(1, MODEL, 3, more)[:5] == draw_views(1, MODEL, 3, CAMERA)
    assert [view.index for view in draw_views(1, MODEL, 3, more)] == list(range(9))


def test_views_around_are_the_same_for_every_sample_and_begin_in_front() -> None:
    camera = CameraSpec(around=4, rings=(0, 30))

    views = draw_views(1, MODEL, 3, camera)
    assert views == draw_views(2, "b" * 64, 9, camera) == views_around(4, (0, 30))
    assert [(view.yaw, view.elevation) for view in views] == [
        (yaw, elevation) for elevation in (0, 30) for yaw in (0, 90, 180, -90)
    ]
    assert [view.index for view in views] == list(range(camera.views)) == list(range(8))
    assert CameraSpec.model_validate(camera.model_dump(mode="json")) == camera
    assert "around" not in CameraSpec().model_dump(mode="json")
    assert "rings" not in CameraSpec().model_dump(mode="json")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"rings": [30]}, "say how many each has"),
        ({"around": 4, "views": 5}, "another number than `around`"),
        ({"around": 4, "yaw": [0, 10]}, "are not drawn"),
        ({"around": 4, "elevation": [5, 5]}, "are not drawn"),
        ({"around": 65}, "less than or equal to 64"),
        ({"around": 40, "rings": [0, 10]}, "less than or equal to 64"),
        ({"around": 4, "rings": [0, 0]}, "names something twice"),
        ({"around": 4, "rings": [85]}, "less than or equal to 80"),
        ({"around": "four"}, "integer"),
        ({"around": 4, "rings": 3}, "tuple"),
    ],
)
def test_views_around_that_contradict_themselves_are_refused(values: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        CameraSpec.model_validate(values)
