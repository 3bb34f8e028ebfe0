"""What is set in the shell for other programs, and what lies in the current folder, changes nothing of a farm."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.catalog import Catalog
from farm.client import FarmClient, ModelRef
from farm.environment import for_server, for_stranger
from farm.mascots import write_mascots
from farm.process import spawn
from farm.settings import Settings
from farm.spec import RenderSpec
from farm.stack import EmbeddedStack, api_answers, free_port
from farm.storage import LocalStore
from farm.worker.celery_app import make_app
from tests.support.fixtures import read_mascot
from tests.support.servers import end, redis_server, wait_until

FARM = str(Path(sys.executable).with_name("farm"))
HERE = (
    "random",
    "celeryconfig",
    "flowerconfig",
    "sitecustomize",
    "usercustomize",
    "celery",
    "queue",
    "tempfile",
    "tornado",
)
"""Modules that Python, Celery or Flower would import from a folder that is on their path."""
OF_OTHERS = {
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    "CELERY_BROKER_READ_URL": "redis://127.0.0.1:1/0",
    "CELERY_BROKER_WRITE_URL": "redis://127.0.0.1:1/0",
    "CELERY_CONFIG_MODULE": "celeryconfig",
    "CELERY_LOADER": "celery.loaders.default:Loader",
    "CELERY_RESULT_BACKEND": "redis://127.0.0.1:1/0",
    "CELERY_WORKER_NAME": "none",
    "FLOWER_PORT": "tcp://10.0.0.1:5555",
    "FLOWER_ADDRESS": "192.0.2.1",
    "FLOWER_BROKER_API": "http://192.0.2.1",
    "FLOWER_URL_PREFIX": "elsewhere",
    "WEB_CONCURRENCY": "3",
    "UVICORN_PORT": "1",
    "FORWARDED_ALLOW_IPS": "*",
    "OCIO": "/nowhere/config.ocio",
    "BLENDER_USER_SCRIPTS": "/nowhere",
    "PROMETHEUS_MULTIPROC_DIR": "/nowhere",
    "REMAP_SIGTERM": "SIGQUIT",
    "PICKLE_PROTOCOL": "none",
    "C_FAKEFORK": "1",
    "MP_LOG": "1",
    "PYTHONINSPECT": "1",
    "PYTHONDEVMODE": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTHONIOENCODING": "utf-16",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "http_proxy": "http://127.0.0.1:1",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "ALL_PROXY": "socks5://127.0.0.1:1",
}


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder whose modules leave a mark when they are run; `ran` says which were."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in HERE:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write(__file__ + '\\n')\n")
    (folder / ".env").write_text("FARM_REDIS_URL=redis://127.0.0.1:1/0\nFARM_STORAGE_URL=s3://elsewhere\n")
    (folder / "pyproject.toml").write_text("[tool.facefarm]\nredis_url = 1\n")
    return folder


def ran(hostile: Path) -> list[str]:
    mark = hostile.with_name("ran")
    return mark.read_text().split() if mark.exists() else []


def environments(process: int) -> Iterator[dict[str, str]]:
    """Of a process and of all that it started."""
    pairs = Path(f"/proc/{process}/environ").read_bytes().decode().split("\0")
    yield dict(pair.partition("=")[::2] for pair in pairs if pair)
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        yield from environments(int(child))


@pytest.mark.blender
def test_a_farm_renders_verifies_and_annotates_whatever_lies_beside_it_and_is_set_for_others(hostile: Path) -> None:
    write_mascots(hostile / "models")
    shell = {**os.environ, **{name: value for name, value in OF_OTHERS.items() if not name.startswith("PYTHON")}}
    shell["PYTHONPATH"] = str(Path(__file__).parents[2])

    def command(*words: str) -> str:
        done = subprocess.run([FARM, *words], cwd=hostile, env=shell, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    command("render", ".", "--out", "out", "--samples", "1", "--size", "32", "--workers", "1")
    command("verify", "out", "--processes", "2")
    command("annotate", ".", "--out", "mapping.csv")
    command("inspect", ".")
    command("doctor")

    assert ran(hostile) == []
    assert len(list((hostile / "out").glob("*/manifest.json"))) == 2


@pytest.mark.blender
def test_an_embedded_farm_with_flower_runs_among_the_variables_of_others(
    hostile: Path, mascots: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = hostile / "home"
    Catalog(LocalStore(home / "store")).add(read_mascot(mascots, "momo"))
    monkeypatch.chdir(hostile)
    for name, value in OF_OTHERS.items():
        monkeypatch.setenv(name, value)

    with EmbeddedStack(home, 1, flower=True) as stack, FarmClient(stack.api_url, stack.api_key) as client:
        model = next(client.models())
        batch = client.submit([ModelRef(model, "momo")], RenderSpec(samples=1, size=32), name="among others")
        wait_until(lambda: client.batch(batch.id).ended, "the batch's end")
        done = client.batch(batch.id)
        wait_until(lambda: "Visit me at" in (home / "logs" / "flower.log").read_text(), "Flower")
        # Not Valkey, which writes over its own.
        seen = [one for name in ("worker", "api", "flower") for one in environments(stack.pid(name))]

    assert done.images_done == done.images_total > 0
    assert ran(hostile) == []
    assert len(seen) >= 5
    proxies = {name for name in OF_OTHERS if name.upper().endswith("_PROXY")}
    for one in seen:
        assert not (OF_OTHERS.keys() - proxies) & one.keys()
        assert one["PYTHONSAFEPATH"] == "1"


def test_what_a_role_is_started_with_by_hand_is_cleared_of_what_is_for_others(hostile: Path, tmp_path: Path) -> None:
    with redis_server(tmp_path / "valkey") as url:
        own = {"FARM_REDIS_URL": url, "FARM_STORAGE_URL": f"file://{tmp_path / 'store'}"}
        foreign = {name: value for name, value in OF_OTHERS.items() if not name.startswith("PYTHON")}
        port = free_port()
        process = spawn([FARM, "api", "--port", str(port)], tmp_path / "log", own | foreign, folder=hostile)
        try:
            # One server: several would outlive the one that is known, and keep the port.
            wait_until(lambda: api_answers(port), "the API, with its tickets on the farm's own Redis")
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            assert children == []
        finally:
            end(process, signal.SIGTERM)
    assert ran(hostile) == []


def test_tickets_go_to_the_farms_redis_whoever_started_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_WRITE_URL", "CELERY_BROKER_READ_URL"):
        monkeypatch.setenv(name, OF_OTHERS[name])

    app = make_app(Settings(redis_url="redis://127.0.0.1:7/3"))

    for connection in (app.connection_for_read(), app.connection_for_write()):
        assert (connection.port, connection.virtual_host) == (7, "3")


def test_who_opens_strangers_files_is_told_of_graphics_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FARM_S3_SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "OCIO", "PYTHONSTARTUP", "MESA_DEBUG"):
        monkeypatch.setenv(name, "the value")

    server, stranger = for_server(), for_stranger()

    given = {name for name, value in server.items() if value == "the value"}
    assert given == {"FARM_S3_SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "MESA_DEBUG"}
    assert {name for name, value in stranger.items() if value == "the value"} == {"MESA_DEBUG"}
    assert "HOME" in server
    assert "HOME" not in stranger


@pytest.mark.parametrize(("told", "threads"), [(None, "1"), ("3", "3")])
def test_a_small_matrix_takes_one_core_unless_the_machines_owner_says_otherwise(
    told: str | None, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    if told is not None:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", told)
    by_hand = "import os; from farm.environment import settle; settle(); print(os.environ['OPENBLAS_NUM_THREADS'])"

    begun = subprocess.run([sys.executable, "-c", by_hand], capture_output=True, text=True, check=True).stdout.strip()

    assert {begun, for_server()["OPENBLAS_NUM_THREADS"], for_stranger()["OPENBLAS_NUM_THREADS"]} == {threads}
