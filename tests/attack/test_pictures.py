"""Pictures that ask for much become backgrounds within the limits, or get a sentence; and the next one is read."""

from collections.abc import Iterator

import pytest

from farm.errors import BackgroundError
from farm.reading.readers import Readers
from tests.attack.pictures import PICTURES, png

TAKEN = {"16-bit RGBA", "WebP of many frames"}
"""The others are refused."""


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    pool = Readers(1, memory=2**30)  # half of what a reader may take
    yield pool
    pool.close()


@pytest.mark.parametrize("how", PICTURES)
def test_a_picture_that_asks_for_much_is_made_small_or_refused(readers: Readers, how: str) -> None:
    try:
        with readers.background("a.png", [PICTURES[how]()]) as found:
            assert max(found.about.width, found.about.height) <= 2048
            assert how in TAKEN
    except BackgroundError as error:
        assert how not in TAKEN
        assert "takes" not in str(error), "it was looked at, and refused before it took anything"

    with readers.background("b.png", [png(32, 32)]) as found:
        assert (found.about.width, found.about.height) == (32, 32)
