"""What becomes of a batch is its owner's to say, and the operators'; previews have a price."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from farm.jobs import states
from farm.jobs.connection import Connection
from farm.jobs.store import JobStore
from farm.keys import Role, entry_for, new_key
from farm.models.package import upload_form
from tests.api.rest.requests import assert_problem, upload
from tests.support import servers

KEYS = {"alice": new_key(), "mallory": new_key(), "olga": new_key()}
ROLES = {"alice": [Role.SUBMIT], "mallory": [Role.SUBMIT, Role.ANNOTATE], "olga": [Role.OPERATE]}
BROWSER = {"sec-fetch-site": "same-origin"}


@pytest.fixture(scope="module")
def redis_of_ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.redis_server(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="module")
def url(redis_of_ours: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("api")
    environment = {
        "FARM_REDIS_URL": redis_of_ours,
        "FARM_STORAGE_URL": f"file://{folder}/store",
        "FARM_API_KEYS": ",".join(entry_for(name, ROLES[name], key) for name, key in KEYS.items()),
        "FARM_RATE_LIMIT": "0",
        "FARM_PREVIEW_MEGAPIXELS": "48",  # one preview of a sample, not two
    }
    with servers.api_server(folder, environment) as server:
        yield server.url


def client(url: str, name: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"X-API-Key": KEYS[name]}, timeout=servers.PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def people(url: str) -> Iterator[dict[str, httpx.Client]]:
    clients = {name: client(url, name) for name in KEYS}
    yield clients
    for each in clients.values():
        each.close()


@pytest.fixture(scope="module")
def momo(people: dict[str, httpx.Client], mascots: dict[str, Path]) -> str:
    return str(upload(people["alice"], *upload_form(mascots["momo"])).json()["models"][0]["id"])


def batch_of(who: httpx.Client, model: str) -> str:
    answer = who.post("/v1/batches", json={"models": [{"id": model}], "spec": {"samples": 1, "styles": ["flat"]}})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_nobody_changes_what_becomes_of_another_users_batch_by_any_way(
    people: dict[str, httpx.Client], momo: str, redis_of_ours: str
) -> None:
    batch = batch_of(people["alice"], momo)
    before = people["mallory"].get(f"/v1/batches/{batch}").json()
    assert before["owner"] == "alice"
    ways: list[tuple[str, dict[str, str]]] = [(f"/v1/jobs/{batch}-0/retry", {})]
    ways += [(f"/v1/batches/{batch}/{what}", {}) for what in ("cancel", "pause", "resume", "retry")]
    ways += [(f"/batches/{batch}/{what}", {"which": "failed"}) for what in ("cancel", "pause", "resume", "retry")]
    ways += [(f"/jobs/{batch}-0/retry", {"which": "failed"})]

    for path, form in ways:
        refused = people["mallory"].post(path, data=form, headers=BROWSER)
        assert refused.status_code == 403, (path, refused.text)
        if path.startswith("/v1/"):
            assert_problem(refused, 403, "forbidden", "alice's", "operate")

    assert people["mallory"].get(f"/v1/batches/{batch}").json() == before
    assert people["alice"].post(f"/v1/batches/{batch}/pause").json()["paused"] is True
    assert people["olga"].post(f"/v1/batches/{batch}/resume").json()["paused"] is False
    assert people["olga"].post(f"/v1/batches/{batch}/cancel").json()["ended"] is True
    assert people["alice"].post(f"/v1/batches/{batch}/retry", json={"states": ["cancelled"]}).json()["retried"] == 1
    jobs = JobStore(Connection(redis_of_ours))
    jobs.change(f"{batch}-0", states.cancel)
    assert people["alice"].post(f"/v1/jobs/{batch}-0/retry").json()["state"] == "queued"


def test_previews_in_flight_have_a_price_that_no_cancelling_and_retrying_evades(
    people: dict[str, httpx.Client], momo: str
) -> None:
    def ask(who: str, **spec: object) -> httpx.Response:
        return people[who].post("/v1/previews", json={"model": momo, "samples": 1, "spec": {"size": 256, **spec}})

    dear = {"size": 1024, "camera": {"views": 8, "yaw": [-60, 60]}}  # 8 * 2 * 4 pictures, drawn with 2048 * 2048 pixels
    assert_problem(ask("mallory", **dear), 429, "allowance-used-up", "317.2 million", "submit a batch")
    # Each of these was nearly free while pixels of pictures were counted alone.
    many = {"camera": {"views": 64, "yaw": [-60, 60]}, "size": 32, "supersample": 1}
    fine = {"size": 512, "supersample": 4, "styles": ["flat", "ink"], "partitions": ["frontal", "rotated"]}
    labels = {"labels": ["parts", "depth", "normals", "uv", "flow", "landmarks"], "size": 1024, "styles": ["flat"]}
    for kind in (many, fine, labels, {"canvas": "eevee", "size": 64}, {"canvas": "final", "size": 64}):
        assert_problem(ask("mallory", **kind), 429, "allowance-used-up", "submit a batch")
    made = [ask("mallory") for _ in range(3)]
    assert [answer.status_code for answer in made] == [201, 429, 429]
    assert ask("alice").status_code == 201
    assert [ask("olga", **dear).status_code for _ in range(2)] == [201, 201]
    first = made[0].json()
    assert (first["priority"], first["owner"]) == (10, "mallory")
    assert people["mallory"].post(f"/v1/batches/{first['id']}/cancel").json()["ended"] is True
    second = ask("mallory").json()["id"]

    for path in (f"/v1/batches/{first['id']}/retry", f"/v1/jobs/{first['id']}-0/retry"):
        again = people["mallory"].post(path, json={"states": ["cancelled"]} if "batches" in path else None)
        assert_problem(again, 409, "conflict", "Ask for another one")
    assert ask("mallory").status_code == 429
    people["mallory"].post(f"/v1/batches/{second}/cancel")
    assert ask("mallory").status_code == 201
