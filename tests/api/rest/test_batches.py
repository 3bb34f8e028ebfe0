"""Batches by REST: made, listed, paused, put first, cancelled and tried again."""

from pathlib import Path

import httpx
import pytest

from farm.jobs.connection import Connection
from farm.jobs.queue import Queue
from farm.models.package import upload_form
from farm.spec import RenderSpec
from tests.api.rest.requests import assert_problem, batches, ref_in, submit, upload
from tests.support import finished


def test_a_batch_gets_a_job_a_model_by_the_rule_of_100_or_20(
    api: httpx.Client, mascots: dict[str, Path], nagi: str
) -> None:
    momo = upload(api, *upload_form(mascots["momo"])).json()["models"][0]["id"]

    batch = api.post(
        "/v1/batches", json={"name": "both", "models": [{"id": nagi, "name": "nagi"}, {"id": momo}]}
    ).json()

    assert batch["images_total"] == (100 + 20) * 2 * 4
    assert batch["jobs"]["queued"] == 2
    assert batch["ended"] is False
    jobs = api.get(f"/v1/batches/{batch['id']}/jobs").json()["jobs"]
    assert [(job["name"], job["samples"], job["state"]) for job in jobs] == [
        ("nagi", 100, "queued"),
        (momo[:8], 20, "queued"),
    ]
    assert jobs[0]["annotation"]["eye/closed/left"] == ref_in(api, nagi, "ウィンク２")
    assert api.get(f"/v1/jobs/{jobs[1]['id']}").json() == jobs[1]
    assert batch["id"] in [entry["id"] for entry in api.get("/v1/batches").json()["batches"]]


def test_a_mapping_table_changes_the_annotation(api: httpx.Client, nagi: str) -> None:
    table = "source_morph,target\nあ,\nにやり,mouth/a\n"

    batch = api.post("/v1/batches", json={"models": [{"id": nagi}], "mapping": table}).json()

    (job,) = api.get(f"/v1/batches/{batch['id']}/jobs").json()["jobs"]
    assert job["annotation"]["mouth/a"] == ref_in(api, nagi, "にやり")


def test_cancelling_a_batch_takes_its_images_out_of_the_backlog(api: httpx.Client, nagi: str) -> None:
    before = api.get("/v1/autoscale").json()
    batch = api.post("/v1/batches", json={"models": [{"id": nagi}], "spec": {"samples": 3}}).json()
    after = api.get("/v1/autoscale").json()
    assert (after["backlog_images"], after["queued_jobs"], after["running_jobs"]) == (
        before["backlog_images"] + 24,
        before["queued_jobs"] + 1,
        0,
    )

    ended = api.post(f"/v1/batches/{batch['id']}/cancel").json()

    assert ended["jobs"]["cancelled"] == 1
    assert ended["ended"] is True
    assert api.get("/v1/autoscale").json() == before


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"models": []}, "models"),
        ({"models": [{"id": "short"}]}, "pattern"),
        ({"models": [{"id": "0" * 64}], "spec": {"size": 5000}}, "size"),
        ({"models": [{"id": "0" * 64}], "spec": {"samples": 0}}, "samples"),
        ({"models": [{"id": "0" * 64}], "spec": {"styles": ["oil"]}}, "styles"),
        ({"models": [{"id": "0" * 64}], "spec": {"backgrounds": ["sea.png"]}}, "backgrounds"),
        ({"models": [{"id": "0" * 64}], "spec": {"camera": {"views": 2}}}, "range of yaw"),
        ({"models": [{"id": "0" * 64}], "colour": "red"}, "colour"),
        ({"models": [{"id": "0" * 64}], "mapping": "a,b\n1,2\n"}, "source_morph"),
        ({"models": [{"id": "0" * 64}], "mapping": "source_morph,target\nあ,mouth/x\n"}, "mouth/x"),
    ],
)
def test_a_wrong_batch_is_refused_by_the_name_of_what_is_wrong(
    api: httpx.Client, body: dict[str, object], words: str
) -> None:
    response = api.post("/v1/batches", json=body)

    assert response.status_code == 422
    assert words in response.json()["detail"]


def test_a_model_twice_in_a_batch_is_refused(api: httpx.Client, nagi: str) -> None:
    assert_problem(api.post("/v1/batches", json={"models": [{"id": nagi}] * 2}), 422, "spec-refused", "twice")


def test_a_batch_of_an_unknown_model_is_not_found(api: httpx.Client) -> None:
    assert_problem(api.post("/v1/batches", json={"models": [{"id": "0" * 64}]}), 404, "not-found", "upload it first")


