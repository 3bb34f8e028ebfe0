"""The `farm` command as a whole: help, mistakes, the doctor, a farm that comes up again."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from farm.cli import main
from farm.client import FarmClient
from farm.keys import Role, entry_for, new_key
from farm.process import spawn
from farm.spec import RenderSpec
from farm.stack import EmbeddedStack, free_port
from tests.farm.cli.command import farm, farm_from_nothing
from tests.support import servers


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["render", "{empty}", "--out", "{out}"], "There is no model in"),
        (["render", "{nagi}", "--out", "{out}", "--samples", "many"], "--samples takes 'auto' or a number"),
        (["render", "{nagi}", "--out", "{out}", "--mapping", "{bad}"], "columns source_morph and target"),
        (["render", "{nagi}", "--out", "{out}", "--views", "3"], "several views need a range of yaw or elevation"),
        (["render", "{nagi}", "--out", "{out}", "--focal-length", "5"], "--focal-length 5, a field of view of 149"),
        (["render", "{nagi}", "--out", "{out}", "--backgrounds", "{empty}"], "There is no picture in"),
        (["render", "{nagi}", "--out", "{out}", "--backgrounds", "{pictures}"], "milk.png is no picture"),
        (["submit", "{nagi}", "--backgrounds", "{pictures}"], "milk.png is no picture"),
        (["annotate", "{empty}", "--out", "{out}"], "There is no model in"),
        (["export", "{empty}", "--out", "{out}"], "holds no rendered models"),
        (["submit", "{nagi}", "--api", "http://127.0.0.1:9"], "Start one with `farm up`"),
    ],
)
def test_a_mistake_gets_a_sentence_and_no_traceback(
    mascots: dict[str, Path], tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("a,b\n")
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "pictures" / "good.png")
    (tmp_path / "pictures" / "milk.png").write_text("Remember the milk.")
    places = {
        "empty": tmp_path / "empty",
        "out": tmp_path / "out",
        "bad": tmp_path / "bad.csv",
        "pictures": tmp_path / "pictures",
        "nagi": mascots["nagi"],
    }

    done = farm(*(argument.format(**places) for argument in arguments))

    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.blender
def test_doctor_tells_what_works() -> None:
    done = farm_from_nothing("doctor")

    assert done.returncode == 0, done.stdout
    assert "Blender: 5.2" in done.stdout
    assert "Blender's confinement: " in done.stdout
    assert "embedded Valkey: " in done.stdout


def test_the_version_and_every_command_have_help() -> None:
    assert "farm, version" in farm_from_nothing("--version").stdout
    commands = re.findall(r"^  (\w+) +[A-Z]", farm_from_nothing("--help").stdout, re.MULTILINE)
    assert len(commands) == len(set(commands)) > 20
    for command in commands:
        done = CliRunner().invoke(main, [command, "--help"])  # here: two dozen processes take their time
        assert done.exit_code == 0, command
        assert "Usage:" in done.stdout


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"FARM_REDIS_URL": "garbage"}, "FARM_REDIS_URL is no Redis address"),
        ({"FARM_SHUTDOWN_SECONDS": "abc"}, "shutdown_seconds"),
    ],
)
@pytest.mark.blender
def test_doctor_names_a_wrong_setting(environment: dict[str, str], words: str) -> None:
    command = [sys.executable, "-m", "farm", "doctor"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=servers.PATIENCE_SECONDS,
        env={**os.environ, **environment},
    )

    assert done.returncode == 1
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.blender
def test_a_farm_of_ones_own_names_the_settings_that_it_does_not_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who configured keys would think that people with them get in, or that people without do not."""
    theirs = {
        "FARM_API_KEYS": entry_for("alice", [Role.SUBMIT], new_key()), "FARM_RATE_LIMIT": "5", "FARM_API_HOST": "0.0.0.0",
        "FARM_S3_SECRET_KEY": "secret-of-theirs", "FARM_API_KEYS_FILE": "", "FARM_WEBHOOK_PRIVATE": "1",
        "FARM_JOB_SECONDS": "100",
    }  # fmt: skip
    dropped = "FARM_API_HOST, FARM_API_KEYS, FARM_RATE_LIMIT, FARM_S3_SECRET_KEY of the environment have no effect"
    port = free_port()
    command = [sys.executable, "-m", "farm", "up", "--home", str(tmp_path / "home"), "--port", str(port)]
    with ended(spawn([*command, "--workers", "1"], tmp_path / "log", theirs)):
        servers.wait_until(lambda: "submit" in (tmp_path / "log").read_text(), "the farm coming up")
    said = (tmp_path / "log").read_text()
    assert dropped in said
    assert len(re.findall(r"FARM_\w+", said)) == 4
    assert "alice" not in said
    assert "secret-of-theirs" not in said
    monkeypatch.setenv("FARM_IMPORT_BUCKETS", "models")
    monkeypatch.setenv("FARM_S3_SECRET_KEY", "secret-of-theirs")
    assert EmbeddedStack(tmp_path / "other", 0).not_taken == []


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Asked to end in the end."""
    try:
        yield
    finally:
        servers.end(process, signal.SIGTERM)


@pytest.mark.blender
def test_a_farm_that_comes_up_again_finishes_what_it_had_begun(mascots: dict[str, Path], tmp_path: Path) -> None:
    # GIVEN a farm that is killed in the middle of a model
    def up(port: int) -> tuple[subprocess.Popen[bytes], FarmClient]:
        command = [sys.executable, "-m", "farm", "up", "--home", str(tmp_path / "home"), "--port", str(port)]
        process = spawn([*command, "--workers", "1"], tmp_path / "log")
        url = f"http://127.0.0.1:{port}"
        servers.wait_until(lambda: "submit" in (tmp_path / "log").read_text(), "the farm coming up")
        return process, FarmClient(url)

    first, client = up(free_port())
    (model,), _ = client.upload(mascots["nagi"])
    batch = client.submit([model], RenderSpec(samples=100, size=48)).id
    servers.wait_until(lambda: client.batch(batch).images_done > 0, "the first image")
    servers.end(first)
    client.close()
    (tmp_path / "log").write_text("")

    # WHEN it comes up again, THEN the job is finished
    second, client = up(free_port())
    try:
        servers.wait_until(lambda: client.batch(batch).ended, "the batch ending")
        assert [job.state for job in client.jobs(batch)] == ["done"]
    finally:
        client.close()
        servers.end(second, signal.SIGTERM)
