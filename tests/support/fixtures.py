"""Fixtures that several test modules share; `tests/conftest.py` makes them known."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from farm.drawing.assignment import Assignment
from farm.drawing.blender import MODELS_PER_PROCESS, Blender
from farm.mascots import write_mascots
from farm.mascots.cast import MASCOTS
from farm.models.package import Package, read_model
from farm.morphs.annotation import sampled_targets
from farm.pipe import Survey
from farm.poses import sample_count
from farm.spec import RenderSpec, render_key
from tests.support import servers

GOOD_SURVEY = Survey(
    coverage=0.3,
    head_box=(0.3, 0.3, 0.7, 0.8),
    head_vertices=5000,
    head_inside=1.0,
    face_vertices=900,
    face_changed=0.15,
    face_ahead=0.3,
)
"""What an ordinary character's neutral picture shows."""


@pytest.fixture(scope="session")
def mascots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The project's own characters as files, by name. The processes of one run share them: nobody changes these files."""
    room = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        room = room.parent
    home, done = room / "mascots", room / "mascots-written"
    with (room / "mascots-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            write_mascots(home)
            done.touch()
    return {name: home / name / f"{name}.pmx" for name in MASCOTS}


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Valkey server for the whole run."""
    with servers.redis_server(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def new_database(redis_url: str) -> Callable[[], str]:
    """Gives the URL of a database of that server that nobody has used: two farms in one would see each other's batches."""
    numbers = count(1)
    return lambda: redis_url.removesuffix("/0") + f"/{next(numbers)}"


@pytest.fixture(scope="module", params=["valkey", "redis"])
def valkey_or_redis(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Each of the two servers that farms run on, for a module of tests."""
    command = None
    if request.param == "redis":
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("redis-server is not installed: apt-get install redis-server")
        command = [program]
    with servers.redis_server(tmp_path_factory.mktemp(request.param), command) as url:
        yield url


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.S3Server]:
    """A real S3 server for the whole run."""
    if not servers.has_radosgw():
        pytest.skip("radosgw is not installed: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd")
    with servers.radosgw(tmp_path_factory.mktemp("radosgw")) as server:
        yield server


@pytest.fixture(scope="session")
def lasting_blender() -> Iterator[Blender]:
    """A Blender for the whole run: it starts with its first test, and anew after one that ended it."""
    process = Blender()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def blender(lasting_blender: Blender) -> Blender:
    """The Blender of the run, for a module of tests: the next twenty models are drawn by one process."""
    if lasting_blender._models > MODELS_PER_PROCESS - 20:
        lasting_blender.stop()
    return lasting_blender


@pytest.fixture
def fresh_blender() -> Iterator[Blender]:
    """A Blender that has not been started, for one test."""
    process = Blender()
    yield process
    process.stop()


@pytest.fixture
def fresh_redis(redis_url: str) -> str:
    """The Valkey server, emptied."""
    import redis

    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


def assignment_for(package: Package, spec: RenderSpec) -> Assignment:
    """All of `package` as `spec` says, with the proposals of its names."""
    annotation = package.inventory.annotation
    samples = spec.samples_of(sample_count(sampled_targets(annotation)))
    return Assignment(package.id, annotation, samples, render_key(package.id, annotation, spec), spec)


def read_mascot(mascots: dict[str, Path], name: str) -> Package:
    """A mascot, read."""
    return read_model(mascots[name])


def alpha_box(picture: np.ndarray) -> tuple[int, int, int, int]:
    """First and last row and column of a (h, w, 4) picture that anything is drawn on."""
    rows, columns = np.nonzero(picture[..., 3] > 127)
    return int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())
