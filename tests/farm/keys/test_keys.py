"""Keys and roles: how entries are read, whose key it is, `farm keys`."""

import hashlib
import hmac
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from farm.cli.keys import keys as keys_command
from farm.errors import KeysError
from farm.keys import ALLOWED, Keyring, Keys, Principal, Role, entry_for, new_key, read_entries
from tests.farm.keys.gate import KEYS, MAY, entries
from tests.support.servers import PATIENCE_SECONDS
from tests.support.small_api import small_api


def test_keys_are_long_and_never_the_same() -> None:
    made = {new_key() for _ in range(100)}

    assert len(made) == 100
    assert all(key.startswith("ff_") and len(key) == 3 + 43 for key in made)


def test_a_ring_finds_whose_key_it_is() -> None:
    ring = Keyring(read_entries(entries(), "the test"))

    for role, key in KEYS.items():
        assert ring.find(key) == Principal(f"the-{role}", frozenset({role}))
    for wrong in ("", "ff_", KEYS[Role.READ][:-1], KEYS[Role.READ] + "A", "café", "\udcff"):
        assert ring.find(wrong) is None


@pytest.mark.parametrize("place", [0, 7, 19, None])
def test_every_entry_is_compared_wherever_the_key_is(place: int | None) -> None:
    # GIVEN a ring of twenty that notes what it compares
    keys = [new_key() for _ in range(20)]
    hashes = [hashlib.sha256(key.encode()).digest() for key in keys]
    compared: list[bytes] = []

    def noting(known: bytes, presented: bytes) -> bool:
        compared.append(known)
        return hmac.compare_digest(known, presented)

    ring = Keyring([(digest, Principal(str(n), frozenset())) for n, digest in enumerate(hashes)], noting)

    # WHEN a key is looked for, THEN all are compared, also after the one that fits
    found = ring.find(new_key() if place is None else keys[place])

    assert (found.name if found else None) == (None if place is None else str(place))
    assert compared == hashes


def test_the_table_of_roles_is_the_one_that_was_decided() -> None:
    assert MAY == ALLOWED
    assert not Principal("nobody", frozenset()).may(Role.READ)


def test_entries_stand_on_lines_or_between_commas_and_semicolons() -> None:
    one, two, three = (entry_for(name, [Role.SUBMIT, Role.READ], new_key()) for name in ("a", "b.c", "d_e-f"))

    found = read_entries(f"# who, and why; not an entry\n {one} , {two};\r\n\n{three}\n", "the test")

    assert [principal.name for _, principal in found] == ["a", "b.c", "d_e-f"]
    assert {principal.roles for _, principal in found} == {frozenset({Role.READ, Role.SUBMIT})}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{key}", "not of the form name:role"),
        ("me:submit:{key}", "never the key"),
        ("{key}:submit:me", "never the key"),
        ("me:{key}:{hash}", "unknown one; there are read, submit, annotate, operate"),
        ("me::{hash}", "names no role"),
        ("me:read+:{hash}", "names no role"),
        ("me:submit:{HASH}", "small hexadecimal"),
        ("two words:read:{hash}", "no usable name"),
        ("anonymous:read:{hash}", "no usable name"),
        ("me:read:{hash}:more", "not of the form"),
        ("me:read:{hash},me:submit:{hash2}", "More than one API key is named me"),
        ("me:read:{hash},you:read:{hash}", "two names"),
    ],
)
def test_a_wrong_entry_gets_a_sentence_that_shows_no_key(entry: str, words: str) -> None:
    key, digest, other = new_key(), hashlib.sha256(b"1").hexdigest(), hashlib.sha256(b"2").hexdigest()
    text = entry.format(key=key, hash=digest, HASH=digest.upper(), hash2=other)

    with pytest.raises(KeysError, match=words) as error:
        Keys(text).ring()

    assert key not in str(error.value)
    assert digest not in str(error.value).lower()
    assert error.value.__suppress_context__ or error.value.__context__ is None, "nor does its traceback"


def test_a_file_that_is_not_there_or_no_text_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="FARM_API_KEYS_FILE names cannot be read: No such file"):
        Keys(file=tmp_path / "absent").ring()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(KeysError, match="no UTF-8 text"):
        Keys(file=tmp_path / "binary").ring()


def test_openapi_says_how_keys_are_shown_and_which_role_is_needed() -> None:
    document = small_api(Keys()).openapi()

    assert document["components"]["securitySchemes"] == {
        "HTTPBearer": {"type": "http", "scheme": "bearer", "description": "A key that `farm keys new` made"},
        "APIKeyHeader": {
            "type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key in a header of its own",
        },
    }  # fmt: skip
    create = document["paths"]["/v1/batches"]["post"]
    assert create["security"] == [{"HTTPBearer": ["submit"]}, {"APIKeyHeader": ["submit"]}]
    assert "security" not in document["paths"]["/healthz"]["get"]
    for status in ("400", "401", "403", "404", "409", "413", "422", "429", "503"):
        content = create["responses"][status]["content"]
        assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert "code" in document["components"]["schemas"]["Problem"]["required"]


def keys_cli(*arguments: str, **environment: str) -> tuple[str, str]:
    """Standard output and error of `farm keys`, from a process of its own."""
    command = [sys.executable, "-c", "from farm.cli.keys import keys; keys()", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS, env={**os.environ, **environment}
    )
    return done.stdout, done.stderr


def test_farm_keys_makes_a_key_that_opens_and_lists_names_without_hashes() -> None:
    out, _ = keys_cli("new", "alice", "--role", "submit", "--role", "read")
    printed = dict(line.split(maxsplit=1) for line in out.splitlines())

    found = Keys(printed["entry"]).ring().find(printed["key"])
    listed, _ = keys_cli("check", FARM_API_KEYS=printed["entry"])

    assert found == Principal("alice", frozenset({Role.READ, Role.SUBMIT}))
    assert listed == "alice: read, submit\n"
    assert "No API keys are configured" in keys_cli("check", FARM_API_KEYS="")[1]


def test_farm_keys_new_refuses_a_name_that_no_entry_can_hold() -> None:
    for name in ("two words", "a:b", "anonymous", "", "x" * 65):
        result = CliRunner().invoke(keys_command, ["new", name])
        assert isinstance(result.exception, KeysError)
        assert "cannot name a key" in str(result.exception)
