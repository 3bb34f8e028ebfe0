"""Keys that are lent for a time: with a session token, or to a pod for its token. Against a real S3 server."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from minio.credentials.credentials import Credentials
from minio.signer import sign_v4_sts
from minio.time import to_amz_date, utcnow
from pydantic import SecretStr

from farm.errors import ServiceError, StoreRefusedError
from farm.settings import Settings
from farm.storage import ObjectStore
from farm.storage.s3 import S3Store
from tests.farm.storage.buckets import settings_of
from tests.support import servers

pytestmark = pytest.mark.s3


def lent(server: servers.S3Server) -> str:
    """Keys that the server's token service lends for an hour, as it says it."""
    host = urlsplit(server.endpoint)
    body = (
        "Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600"
        "&RoleArn=arn%3Aaws%3Aiam%3A%3A%3Arole%2Ffarm&RoleSessionName=test"
    )
    now = utcnow()
    headers = sign_v4_sts(
        method="POST",
        url=host,
        region="us-east-1",
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Host": host.netloc,
            "X-Amz-Date": to_amz_date(now),
        },
        credentials=Credentials(servers.ACCESS_KEY, servers.SECRET_KEY),
        content_sha256=hashlib.sha256(body.encode()).hexdigest(),
        date=now,
    )
    answer = httpx.post(server.endpoint, content=body, headers=headers, trust_env=False)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return answer.text


def field(text: str, name: str) -> str:
    return text.partition(f"<{name}>")[2].partition(f"</{name}>")[0]


@pytest.fixture(scope="session")
def role(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.S3Server]:
    """A server with a token service, and a role whose keys it lends."""
    if not servers.has_radosgw():
        pytest.skip("radosgw is not installed: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd")
    trust: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": ["arn:aws:iam:::user/lab"]},
        "Action": ["sts:AssumeRole"],
    }
    rights: dict[str, Any] = {"Effect": "Allow", "Action": ["s3:*"], "Resource": "arn:aws:s3:::*"}

    def policy(statement: dict[str, Any]) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    more = "rgw s3 auth use sts = true\nrgw sts key = abcdefghijklmnop"
    with servers.radosgw(tmp_path_factory.mktemp("sts"), more) as server:
        server.admin("caps", "add", "--uid", "lab", "--caps", "roles=*")
        server.admin("role", "create", "--role-name", "farm", "--path", "/", "--assume-role-policy-doc", policy(trust))
        server.admin(
            "role-policy", "put", "--role-name", "farm", "--policy-name", "all", "--policy-doc", policy(rights)
        )
        yield server


def put_through(store: ObjectStore) -> int:
    signed = store.presigned_put("uploads/a", 60, 1)
    assert signed is not None
    return httpx.put(signed.url, content=b"1", headers=signed.headers, trust_env=False).status_code


def test_lent_keys_work_with_their_session_token_and_not_without(role: servers.S3Server) -> None:
    text = lent(role)
    keys = {
        "s3_access_key": SecretStr(field(text, "AccessKeyId")),
        "s3_secret_key": SecretStr(field(text, "SecretAccessKey")),
    }
    token = SecretStr(field(text, "SessionToken"))

    store = S3Store("lent", settings_of(role, **keys, s3_session_token=token))

    assert store.check()
    assert put_through(store) == 200
    with pytest.raises(StoreRefusedError, match=r"AccessDenied|InvalidAccessKeyId"):
        S3Store("lent", settings_of(role, **keys)).check()


class TokenService(ThreadingHTTPServer):
    """Asks for a web identity token as EKS' service does, and lends real keys of the S3 server's own for it."""

    def __init__(self, server: servers.S3Server) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.s3 = server
        self.seconds = 3600
        self.status = 200
        self.tokens: list[str] = []
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    server: TokenService

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.tokens += form["WebIdentityToken"]
        self.server.paths.append(self.path)
        status = self.server.status
        if form["RoleArn"] != ["arn:aws:iam:::role/farm"] or form["Action"] != ["AssumeRoleWithWebIdentity"]:
            status = 403
        if status == 200:
            text = lent(self.server.s3).replace("AssumeRoleRe", "AssumeRoleWithWebIdentityRe")
            ends = datetime.now(UTC) + timedelta(seconds=self.server.seconds)
            text = text.replace(field(text, "Expiration"), f"{ends:%Y-%m-%dT%H:%M:%S.123456789Z}")
        else:
            text = "<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>"
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(service: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=service.serve_forever)
    thread.start()
    try:
        yield
    finally:
        service.shutdown()
        thread.join()
        service.server_close()


@pytest.fixture
def service(
    role: servers.S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[TokenService, Path]]:
    """A token service, and the token file of a pod that is to use it."""
    token = tmp_path / "token"
    token.write_text("first\n")
    made = TokenService(role)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam:::role/farm")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", made.url)
    with serving(made):
        yield made, token


def without_keys(server: servers.S3Server) -> Settings:
    return settings_of(server, s3_access_key=SecretStr(""), s3_secret_key=SecretStr(""))


def test_a_pod_gets_keys_for_its_token_and_new_ones_in_time(
    service: tuple[TokenService, Path], role: servers.S3Server
) -> None:
    made, token = service
    store = S3Store("web-identity", without_keys(role))

    # WHEN keys last THEN they are asked for once, by the body of a request and not by its address
    assert store.check()
    assert put_through(store) == 200
    assert made.tokens == ["first"]
    assert made.paths == ["/"]

    # WHEN they are about to end THEN others are asked for, with the token that the file holds by then
    made.seconds = 30
    store = S3Store("web-identity", without_keys(role))
    store.put("a", b"1")
    token.write_text("second")
    store.put("a", b"2")
    assert made.tokens[1:] == ["first", "second"]


def test_a_token_service_that_refuses_or_is_away_is_named(
    service: tuple[TokenService, Path], role: servers.S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, token = service
    made.status = 400
    with pytest.raises(StoreRefusedError, match=r"InvalidIdentityToken.*AWS_ROLE_ARN") as refused:
        S3Store("web-identity", without_keys(role), patience=60).put("a", b"")
    assert "first" not in str(refused.value)

    made.status = 503
    with pytest.raises(ServiceError):
        S3Store("web-identity", without_keys(role), patience=0.5).put("a", b"")
    assert len(made.tokens) > 2, "it is asked again"

    token.unlink()
    with pytest.raises(StoreRefusedError, match=r"AWS_WEB_IDENTITY_TOKEN_FILE.*No such file"):
        S3Store("web-identity", without_keys(role)).put("a", b"")
