"""Small files that ask for much get a sentence, or what they ask for within the limits, and the farm's memory stays."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.errors import BackgroundError, FarmError
from farm.models.package import unfold
from farm.reading.readers import Readers
from tests.attack import bombs
from tests.attack.bombs import Bomb


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    pool = Readers(1, packages=2**28)  # an eighth of what models may take: `make attack` goes up to the whole
    yield pool
    pool.close()


def _own_memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("bomb", [pytest.param(bomb, id=f"{n}-{bomb.how}") for n, bomb in enumerate(bombs.bombs())])
def test_a_bomb_ends_in_a_sentence_or_within_the_limits(readers: Readers, bomb: Bomb) -> None:
    before, said = _own_memory(), ""
    try:
        with readers.models(bomb.name, [bomb.make()]) as reading:
            for _ in reading.each():
                pass
            said = "".join(str(error) for _, error in reading.refused)
    except FarmError as error:
        said = str(error)

    if bomb.refusal:
        assert bomb.refusal in said
    else:
        assert said == ""
    assert _own_memory() - before < 100 * 2**20


def test_a_texture_that_many_entries_name_is_kept_once(readers: Readers, tmp_path: Path) -> None:
    with readers.models("a.zip", [bombs.one_texture_many_times(500, 1)]) as reading:
        (model,) = reading.each()
        package = model.package.read_bytes()

    assert len(package) < 1.1 * 2**20
    _, textures = unfold(package, tmp_path / "package")
    assert len(textures) == 500
    assert {path.stat().st_size for path in textures.values()} == {2**20}


def test_deep_grey_backgrounds_are_read_or_refused_in_little(readers: Readers) -> None:
    with readers.background("black.png", [bombs.deep_grey(8000)]) as found:
        assert found.about.width == 2048
    larger = [bombs.deep_grey(9000)]
    with pytest.raises(BackgroundError, match="over the limit of 64"), readers.background("black.png", larger):
        pass
