"""Who gets in, and who may do what: keys, roles and the gate, over HTTP on a real server."""

import hashlib
import hmac
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from farm.cli.keys import keys as keys_command
from farm.errors import KeysError
from farm.keys import ALLOWED, Keyring, Keys, Principal, Role, entry_for, keys_for_api, new_key, read_entries
from farm.settings import Settings
from tests.support.servers import PATIENCE_SECONDS
from tests.support.small_api import serving, small_api

ROUTES = {
    ("GET", "/v1/batches"): Role.READ,
    ("POST", "/v1/batches"): Role.SUBMIT,
    ("POST", "/v1/mappings"): Role.ANNOTATE,
    ("POST", "/v1/batches/x/cancel"): Role.OPERATE,
}
"""The role that each route of the small application asks for."""
MAY = {
    Role.READ: {Role.READ},
    Role.SUBMIT: {Role.READ, Role.SUBMIT},
    Role.ANNOTATE: {Role.READ, Role.ANNOTATE},
    Role.OPERATE: {Role.READ, Role.SUBMIT, Role.ANNOTATE, Role.OPERATE},
}
KEYS = {role: new_key() for role in Role}


@dataclass
class Farm:
    """A running application whose keys are in `file`."""

    url: str
    file: Path

    def ask(self, method: str, path: str, **headers: str) -> httpx.Response:
        body: dict[str, str] | None = {} if method == "POST" else None
        return httpx.request(method, self.url + path, headers=headers, trust_env=False, json=body)


def entries() -> str:
    return "\n".join(entry_for(f"the-{role}", [role], key) for role, key in KEYS.items())


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str]) -> Iterator[Farm]:
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(entries())
    with serving(small_api(Keys(file=file), redis_url=new_database())) as port:
        yield Farm(f"http://127.0.0.1:{port}", file)


@pytest.fixture(scope="module")
def open_farm() -> Iterator[Farm]:
    with serving(small_api(Keys())) as port:
        yield Farm(f"http://127.0.0.1:{port}", Path())


