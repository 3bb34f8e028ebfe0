"""A small application behind the gate, and who may do what there."""

from dataclasses import dataclass
from pathlib import Path

import httpx

from farm.keys import Role, entry_for, new_key

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
        # Over plain HTTP no certificate is looked at, and reading them all takes longer than the answer.
        return httpx.request(method, self.url + path, headers=headers, trust_env=False, json=body, verify=False)


def entries() -> str:
    return "\n".join(entry_for(f"the-{role}", [role], key) for role, key in KEYS.items())


def assert_problem(response: httpx.Response, status: int, code: str, *words: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == code
    for word in words:
        assert word in response.json()["detail"]
