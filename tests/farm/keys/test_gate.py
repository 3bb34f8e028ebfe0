"""Who gets in, and who may do what: the gate, over HTTP on a real server."""

import hashlib

import httpx
import pytest

from farm.keys import Role, new_key
from tests.farm.keys.gate import KEYS, MAY, ROUTES, Farm, assert_problem, entries


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
