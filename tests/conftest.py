"""Fixtures that all tests can use."""

import gc
import os
import signal
from collections.abc import Generator
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

import httpx
import pytest
from hypothesis import settings

from farm.starting import importing
from tests.support.fixtures import (  # noqa: F401
    blender,
    fresh_blender,
    fresh_redis,
    lasting_blender,
    mascots,
    new_database,
    redis_url,
    s3,
    valkey_or_redis,
)

_ROOT = Path(__file__).parent.parent

# A run that a script starts in the background ignores Ctrl-C, and all that it starts would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Each client of httpx would read the bundle of authorities, which takes ten times as long as a test's request: those of a
# process share what the first one read. It has no setting for that; the name is httpx's own, which mypy does not see.
httpx._transports.default.create_ssl_context = cache(httpx.create_ssl_context)  # type: ignore[attr-defined]

settings.register_profile("facefarm", derandomize=True, database=None, deadline=None)
settings.load_profile("facefarm")


def pytest_xdist_auto_num_workers() -> int:
    """Four more processes than cores: tests wait for servers, terminals and time limits as long as they calculate."""
    return (os.cpu_count() or 1) + 4


LONGEST = (
    "tests/chaos/",
    "tests/runs/",
    "tests/farm/test_stack_disk.py",
    "tests/farm/redis/",
    "tests/farm/cli/",
    "tests/farm/test_whole_farm.py",
    "tests/farm/test_environment.py",
    "tests/farm/inspection/",
    "tests/farm/stress/",
    "tests/api/test_proxied.py",
    "tests/api/test_api_schema.py",
    "tests/deployment/chart/test_helm_test.py",
    "tests/blender_worker/gpu/",
)
"""What takes minutes, since it waits for much. It begins first: at the end of a run the cores would wait for it."""


def _import_share(config: pytest.Config) -> None:
    """Import the test modules whose turn it is in this process of a run. All begin at once, and in a fresh clone each would
    compile every module: so each finds most of them compiled by the others."""
    shared = getattr(config, "workerinput", None)  # by pytest-xdist
    if shared is None:
        return
    number, count = int(shared["workerid"].removeprefix("gw")), shared["workercount"]
    asked = [(_ROOT / argument.partition("::")[0]).resolve() for argument in config.args]
    modules = sorted(Path(__file__).parent.rglob("test_*.py"))
    for path in [one for one in modules if any(map(one.is_relative_to, asked))][number::count]:
        with suppress(Exception, pytest.skip.Exception):  # what is wrong with it is told when it is collected
            import_module(".".join(path.relative_to(_ROOT).with_suffix("").parts))


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """None of what tests and modules are made of is ever garbage; Python would look through it again and again, a fifth of
    the CPU that a process of the tests uses."""
    with importing():
        _import_share(session.config)
        collected = yield
    gc.collect()
    gc.freeze()
    return collected


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest at the beginning, and leave the rest in its order."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def _folder(variable: str, default: str, what: str) -> Path:
    folder = (_ROOT / (os.environ.get(variable) or default)).resolve()
    if not folder.is_dir():
        pytest.skip(f"{what} are absent: {folder} is no folder. Set {variable} to where they stand.")
    return folder


@pytest.fixture(scope="session")
def real_models() -> Path:
    """The folder of characters made by people outside this project."""
    return _folder("FARM_TEST_MODELS", "../shared/models", "The real characters")


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of positions that an independent importer computed."""
    return _folder("FARM_TEST_REFERENCE", "../shared/reference", "The reference positions")


@pytest.fixture(scope="session")
def annotated() -> Path:
    """The folder of measurements of real characters and of what a person saw in them."""
    return _folder("FARM_TEST_ANNOTATION", "../shared/annotation", "The annotated characters")
