"""What the chaos tests share: the models, what is asked for, and what an undisturbed run gives."""

from pathlib import Path

import pytest

from farm.models.package import Package
from farm.spec import RenderSpec
from tests.chaos.farm import Results, undisturbed
from tests.support.fixtures import read_mascot

SHORT = RenderSpec(seed=11, samples=80, size=48)
"""640 images a model: four seconds or so."""
LONG = RenderSpec(seed=12, samples=160, size=48)
"""1,280 images a model, eight seconds or so: something can happen meanwhile."""


@pytest.fixture(scope="session")
def packages(mascots: dict[str, Path]) -> list[Package]:
    """Both mascots."""
    return [read_mascot(mascots, name) for name in ("momo", "nagi")]


@pytest.fixture(scope="session")
def short_results(packages: list[Package], tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What `SHORT` gives of both."""
    return undisturbed(tmp_path_factory.mktemp("short"), packages, [SHORT])


@pytest.fixture(scope="session")
def long_results(packages: list[Package], tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What `LONG` gives of the first."""
    return undisturbed(tmp_path_factory.mktemp("long"), packages[:1], [LONG])
