"""Jobs by REST: listed by state, with what befell them, and tried again."""

from pathlib import Path

import httpx

from farm.jobs.connection import Connection
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import upload_form
from tests.api.rest.requests import assert_problem, only_job, submit, upload
from tests.farm.models import made_files as made
from tests.support import finished


def test_pages_of_jobs_keep_to_the_states_that_were_asked_for(
    api: httpx.Client, mascots: dict[str, Path], nagi: str, quiet: None, connection: Connection
) -> None:
    momo = upload(api, *upload_form(mascots["momo"])).json()["models"][0]["id"]
    batch = api.post("/v1/batches", json={"models": [{"id": nagi}, {"id": momo}]}).json()
    finished.fail(connection, finished.take(connection))
    url = f"/v1/batches/{batch['id']}/jobs"

    first = api.get(url, params={"limit": 1}).json()
    second = api.get(url, params={"limit": 1, "cursor": first["next"]}).json()

    assert [job["model"] for job in first["jobs"] + second["jobs"]] == [nagi, momo]
    assert second["next"] is None
    assert [job["model"] for job in api.get(url, params={"state": "failed"}).json()["jobs"]] == [nagi]
    assert len(api.get(url, params={"state": ["failed", "queued"]}).json()["jobs"]) == 2


def test_cancelled_jobs_are_retried_only_when_asked_to(api: httpx.Client, nagi: str) -> None:
    batch = submit(api, nagi)
    url = f"/v1/batches/{batch['id']}"
    api.post(f"{url}/cancel")

    assert api.post(f"{url}/retry").json()["retried"] == 0
    assert api.post(f"{url}/retry", json={"states": ["cancelled"]}).json()["batch"]["jobs"]["queued"] == 1


def test_a_job_tells_of_its_lost_attempts_and_shows_the_log(
    api: httpx.Client, nagi: str, quiet: None, connection: Connection
) -> None:
    job = only_job(api, submit(api, nagi))
    url = f"/v1/jobs/{job['id']}"
    assert api.get(f"{url}/log").text == ""
    finished.lose(connection, finished.take(connection), log="Segmentation fault ここ")

    shown = api.get(url).json()
    log = api.get(f"{url}/log")

    assert (shown["state"], shown["attempt"], shown["error_code"]) == ("queued", 1, "blender-died")
    (attempt,) = shown["attempts"]
    assert attempt.pop("at").endswith("Z")
    assert attempt == {
        "number": 1, "worker": finished.WORKER, "code": "blender-died", "error": "Blender ended.", "counted": True,
    }  # fmt: skip
    assert log.text == "Segmentation fault ここ"
    assert log.headers["content-type"] == "text/plain; charset=utf-8"


def test_only_a_job_that_went_wrong_is_retried(
    api: httpx.Client, nagi: str, quiet: None, connection: Connection
) -> None:
    url = f"/v1/jobs/{only_job(api, submit(api, nagi))['id']}/retry"
    assert_problem(api.post(url), 409, "conflict", "queued")
    finished.fail(connection, finished.take(connection))

    assert api.post(url).json()["state"] == "queued"


def test_of_morphs_with_one_name_jobs_name_the_one_that_plays(api: httpx.Client) -> None:
    (model,) = upload(api, "twice.pmx", pmx_bytes(made.names_twice())).json()["models"]
    proposals = api.post("/v1/annotations/proposals", json={"models": [model["id"]]}).text

    for mapping, annotation in (
        (None, made.NAMES_TWICE),
        (proposals, made.NAMES_TWICE),
        (made.BARE_NAMES, made.BARE_NAMES_GIVE),
    ):
        (job,) = api.get(f"/v1/batches/{submit(api, model['id'], mapping=mapping)['id']}/jobs").json()["jobs"]
        assert job["annotation"] == {target: morph.model_dump() for target, morph in annotation.items()}
    assert model["inventory"]["annotation"]["eye/closed/both"] == {"index": 2, "name": "まばたき"}
