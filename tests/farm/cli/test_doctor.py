"""`farm doctor` on a store: it does what a job does, and whatever it meets is a line with what to do."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from minio import Minio
from pydantic import SecretStr

from farm.cli import doctor
from farm.errors import StoreRefusedError
from farm.settings import Settings
from farm.storage.s3 import S3Store
from tests.support import servers

WITHOUT_BLENDER = """
from farm.cli import doctor
checks = doctor._checks
doctor._checks = lambda settings: [check for check in checks(settings) if check.name.startswith(("Redis", "object store"))]
doctor.doctor()
"""
"""The command, less what takes half a minute and is the same for every store."""


def doctored(environment: dict[str, str]) -> tuple[int, str]:
    """What the command says with these settings alone."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_BLENDER],
        env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=servers.PATIENCE_SECONDS,
    )
    assert "Traceback" not in done.stderr + done.stdout
    return done.returncode, done.stdout


@pytest.mark.s3
def test_a_key_that_may_not_list_fails_and_the_missing_right_is_named(s3: servers.S3Server) -> None:
    environment = s3.environment("doctored")
    code, said = doctored({**environment, "FARM_STORAGE_URL": "s3://doctored/in/a-prefix"})
    assert code == 0
    assert "'doctored/in/a-prefix'" in said

    s3.admin(
        "user", "create", "--uid", "blind", "--display-name", "blind",
        "--access-key", "blind-key", "--secret-key", "blind-secret",
    )  # fmt: skip
    who = {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/blind"]}}
    rights = {"Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "Resource": "arn:aws:s3:::doctored/*"}
    client = Minio(urlsplit(s3.endpoint).netloc, servers.ACCESS_KEY, servers.SECRET_KEY, secure=False)
    client.set_bucket_policy("doctored", json.dumps({"Version": "2012-10-17", "Statement": [{**who, **rights}]}))
    code, said = doctored({**environment, "FARM_S3_ACCESS_KEY": "blind-key", "FARM_S3_SECRET_KEY": "blind-secret"})
    assert code == 1
    assert "s3:ListBucket" in said


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"FARM_STORAGE_URL": "file://data/x"}, "file:///data/x"),
        ({"FARM_STORAGE_URL": "s3://"}, "no name of a bucket"),
        ({"FARM_STORAGE_URL": "s3://b", "FARM_S3_ENDPOINT": "http://x"}, "no name of a bucket"),
        ({"FARM_STORAGE_URL": "s3://[/red]", "FARM_S3_ENDPOINT": "http://x"}, "no name of a bucket"),
        ({"FARM_STORAGE_URL": "s3://bucket", "FARM_S3_ENDPOINT": "http://[::1"}, "FARM_S3_ENDPOINT"),
        ({"FARM_STORAGE_URL": "s3://bucket", "FARM_S3_ENDPOINT": "http://x", "FARM_S3_ACCESS_KEY": "a"}, "together"),
        (
            {"FARM_STORAGE_URL": "s3://bucket", "FARM_S3_ENDPOINT": "https://x", "FARM_S3_CA_FILE": "/x"},
            "FARM_S3_CA_FILE",
        ),
        ({"FARM_STORAGE_URL": "file:///proc/x"}, "/proc/x cannot be read or written"),
        ({"FARM_REDIS_URL": "redis://localhost:port/0"}, "FARM_REDIS_URL"),
        ({"FARM_REDIS_URL": "redis://[::1/0"}, "FARM_REDIS_URL"),
    ],
)
def test_what_is_set_wrongly_is_a_line_and_never_a_traceback(environment: dict[str, str], words: str) -> None:
    code, said = doctored(environment)

    assert code == 1
    assert "FAIL" in said
    assert words in said


def test_what_nobody_foresaw_is_a_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise RuntimeError("nobody thought of it")

    monkeypatch.setattr(doctor, "_checks", lambda settings: [doctor._Check("[a] check", broken, True, "Do this.")])

    ended = CliRunner().invoke(doctor.doctor)

    assert isinstance(ended.exception, SystemExit)
    assert ended.exit_code == 1


class _Elsewhere(BaseHTTPRequestHandler):
    """Answers as S3 does for a bucket of another region. (The server of the other tests takes a signature for any.)"""

    def _refuse(self, status: int, body: bytes) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(status)
        self.send_header("x-amz-bucket-region", "eu-west-3")
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._refuse(
            400,
            b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>AuthorizationHeaderMalformed</Code>"
            b"<Message>The authorization header is malformed; the region is wrong; expecting 'eu-west-3'</Message>"
            b"<Region>eu-west-3</Region><RequestId>1</RequestId></Error>",
        )

    do_PUT = do_GET  # noqa: N815 - the name is http.server's

    def do_HEAD(self) -> None:
        self._refuse(400, b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_wrong_region_is_named_with_the_right_one(elsewhere: str, tmp_path: Path) -> None:
    settings = Settings(s3_endpoint=elsewhere, s3_access_key=SecretStr("a"), s3_secret_key=SecretStr("b"))
    store = S3Store("bucket", settings, patience=60)
    (tmp_path / "file").write_bytes(b"x")

    for ask in (
        lambda: store.get("a"),
        lambda: store.put("a", b""),
        lambda: store.put_file("a", tmp_path / "file"),
        lambda: store.put_new("a", b""),
        lambda: store.list(""),
        lambda: store.presigned_put("a", 60, 1),
        lambda: store.size("a"),
    ):
        with pytest.raises(StoreRefusedError, match=r"'eu-west-3'.*FARM_S3_REGION"):
            ask()


@pytest.mark.parametrize(
    ("servers_are_set", "installed", "needed"), [(True, False, False), (True, True, True), (False, False, True)]
)
def test_a_role_of_a_farm_needs_only_what_is_installed_for_it(
    monkeypatch: pytest.MonkeyPatch, servers_are_set: bool, installed: bool, needed: bool
) -> None:
    # GIVEN the API's image, which has no Blender, a worker's, or a machine on which nothing was set up
    spec = object() if installed else None
    monkeypatch.setattr(doctor, "find_spec", lambda name: spec)
    given: dict[str, Any] = (
        {"redis_url": "redis://redis:6379/0", "storage_url": "s3://faces"} if servers_are_set else {}
    )

    found = {check.name: check.needed for check in doctor._checks(Settings(**given))}

    assert (found["Blender"], found["embedded Valkey"]) == (needed, needed)
