"""What the tests of the routes ask for, and what an error looks like."""

import io
import zipfile
from typing import Any

import httpx


def upload(api: httpx.Client, name: str, data: bytes) -> httpx.Response:
    return api.post("/v1/models", files={"file": (name, data)})


def ref_in(api: httpx.Client, model: str, name: str) -> dict[str, int | str]:
    """How JSON names the morph of this name, which the model has once."""
    morphs = api.get(f"/v1/models/{model}").json()["inventory"]["morphs"]
    (index,) = [morph["index"] for morph in morphs if morph["name"] == name]
    return {"index": index, "name": name}


def zip_of(members: dict[str, bytes]) -> bytes:
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return out.getvalue()


def assert_problem(response: httpx.Response, status: int, code: str, *words: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["code"] == code
    for word in words:
        assert word in body["detail"], body["detail"]


def submit(api: httpx.Client, model: str, samples: int = 2, **fields: object) -> dict[str, Any]:
    """A batch of one model that no earlier test left, in one style."""
    body = {"models": [{"id": model}], "spec": {"samples": samples, "styles": ["flat"]}, **fields}
    response = api.post("/v1/batches", json=body)
    assert response.status_code == 201, response.text
    return dict(response.json())


def only_job(api: httpx.Client, batch: dict[str, Any]) -> dict[str, Any]:
    (job,) = api.get(f"/v1/batches/{batch['id']}/jobs").json()["jobs"]
    return dict(job)


def batches(api: httpx.Client, **filters: str | int) -> list[dict[str, Any]]:
    """All pages of the list."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get("/v1/batches", params={"cursor": cursor, **filters}).json()
        found += page["batches"]
        cursor = page["next"]
    return found
