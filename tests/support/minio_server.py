"""A real MinIO for tests that are asked for it: FARM_TEST_MINIO names a folder with its program, `minio`, and, where there is
one, its command line, `mc`. No registry that this project installs from has either from those who make them.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from farm.process import spawn
from farm.stack import free_port
from tests.support.servers import PATIENCE_SECONDS, end, wait_until

VARIABLE = "FARM_TEST_MINIO"

_MC = """
import json, os, sys
from minio import MinioAdmin
from minio.credentials import StaticProvider
from minio.error import MinioAdminException

def connect(endpoint, key, secret):
    return MinioAdmin(endpoint=endpoint.partition("//")[2], credentials=StaticProvider(key, secret), secure=False)

aliases = os.path.join(os.environ["HOME"], "aliases.json")
try:
    match sys.argv[1:]:
        case ["alias", "set", name, *server]:
            connect(*server).info()
            json.dump({name: server}, open(aliases, "w"))
        case ["admin", "policy", "create", name, policy, file]:
            connect(*json.load(open(aliases))[name]).policy_add(policy, file)
        case ["admin", "user", "add", name, user, secret]:
            connect(*json.load(open(aliases))[name]).user_add(user, secret)
        case ["admin", "user", "info", name, user]:
            print(connect(*json.load(open(aliases))[name]).user_info(user))
        case ["admin", "policy", "attach", name, policy, "--user", user]:
            connect(*json.load(open(aliases))[name]).attach_policy([policy], user)
        case other:
            sys.exit(f"mc: no such command: {other}")
except Exception as error:
    sys.exit(f"mc: <ERROR> {error}")
"""
"""The five commands of `mc` that the chart gives, over the same API of the server, where there is no `mc`."""


@dataclass(frozen=True)
class MinioServer:
    """A running MinIO."""

    port: int
    mc: Path
    """The folder of its command line."""
    home: Path

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def run(self, script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """A shell script that finds `mc`, as the container's hook does."""
        path = {"PATH": f"{self.mc}:{os.defpath}", "HOME": str(self.home)}
        return subprocess.run(
            ["sh", "-c", script],
            env=path | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )


@contextmanager
def minio_server(folder: Path, key: str, secret: str) -> Iterator[MinioServer]:
    """MinIO with this root user, its data in `folder`. Skips the test where none is named."""
    if VARIABLE not in os.environ:
        pytest.skip(f"no MinIO: {VARIABLE} names no folder with one")
    programs = Path(os.environ[VARIABLE]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if not (programs / "mc").exists():
        ours = folder / "bin"
        ours.mkdir(exist_ok=True)
        (ours / "mc").write_text(f"#!{sys.executable}\n{_MC}")
        (ours / "mc").chmod(0o755)
    server = MinioServer(free_port(), programs if (programs / "mc").exists() else folder / "bin", folder)
    who = {"MINIO_ROOT_USER": key, "MINIO_ROOT_PASSWORD": secret, "MINIO_UPDATE": "off", "HOME": str(folder)}
    address = f"127.0.0.1:{server.port}"
    command = [str(programs / "minio"), "server", "--address", address, "--console-address", "127.0.0.1:0"]
    process = spawn([*command, str(folder / "data")], folder / "minio.log", who)
    try:
        wait_until(lambda: _answers(f"{server.endpoint}/minio/health/ready"), "MinIO answering")
        yield server
    finally:
        end(process)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False
