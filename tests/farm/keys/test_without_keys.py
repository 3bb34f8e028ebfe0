"""A farm without keys is this machine's alone."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from farm.errors import KeysError
from farm.keys import Keys, keys_for_api
from farm.settings import Settings
from tests.farm.keys.gate import ROUTES, Farm, assert_problem
from tests.support.servers import PATIENCE_SECONDS
from tests.support.small_api import serving, small_api


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