def test_a_request_under_its_idempotency_key_makes_one_batch(api: httpx.Client, nagi: str) -> None:
    body = {"models": [{"id": nagi}], "name": "once"}
    key = {"Idempotency-Key": "order 7"}

    first = api.post("/v1/batches", json=body, headers=key)
    again = api.post("/v1/batches", json=dict(reversed(body.items())), headers=key)
    other = api.post("/v1/batches", json={**body, "name": "twice"}, headers=key)
    without = api.post("/v1/batches", json=body)

    assert (first.status_code, again.status_code, without.status_code) == (201, 200, 201)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["id"] == first.json()["id"] != without.json()["id"]
    assert_problem(other, 409, "idempotency-key-reused", first.json()["id"])
    assert [batch["id"] for batch in batches(api, name="once")].count(first.json()["id"]) == 1


def test_pages_of_batches_hold_each_once_newest_first(api: httpx.Client, nagi: str) -> None:
    made = [submit(api, nagi, name=f"page-{number}")["id"] for number in range(5)]

    assert [batch["id"] for batch in batches(api, limit=2, name="page-")] == made[::-1]
    assert [batch["name"] for batch in batches(api, limit=1, name="page-3")] == ["page-3"]


def test_batches_are_found_by_how_they_stand(api: httpx.Client, nagi: str) -> None:
    active, paused, ended = (submit(api, nagi, name=f"stand-{name}")["id"] for name in ("a", "p", "e"))
    api.post(f"/v1/batches/{paused}/pause")
    api.post(f"/v1/batches/{ended}/cancel")

    found = {
        state: [b["id"] for b in batches(api, state=state, name="stand-")] for state in ("active", "paused", "ended")
    }

    assert found == {"active": [active], "paused": [paused], "ended": [ended]}
    assert api.get("/v1/batches", params={"state": "lost"}).status_code == 422
    assert api.get("/v1/batches", params={"cursor": "x"}).status_code == 422


def test_a_paused_batch_hands_out_nothing_until_it_is_resumed(
    api: httpx.Client, nagi: str, quiet: None, connection: Connection
) -> None:
    batch = submit(api, nagi, paused=True)
    assert batch["paused"] is True
    assert batch["eta_seconds"] is None
    assert Queue(connection).take("worker@a") is None

    assert api.post(f"/v1/batches/{batch['id']}/resume").json()["paused"] is False

    assert finished.take(connection).batch == batch["id"]


def test_a_batch_of_higher_priority_goes_first(
    api: httpx.Client, nagi: str, quiet: None, connection: Connection
) -> None:
    submit(api, nagi)
    later = submit(api, nagi, samples=3)

    raised = api.put(f"/v1/batches/{later['id']}/priority", json={"priority": 5})

    assert raised.json()["priority"] == 5
    assert finished.take(connection).batch == later["id"]
    assert api.put(f"/v1/batches/{later['id']}/priority", json={"priority": 11}).status_code == 422


def test_a_batch_shows_why_its_jobs_failed_and_retries_them(
    api: httpx.Client, nagi: str, quiet: None, connection: Connection
) -> None:
    batch = submit(api, nagi)
    url = f"/v1/batches/{batch['id']}"
    finished.fail(connection, finished.take(connection))

    failed = api.get(url).json()
    assert failed["errors"] == {"render-failed": 1}
    assert failed["ended"] is True
    assert failed["ended_at"] is not None
    assert api.post(f"{url}/retry", json={"states": ["quarantined"]}).json()["retried"] == 0
    answer = api.post(f"{url}/retry").json()

    assert answer["retried"] == 1
    assert (answer["batch"]["errors"], answer["batch"]["ended"]) == ({}, False)
    assert api.post(f"{url}/retry", json={"states": ["done"]}).status_code == 422


def test_a_preview_is_the_beginning_of_the_full_run_and_goes_first(
    api: httpx.Client, nagi: str, quiet: None, connection: Connection
) -> None:
    submit(api, nagi)
    spec = {"styles": ["flat"], "seed": 11}

    response = api.post("/v1/previews", json={"model": nagi, "samples": 3, "spec": spec})

    assert response.status_code == 201, response.text
    preview = response.json()
    assert (preview["name"], preview["priority"], preview["images_total"]) == ("preview", 10, 6)
    assert preview["spec"] == RenderSpec(samples=3, styles=("flat",), seed=11).model_dump(mode="json")
    assert finished.take(connection).batch == preview["id"]
    assert api.post("/v1/previews", json={"model": nagi, "samples": 21}).status_code == 422


def test_a_batch_says_whether_its_webhook_was_told(api: httpx.Client, nagi: str) -> None:
    body = {"models": [{"id": nagi}], "spec": {"samples": 1, "size": 32}, "paused": True}
    told = {**body, "webhook": {"url": "https://receiver.example.org/", "secret": "a secret of sixteen"}}
    silent, telling = (api.post("/v1/batches", json=each).json()["id"] for each in (body, told))

    answer = api.get(f"/v1/batches/{telling}/webhook")

    assert answer.json() == {"state": "pending", "tries": 0, "last": ""}
    assert api.get(f"/v1/batches/{silent}/webhook").status_code == 404