def assert_problem(response: httpx.Response, status: int, code: str, *words: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == code
    for word in words:
        assert word in response.json()["detail"]


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


@pytest.mark.parametrize(("method", "path"), list(ROUTES))
@pytest.mark.parametrize("role", list(Role))
def test_each_route_lets_in_the_roles_that_may_and_no_others(farm: Farm, role: Role, method: str, path: str) -> None:
    response = farm.ask(method, path, Authorization=f"Bearer {KEYS[role]}")

    if ROUTES[method, path] in MAY[role]:
        assert response.status_code == 200, response.text
    else:
        assert_problem(response, 403, "forbidden", f"the role {ROUTES[method, path]}", f"the-{role} has {role}")


@pytest.mark.parametrize(("method", "path"), list(ROUTES))
def test_no_route_lets_in_whoever_shows_no_key_or_a_wrong_one(farm: Farm, method: str, path: str) -> None:
    own = {"Sec-Fetch-Site": "same-origin"}
    wrong = [
        {},
        {"Authorization": f"Bearer {new_key()}"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {KEYS[Role.OPERATE]}"},
        {"Authorization": KEYS[Role.OPERATE]},
        {"X-API-Key": new_key()},
        {"X-API-Key": hashlib.sha256(KEYS[Role.OPERATE].encode()).hexdigest()},
        {"Cookie": f"farm_session={new_key()}", "Sec-Fetch-Site": "same-origin"},
        {"Cookie": f"farm_session={KEYS[Role.OPERATE]}", "Sec-Fetch-Site": "same-origin"},
        {"Cookie": f"farm_session={hashlib.sha256(KEYS[Role.OPERATE].encode()).hexdigest()}", **own},
        {"Cookie": f"farm_session={'x' * 4000}", **own},
    ]
    for headers in wrong:
        response = farm.ask(method, path, **headers)
        assert_problem(response, 401, "unauthorized", "farm keys new")
        assert response.headers["www-authenticate"] == "Bearer"


def test_a_key_is_taken_from_either_header_and_its_name_is_known(farm: Farm) -> None:
    for headers in (
        {"Authorization": f"Bearer {KEYS[Role.SUBMIT]}"},
        {"Authorization": f"bearer  {KEYS[Role.SUBMIT]}"},
        {"X-API-Key": KEYS[Role.SUBMIT]},
        {"X-API-Key": KEYS[Role.SUBMIT], "Authorization": "Basic Zm9vOmJhcg=="},
    ):
        assert farm.ask("GET", "/v1/batches", **headers).json() == {"name": "the-submit"}


def test_health_needs_no_key(farm: Farm) -> None:
    assert farm.ask("GET", "/healthz", Authorization="Bearer wrong").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 200),
        ({"Origin": "{own}"}, 200),
        ({}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "{own}"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_with_the_cookie_a_change_must_come_from_the_farms_own_page(
    farm: Farm, headers: dict[str, str], status: int
) -> None:
    cookie = {"Cookie": signed_in(farm, Role.OPERATE)}
    sent = {name: value.format(own=farm.url) for name, value in headers.items()}

    assert farm.ask("POST", "/v1/batches/x/cancel", **cookie, **sent).status_code == status
    assert farm.ask("GET", "/v1/batches", **cookie, **sent).status_code == 200, "reading changes nothing"


def signed_in(farm: Farm, role: Role) -> str:
    """A Cookie header of whoever signs in."""
    answer = httpx.post(
        f"{farm.url}/sign-in", data={"key": KEYS[role]}, headers={"Sec-Fetch-Site": "same-origin"}, trust_env=False
    )
    return answer.headers["set-cookie"].partition(";")[0]


def test_the_cookie_is_no_key_and_ends_with_its_key(farm: Farm) -> None:
    first, second = signed_in(farm, Role.READ), signed_in(farm, Role.READ)
    assert first != second
    assert KEYS[Role.READ] not in first
    assert hashlib.sha256(KEYS[Role.READ].encode()).hexdigest() not in first
    session = first.partition("=")[2]
    assert farm.ask("GET", "/v1/batches", Authorization=f"Bearer {session}").status_code == 401
    assert farm.ask("GET", "/v1/batches", Cookie=first).status_code == 200

    kept = farm.file.read_text()
    farm.file.write_text("")
    try:
        assert farm.ask("GET", "/v1/batches", Cookie=first).status_code == 401
    finally:
        farm.file.write_text(kept)


def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_cannot_use(farm: Farm) -> None:
    with httpx.Client(base_url=farm.url, trust_env=False, headers={"Origin": farm.url}) as browser:
        assert_problem(browser.post("/sign-in", data={"key": new_key()}), 401, "unauthorized", "does not know")
        foreign = browser.post("/sign-in", data={"key": KEYS[Role.READ]}, headers={"Origin": "https://evil.example"})
        assert_problem(foreign, 403, "forbidden", "another site")
        assert not browser.cookies

        answer = browser.post("/sign-in", data={"key": KEYS[Role.READ]})

        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert browser.get("/v1/batches").json() == {"name": "the-read"}


def test_a_key_is_taken_back_by_changing_the_file_and_a_damaged_file_lets_nobody_in(farm: Farm) -> None:
    reader = {"Authorization": f"Bearer {KEYS[Role.READ]}"}
    assert farm.ask("GET", "/v1/batches", **reader).status_code == 200

    # WHEN the reader's line is taken out, by replacing the file as Kubernetes does
    lines = [line for line in entries().splitlines() if not line.startswith("the-read:")]
    new = farm.file.with_name("new")
    new.write_text("\n".join(lines))
    new.replace(farm.file)

    # THEN that key is nobody's, and the others go on
    assert farm.ask("GET", "/v1/batches", **reader).status_code == 401
    submitter = {"Authorization": f"Bearer {KEYS[Role.SUBMIT]}"}
    assert farm.ask("GET", "/v1/batches", **submitter).status_code == 200

    # WHEN somebody damages the file, THEN nobody gets in, and strangers do not learn how it looks
    farm.file.write_text("rubbish")
    damaged = farm.ask("GET", "/v1/batches", **submitter)
    assert_problem(damaged, 503, "keys-refused", "lets nobody in")
    assert str(farm.file) not in damaged.text
    assert farm.ask("GET", "/v1/batches").status_code == 401
    assert farm.ask("GET", "/healthz").status_code == 200

    # WHEN the file is empty, THEN that is no farm without keys
    farm.file.write_text("")
    assert farm.ask("GET", "/v1/batches").status_code == 401

    farm.file.write_text(entries())
    assert farm.ask("GET", "/v1/batches", **reader).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "[::1]"])
