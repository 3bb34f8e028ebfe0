"""Who may do what: every route with every role, without a key and with a wrong one, on a real server."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from api.app import make
from farm.keys import ALLOWED, Role, entry_for, new_key
from tests.support.servers import PATIENCE_SECONDS
from tests.support.small_api import serving

KEYS = {role: new_key() for role in Role}
SUBMITTERS = {Role.SUBMIT, Role.OPERATE}
OPERATORS = {Role.OPERATE}
ANNOTATORS = {Role.ANNOTATE, Role.OPERATE}
KNOWN = set(Role)
ANYBODY = None
"""No key is needed."""

MAY: dict[str, set[Role] | None] = {
    "GET /healthz": ANYBODY,
    "GET /readyz": ANYBODY,
    "GET /metrics": ANYBODY,
    "GET /v1/autoscale": ANYBODY,
    "GET /v1/totals": KNOWN,
    "POST /v1/models": SUBMITTERS,
    "POST /v1/models/uploads": SUBMITTERS,
    "POST /v1/models/register": SUBMITTERS,
    "GET /v1/models": KNOWN,
    "GET /v1/models/{model_id}": KNOWN,
    "DELETE /v1/models/{model_id}": OPERATORS,
    "POST /v1/models/{model_id}/withdrawal": OPERATORS,
    "POST /v1/backgrounds": SUBMITTERS,
    "GET /v1/backgrounds/{background_id}": KNOWN,
    "POST /v1/motions": SUBMITTERS,
    "GET /v1/motions/{motion_id}": KNOWN,
    "POST /v1/batches": SUBMITTERS,
    "GET /v1/batches": KNOWN,
    "GET /v1/batches/{batch_id}": KNOWN,
    "GET /v1/batches/{batch_id}/jobs": KNOWN,
    "GET /v1/batches/{batch_id}/webhook": KNOWN,
    "GET /v1/batches/{batch_id}/events": KNOWN,
    "POST /v1/batches/{batch_id}/cancel": SUBMITTERS,
    "POST /v1/batches/{batch_id}/pause": SUBMITTERS,
    "POST /v1/batches/{batch_id}/resume": SUBMITTERS,
    "POST /v1/batches/{batch_id}/retry": SUBMITTERS,
    "PUT /v1/batches/{batch_id}/priority": OPERATORS,
    "POST /v1/previews": SUBMITTERS,
    "GET /v1/jobs/{job_id}": KNOWN,
    "GET /v1/jobs/{job_id}/log": KNOWN,
    "POST /v1/jobs/{job_id}/retry": SUBMITTERS,
    "GET /v1/jobs/{job_id}/files/{name}": KNOWN,
    "GET /v1/jobs/{job_id}/contact-sheet": KNOWN,
    "GET /v1/jobs/{job_id}/images/{style}/{partition}/{name}": KNOWN,
    "GET /v1/events": KNOWN,
    "GET /v1/workers": KNOWN,
    "POST /v1/workers/{name:path}/drain": OPERATORS,
    "POST /v1/workers/{name:path}/resume": OPERATORS,
    "POST /v1/annotations/proposals": ANNOTATORS,
    "POST /v1/annotations/check": ANNOTATORS,
    "GET /v1/annotations/models/{model_id}": KNOWN,
    "PUT /v1/annotations/models/{model_id}": ANNOTATORS,
    "GET /v1/annotations/models/{model_id}/history": KNOWN,
    "POST /v1/annotations/models/{model_id}/undo": ANNOTATORS,
    "POST /v1/annotations/collections": ANNOTATORS,
    "GET /v1/annotations/collections": KNOWN,
    "GET /v1/annotations/collections/{collection}": KNOWN,
    "GET /v1/annotations/collections/{collection}/table": KNOWN,
    "GET /v1/annotations/collections/{collection}/table.csv": KNOWN,
    "PUT /v1/annotations/collections/{collection}/table.csv": ANNOTATORS,
    "POST /v1/annotations/collections/{collection}/verdicts": ANNOTATORS,
    "GET /v1/annotations/collections/{collection}/next": KNOWN,
    "GET /v1/annotations/collections/{collection}/history": KNOWN,
    "GET /v1/annotations/collections/{collection}/rows/{row_id}": KNOWN,
    "PUT /v1/annotations/collections/{collection}/rows/{row_id}": ANNOTATORS,
    "POST /v1/annotations/collections/{collection}/rows/{row_id}/undo": ANNOTATORS,
    "GET /v1/annotations/collections/{collection}/models": KNOWN,
    "GET /v1/annotations/collections/{collection}/pictures": KNOWN,
    "POST /v1/annotations/collections/{collection}/pictures": ANNOTATORS,
    "GET /v1/annotations/models/{model_id}/pictures": KNOWN,
    "GET /v1/annotations/models/{model_id}/pictures/sprite.webp": KNOWN,
    "GET /annotate": KNOWN,
    "POST /annotate": ANNOTATORS,
    "GET /annotate/{collection}/": KNOWN,
    "GET /annotate/{collection}/data/index.js": KNOWN,
    "GET /annotate/{collection}/assets/{name}": ANYBODY,
    "GET /": KNOWN,
    "GET /batches/{batch_id}": KNOWN,
    "GET /jobs/{job_id}": KNOWN,
    "POST /batches/{batch_id}/pause": SUBMITTERS,
    "POST /batches/{batch_id}/resume": SUBMITTERS,
    "POST /batches/{batch_id}/cancel": SUBMITTERS,
    "POST /batches/{batch_id}/retry": SUBMITTERS,
    "POST /batches/{batch_id}/priority": OPERATORS,
    "POST /jobs/{job_id}/retry": SUBMITTERS,
    "POST /workers/{name:path}/drain": OPERATORS,
    "POST /workers/{name:path}/resume": OPERATORS,
    "GET /sign-in": ANYBODY,
    "POST /sign-in": ANYBODY,
    "POST /sign-out": KNOWN,
    "GET /static/{name}": ANYBODY,
    "GET /docs": ANYBODY,
    "GET /docs/{name}": ANYBODY,
}
"""A new route needs a row here."""

FRAMEWORK = {"/openapi.json"}
"""Open, as the code is: they tell nothing about this farm."""
VALUES = {
    "model_id": "0" * 64, "background_id": "0" * 64, "motion_id": "0" * 64, "batch_id": "0" * 16, "job_id": f"{'0' * 16}-0",
    "style": "flat", "partition": "frontal",
}  # fmt: skip


@pytest.fixture(scope="module")
def app(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FARM_REDIS_URL", new_database())
        patch.setenv("FARM_STORAGE_URL", f"file://{tmp_path_factory.mktemp('store')}")
        patch.setenv("FARM_API_KEYS", ",".join(entry_for(f"the-{role}", [role], key) for role, key in KEYS.items()))
        patch.setenv("FARM_RATE_LIMIT", "0")
        return make()


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[httpx.Client]:
    with (
        serving(app) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE_SECONDS) as client,
    ):
        yield client


def status(client: httpx.Client, row: str, key: str | None) -> int:
    """The status of an empty request; the body, which may have no end, is not read."""
    method, path = row.split(" ")
    path = re.sub(r"\{(\w+)(:\w+)?\}", lambda match: VALUES.get(match[1], "nothing"), path)
    with client.stream(method, path, headers={"X-API-Key": key} if key else {}) as response:
        return response.status_code


def rows_of(app: FastAPI) -> set[str]:
    """Every route that the application answers on, and what it mounts, by method and path."""
    return {
        f"{method} {route.path}"
        for route in iter_route_contexts(app.routes)
        for method in sorted(route.methods or {"ANY"})
    }


def test_every_route_has_a_row(app: FastAPI) -> None:
    own = {row for row in rows_of(app) if row.split(" ")[1] not in FRAMEWORK}

    assert own == set(MAY)


@pytest.mark.parametrize("row", MAY)
def test_a_route_lets_in_whom_it_should(client: httpx.Client, row: str) -> None:
    allowed = MAY[row]

    without, wrong = status(client, row, None), status(client, row, new_key())
    by_role = {role: status(client, row, key) for role, key in KEYS.items()}

    if allowed is ANYBODY:
        assert not {without, wrong, *by_role.values()} & {401, 403}
    else:
        assert (without, wrong) == (401, 401)
        assert {role for role, answer in by_role.items() if answer != 403} == allowed
        assert 401 not in by_role.values()


def test_the_document_says_which_role_a_route_needs(app: FastAPI) -> None:
    documented = {
        f"{method.upper()} {path}": operation
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
    }
    assert len(documented) > 30
    may = {row.replace(":path}", "}"): roles for row, roles in MAY.items()}  # the document names no converters

    for row, operation in documented.items():
        scopes = {scope for way in operation.get("security", []) for names in way.values() for scope in names}
        roles = {role for role, allowed in ALLOWED.items() if scopes & allowed} if scopes else ANYBODY
        assert roles == may[row], row


def test_only_an_operator_may_push_a_batch_forward(client: httpx.Client) -> None:
    body = {"models": [{"id": "0" * 64}], "priority": 1}

    def post(role: Role, priority: int) -> httpx.Response:
        return client.post("/v1/batches", json={**body, "priority": priority}, headers={"X-API-Key": KEYS[role]})

    refused = post(Role.SUBMIT, 1)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "operate" in refused.json()["detail"]
    assert post(Role.SUBMIT, -1).status_code == 404, "the model is not there, but the priority is theirs to take"
    assert post(Role.OPERATE, 1).status_code == 404


def test_two_users_with_one_idempotency_key_mean_two_requests(client: httpx.Client, mascots: dict[str, Path]) -> None:
    data = mascots["momo"].read_bytes()
    upload = client.post("/v1/models", files={"file": ("momo.pmx", data)}, headers={"X-API-Key": KEYS[Role.SUBMIT]})
    body = {"models": [{"id": upload.json()["models"][0]["id"]}]}

    made = [
        client.post("/v1/batches", json=body, headers={"X-API-Key": KEYS[role], "Idempotency-Key": "1"})
        for role in (Role.SUBMIT, Role.OPERATE, Role.SUBMIT)
    ]

    assert [answer.status_code for answer in made] == [201, 201, 200]
    assert made[0].json()["id"] == made[2].json()["id"] != made[1].json()["id"]
