"""How a farm gets at a bucket: a prefix of it, rights, TLS, regions. Against a real S3 server."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from minio import Minio
from pydantic import SecretStr

from farm.errors import NotFoundError, StorageError, StoreRefusedError
from farm.settings import Settings
from farm.storage import open_store
from farm.storage.s3 import S3Store
from tests.farm.storage.buckets import settings_of
from tests.support import servers

pytestmark = pytest.mark.s3
GUEST = {"s3_access_key": SecretStr("guest-key"), "s3_secret_key": SecretStr("guest-secret")}
_numbers = count()


@pytest.fixture
def bucket(s3: servers.S3Server) -> str:
    """A bucket with one object in it."""
    name = f"access-{next(_numbers)}"
    S3Store(name, settings_of(s3)).put("there", b"there")
    return name


@pytest.fixture(scope="session")
def guest(s3: servers.S3Server) -> Callable[[str, list[str]], None]:
    """Lets another user, whose keys are GUEST, do these things and no others in a bucket."""
    s3.admin(
        "user", "create", "--uid", "guest", "--display-name", "guest",
        "--access-key", "guest-key", "--secret-key", "guest-secret",
    )  # fmt: skip

    def allow(bucket: str, actions: list[str]) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": ["arn:aws:iam:::user/guest"]},
            "Action": actions,
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        }
        client_of(s3).set_bucket_policy(bucket, json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    return allow


def client_of(server: servers.S3Server) -> Minio:
    return Minio(
        urlsplit(server.endpoint).netloc, servers.ACCESS_KEY, servers.SECRET_KEY, secure=False, region="us-east-1"
    )


@pytest.mark.parametrize("prefix", ["one", "one/two", "狐 #3?/100%"])
def test_a_prefix_is_a_store_of_its_own(s3: servers.S3Server, bucket: str, prefix: str) -> None:
    # GIVEN a bucket with objects of somebody else, beside the prefix and around it
    whole = S3Store(bucket, settings_of(s3))
    others = ["batches/theirs/order.json", f"{prefix}-2/batches/b/order.json", f"{prefix}0"]
    for key in others:
        whole.put(key, b"theirs")

    # WHEN a farm works under the prefix
    store = open_store(settings_of(s3, storage_url=f"s3://{bucket}//{prefix}/"))
    store.check()
    store.put("batches/ours/order.json", b"ours")
    assert store.put_new("withdrawn/x.json", b"1")
    assert not store.put_new("withdrawn/x.json", b"2")
    signed = store.presigned_put("uploads/a b.zip", 60, 4)
    assert signed is not None
    assert httpx.put(signed.url, content=b"sent", headers=signed.headers, trust_env=False).status_code == 200

    # THEN it sees what is its own, by its own names
    mine = ["batches/ours/order.json", "uploads/a b.zip", "withdrawn/x.json"]
    assert store.list("") == mine
    assert store.list("", "batches/zzz", 1) == ["uploads/a b.zip"]
    assert store.folders("batches/") == ["ours"]
    assert store.get("uploads/a b.zip") == b"sent"
    assert (store.size("withdrawn/x.json"), store.exists("there")) == (1, False)
    with pytest.raises(NotFoundError, match="'batches/theirs"):
        store.get("batches/theirs/order.json")
    # AND in the bucket all of it is under the prefix, and nothing else was touched
    assert [key for key in whole.list("") if key.startswith(f"{prefix}/")] == [f"{prefix}/{key}" for key in mine]
    assert store.delete_all("batches/") == 1
    store.delete("there")
    assert {key for key in whole.list("") if not key.startswith(f"{prefix}/")} == {"there", *others}


def test_a_folder_that_another_tool_has_marked_is_no_object(s3: servers.S3Server, bucket: str) -> None:
    client = client_of(s3)
    client._put_object(bucket, "one/", b"", {})
    client._put_object(bucket, "one/batches/", b"", {})

    store = S3Store(bucket, settings_of(s3), prefix="one/")

    assert store.list("") == []
    assert store.folders("batches/") == []


RIGHTS = ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"]


@pytest.mark.parametrize("lacking", ["s3:ListBucket", "s3:PutObject", "s3:DeleteObject"])
def test_the_check_needs_every_right_that_a_job_needs(
    s3: servers.S3Server, bucket: str, guest: Callable[[str, list[str]], None], lacking: str
) -> None:
    store = S3Store(bucket, settings_of(s3, **GUEST))
    guest(bucket, RIGHTS)
    assert store.check()

    guest(bucket, [right for right in RIGHTS if right != lacking])

    with pytest.raises(StoreRefusedError, match=lacking):
        store.check()


def test_a_job_that_may_not_list_is_told_so(
    s3: servers.S3Server, bucket: str, guest: Callable[[str, list[str]], None]
) -> None:
    guest(bucket, RIGHTS[1:])
    store = S3Store(bucket, settings_of(s3, **GUEST), patience=60)

    for ask in (store.get, store.size, store.exists, lambda key: store.sizes([key])):
        with pytest.raises(StoreRefusedError, match="s3:ListBucket"):
            ask("renders/none/manifest.json")


def test_a_right_to_list_on_condition_is_not_enough_and_the_check_says_so(
    s3: servers.S3Server, bucket: str, guest: Callable[[str, list[str]], None]
) -> None:
    # GIVEN a policy that looks sufficient: for an object that is not there, servers ask it without a prefix
    who = {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/guest"]}}
    condition = {"StringLike": {"s3:prefix": "one/*"}}
    statements = [
        {**who, "Action": RIGHTS[1:], "Resource": f"arn:aws:s3:::{bucket}/one/*"},
        {**who, "Action": ["s3:ListBucket"], "Resource": f"arn:aws:s3:::{bucket}", "Condition": condition},
    ]
    client_of(s3).set_bucket_policy(bucket, json.dumps({"Version": "2012-10-17", "Statement": statements}))

    with pytest.raises(StoreRefusedError, match="without a condition on the prefix"):
        S3Store(bucket, settings_of(s3, **GUEST), prefix="one/").check()


def test_half_a_pair_of_keys_is_refused(s3: servers.S3Server) -> None:
    with pytest.raises(StorageError, match="belong together"):
        S3Store("halves", settings_of(s3, s3_secret_key=SecretStr("")))


def test_a_certificate_of_nobodys_is_named_at_once_and_accepted_by_its_file(s3: servers.S3Server) -> None:
    with pytest.raises(StoreRefusedError, match=r"self-signed certificate.*FARM_S3_CA_FILE"):
        S3Store("tls", settings_of(s3, s3_endpoint=s3.tls_endpoint), patience=600).check()

    assert S3Store("tls", settings_of(s3, s3_endpoint=s3.tls_endpoint, s3_ca_file=str(s3.ca_file))).check()
    by_another_name = s3.tls_endpoint.replace("127.0.0.1", "localhost")
    with pytest.raises(StoreRefusedError, match=r"of another name.*localhost"):
        S3Store("tls", settings_of(s3, s3_endpoint=by_another_name, s3_ca_file=str(s3.ca_file)), patience=600).check()


def test_tls_to_a_server_without_it_is_named_at_once(s3: servers.S3Server) -> None:
    with pytest.raises(StoreRefusedError, match="write http://"):
        S3Store("tls", settings_of(s3, s3_endpoint=s3.endpoint.replace("http", "https")), patience=600).check()


def test_a_file_of_no_certificates_is_named(s3: servers.S3Server, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("no certificate")
    for name, word in (("none", "No such file"), ("empty", "no certificate as PEM"), (".", "directory")):
        with pytest.raises(StorageError, match=rf"FARM_S3_CA_FILE.*{word}"):
            S3Store("tls", settings_of(s3, s3_endpoint=s3.tls_endpoint, s3_ca_file=str(tmp_path / name)))


@pytest.mark.parametrize(
    "endpoint",
    ["", "minio:9000", "ftp://minio", "http://", "http://[::1", "http://minio:port", "http://minio:99999", "http://minio/farm",
     "http://key:secret@minio", "http://minio?x=1"],
)  # fmt: skip
def test_an_endpoint_that_is_none_is_a_sentence(endpoint: str) -> None:
    with pytest.raises(StorageError, match="FARM_S3_ENDPOINT") as refused:
        S3Store("bucket", Settings(s3_endpoint=endpoint, s3_access_key=SecretStr("a"), s3_secret_key=SecretStr("b")))

    assert "secret@" not in str(refused.value)