def test_without_keys_this_machine_may_do_everything(open_farm: Farm, host: str) -> None:
    for method, path in ROUTES:
        assert open_farm.ask(method, path, Host=host).status_code == 200
    assert open_farm.ask("GET", "/v1/batches").json() == {"name": "anonymous"}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.1", "", "["])
def test_without_keys_names_that_are_not_this_machines_are_refused(open_farm: Farm, host: str) -> None:
    for path in ("/v1/batches", "/docs", "/healthz"):
        assert_problem(open_farm.ask("GET", path, Host=host), 403, "forbidden", "localhost, 127.0.0.1 and [::1]")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "{own}"}, 200),
        ({"Origin": "{own}", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_without_keys_pages_of_other_sites_change_nothing(
    open_farm: Farm, headers: dict[str, str], status: int
) -> None:
    sent = {name: value.format(own=open_farm.url) for name, value in headers.items()}

    assert open_farm.ask("POST", "/v1/batches/x/cancel", **sent).status_code == status


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: asks which interface would be taken
        except OSError:
            pytest.skip("This machine has no interface but loopback.")
        return str(probe.getsockname()[0])


def test_without_keys_nobody_gets_in_from_the_network_however_the_server_was_started() -> None:
    address = _own_address()
    with serving(small_api(Keys()), "0.0.0.0") as port:
        response = httpx.get(f"http://{address}:{port}/v1/batches", headers={"Host": "localhost"}, trust_env=False)

        assert_problem(response, 403, "forbidden", "loopback interface only")
        assert httpx.get(f"http://127.0.0.1:{port}/v1/batches", trust_env=False).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.1.2.3", "farm.example"])
def test_the_api_does_not_start_without_keys_where_others_reach_it(host: str, tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="no keys are configured"):
        keys_for_api(Settings(api_host=host))

    (tmp_path / "keys").write_text("")
    assert keys_for_api(Settings(api_host=host, api_keys_file=str(tmp_path / "keys"))).configured


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_the_api_starts_without_keys_on_loopback(host: str) -> None:
    assert not keys_for_api(Settings(api_host=host)).configured


def farm_api(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`farm api`, which is to refuse to start."""
    command = [sys.executable, "-m", "farm", "api", *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--host", "0.0.0.0"], {}, "let in everybody who can reach 0.0.0.0"),
        ([], {"FARM_API_HOST": "0.0.0.0"}, "let in everybody who can reach 0.0.0.0"),
        ([], {"FARM_API_KEYS": "me:submit"}, "Entry 1 of FARM_API_KEYS is not of the form"),
        ([], {"FARM_API_KEYS_FILE": "/nowhere"}, "The file /nowhere"),
    ],
)
def test_farm_api_refuses_to_start_in_a_sentence(arguments: list[str], environment: dict[str, str], words: str) -> None:
    done = farm_api(*arguments, **environment)

    assert done.returncode == 1
    assert "keys-refused" in done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


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
