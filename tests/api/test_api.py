"""The API as a process of its own, over HTTP, on a real Valkey and a local store. No worker: nothing is rendered."""

import hashlib
import io
import json
import os
import signal
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from api.ranges import wanted_range
from farm.dataset.manifest import CONTACT_SHEET, MANIFEST, Manifest
from farm.jobs.connection import Connection
from farm.jobs.queue import Queue
from farm.jobs.workers import Workers
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import upload_form
from farm.settings import Settings
from farm.spec import RenderSpec
from farm.storage import LocalStore
from farm.storage.s3 import S3Store
from tests.farm.models import made_files as made
from tests.support import finished, servers

FREE = {"FARM_RATE_LIMIT": "0"}
"""No test waits for its turn."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def api_redis(folder: Path) -> Iterator[str]:
    """A Valkey of these tests' own: a job that is taken is the one that the test made."""
    with servers.redis_server(folder / "valkey") as url:
        yield url


@pytest.fixture(scope="module")
def api(api_redis: str, folder: Path) -> Iterator[httpx.Client]:
    environment = {"FARM_REDIS_URL": api_redis, "FARM_STORAGE_URL": f"file://{folder}/store", **FREE}
    with (
        servers.api_server(folder, environment) as server,
        httpx.Client(base_url=server.url, timeout=servers.PATIENCE_SECONDS) as client,
    ):
        yield client


@pytest.fixture
def connection(api_redis: str) -> Connection:
    """The API's Redis, for tests that play a worker."""
    return Connection(api_redis)


@pytest.fixture
def store(folder: Path) -> LocalStore:
    """The API's object store."""
    return LocalStore(folder / "store")


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


@pytest.fixture(scope="module")
def nagi(api: httpx.Client, mascots: dict[str, Path]) -> str:
    response = upload(api, *upload_form(mascots["nagi"]))
    assert response.status_code == 201, response.text
    return str(response.json()["models"][0]["id"])


def test_an_uploaded_model_is_known_by_its_content(api: httpx.Client, mascots: dict[str, Path], nagi: str) -> None:
    _, data = upload_form(mascots["nagi"])

    again = upload(api, "another-name.zip", data).json()["models"][0]

    assert again["id"] == nagi
    assert api.get(f"/v1/models/{nagi}").json()["inventory"]["target_morphs"] == 23


def test_a_text_file_named_pmx_is_refused(api: httpx.Client) -> None:
    assert_problem(upload(api, "notes.pmx", b"Remember the milk.\n"), 422, "model-format", "not a PMX file")


def test_a_truncated_pmx_is_refused(api: httpx.Client, mascots: dict[str, Path]) -> None:
    data = mascots["momo"].read_bytes()

    assert_problem(upload(api, "momo.pmx", data[: len(data) // 2]), 422, "model-truncated", "cut off")


def test_a_zip_that_climbs_out_of_its_folder_is_refused(api: httpx.Client) -> None:
    assert_problem(upload(api, "evil.zip", zip_of({"../evil.pmx": b"PMX "})), 422, "archive-refused", "../evil.pmx")


def test_a_zip_with_a_symbolic_link_is_refused(api: httpx.Client) -> None:
    member = zipfile.ZipInfo("link")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(member, "/etc/passwd")
        data = out.getvalue()

    assert_problem(upload(api, "link.zip", data), 422, "archive-refused", "link")


def test_a_zip_bomb_is_refused_over_the_stated_limit(api: httpx.Client) -> None:
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            block = bytes(2**20)
            with archive.open("bomb.pmx", "w", force_zip64=True) as sink:
                for _ in range(1100):
                    sink.write(block)
        data = out.getvalue()
    assert len(data) < 8 * 2**20

    assert_problem(upload(api, "bomb.zip", data), 422, "archive-refused", "1024 MiB")


def test_a_damaged_zip_is_refused(api: httpx.Client) -> None:
    assert_problem(upload(api, "x.zip", b"PK\x03\x04 rubbish"), 422, "archive-refused", "no usable zip")


def test_a_zip_without_models_is_refused(api: httpx.Client) -> None:
    assert_problem(upload(api, "x.zip", zip_of({"readme.txt": b"hello"})), 422, "archive-refused", "holds no model")


def test_a_model_without_a_neck_bone_is_refused(api: httpx.Client, mascots: dict[str, Path]) -> None:
    data = mascots["momo"].read_bytes()
    for name, other in (("首", "足"), ("neck", "foot")):
        assert name.encode("utf-16-le") in data
        data = data.replace(name.encode("utf-16-le"), other.encode("utf-16-le"))

    assert_problem(upload(api, "footed.pmx", data), 422, "no-neck-bone", "首", "PMX Editor")


def test_a_good_model_beside_bad_ones_is_taken(api: httpx.Client, mascots: dict[str, Path], nagi: str) -> None:
    members = {"good/nagi.pmx": mascots["nagi"].read_bytes(), "bad/notes.pmx": b"milk"}
    members |= {f"good/tex/{path.name}": path.read_bytes() for path in mascots["nagi"].parent.joinpath("tex").iterdir()}

    response = upload(api, "both.zip", zip_of(members))

    assert response.status_code == 201
    assert [model["id"] for model in response.json()["models"]] == [nagi]
    assert [(item["name"], item["code"]) for item in response.json()["refused"]] == [("bad/notes.pmx", "model-format")]


def test_a_body_over_the_limit_is_refused_whatever_its_headers_say(api: httpx.Client) -> None:
    # A stream has no Content-Length that could tell beforehand.
    endless = (b" " * 2**20 for _ in range(40))

    response = api.post("/v1/batches", content=endless, headers={"content-type": "application/json"})

    assert_problem(response, 413, "content-too-large", "32 MiB")
    assert api.get("/healthz").status_code == 200


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
    assert api.get("/v1/autoscale").json() == {
        "backlog_images": before["backlog_images"] + 24,
        "queued_jobs": before["queued_jobs"] + 1,
        "running_jobs": 0,
    }

    ended = api.post(f"/v1/batches/{batch['id']}/cancel").json()

    assert ended["jobs"]["cancelled"] == 1
    assert ended["ended"] is True
    assert api.get("/v1/autoscale").json() == before


def test_metrics_show_the_backlog(api: httpx.Client, nagi: str) -> None:
    backlog = api.get("/v1/autoscale").json()["backlog_images"]

    text = api.get("/metrics").text

    assert f"farm_backlog_images {float(backlog)}" in text
    assert 'farm_jobs{state="queued"}' in text


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


def picture(colour: str = "teal", size: tuple[int, int] = (80, 60), format: str = "PNG") -> bytes:
    with io.BytesIO() as out:
        Image.new("RGB", size, colour).save(out, format)
        return out.getvalue()


def upload_background(api: httpx.Client, name: str, data: bytes) -> httpx.Response:
    return api.post("/v1/backgrounds", files={"file": (name, data)})


def test_an_uploaded_background_is_known_by_its_pixels(api: httpx.Client) -> None:
    response = upload_background(api, "sea.png", picture())

    assert response.status_code == 201
    kept = response.json()
    assert (kept["width"], kept["height"], len(kept["id"])) == (80, 60, 64)
    assert upload_background(api, "again.bmp", picture(format="BMP")).json() == kept
    assert upload_background(api, "other.png", picture("red")).json()["id"] != kept["id"]
    assert api.get(f"/v1/backgrounds/{kept['id']}").json() == kept


def test_a_background_that_is_no_picture_is_refused(api: httpx.Client) -> None:
    assert_problem(upload_background(api, "milk.png", b"milk"), 422, "background-refused", "milk.png", "JPEG")
    cut = picture(size=(500, 500))[:100]
    assert_problem(upload_background(api, "cut.png", cut), 422, "background-refused", "cut.png is damaged")


def test_a_background_over_the_limit_is_refused(api: httpx.Client) -> None:
    assert_problem(upload_background(api, "big.bmp", bytes(65 * 2**20)), 413, "content-too-large", "64 MiB")


def test_a_batch_over_known_backgrounds_is_taken(api: httpx.Client, nagi: str) -> None:
    background = upload_background(api, "sea.png", picture()).json()["id"]
    spec = {"samples": 2, "backgrounds": [background], "camera": {"views": 3, "yaw": [-30, 30]}}

    response = api.post("/v1/batches", json={"models": [{"id": nagi}], "spec": spec})

    assert response.status_code == 201, response.text
    assert response.json()["images_total"] == 2 * 2 * 4 * 3
    assert response.json()["spec"]["backgrounds"] == [background]
    api.post(f"/v1/batches/{response.json()['id']}/cancel")


def test_a_batch_over_an_unknown_background_is_refused(api: httpx.Client, nagi: str) -> None:
    known = upload_background(api, "sea.png", picture()).json()["id"]
    body = {"models": [{"id": nagi}], "spec": {"backgrounds": [known, "5" * 64]}}

    assert_problem(api.post("/v1/batches", json=body), 404, "not-found", "5" * 64, "POST /v1/backgrounds")


def test_a_model_twice_in_a_batch_is_refused(api: httpx.Client, nagi: str) -> None:
    assert_problem(api.post("/v1/batches", json={"models": [{"id": nagi}] * 2}), 422, "spec-refused", "twice")


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/models/{'0' * 64}",
        f"/v1/backgrounds/{'0' * 64}",
        f"/v1/batches/{'0' * 16}",
        f"/v1/batches/{'0' * 16}/jobs",
        f"/v1/jobs/{'0' * 16}-0",
        f"/v1/jobs/{'0' * 16}-0/log",
        f"/v1/jobs/{'0' * 16}-0/contact-sheet",
        f"/v1/jobs/{'0' * 16}-0/files/manifest.json",
        f"/v1/jobs/{'0' * 16}-0/images/flat/frontal/x.png",
        "/v1/nothing",
    ],
)
def test_what_is_not_there_is_not_found(api: httpx.Client, path: str) -> None:
    assert_problem(api.get(path), 404, "not-found")


def test_a_batch_of_an_unknown_model_is_not_found(api: httpx.Client) -> None:
    assert_problem(api.post("/v1/batches", json={"models": [{"id": "0" * 64}]}), 404, "not-found", "upload it first")


def submit(api: httpx.Client, model: str, samples: int = 2, **fields: object) -> dict[str, Any]:
    """A batch of one model that no earlier test left, in one style."""
    body = {"models": [{"id": model}], "spec": {"samples": samples, "styles": ["flat"]}, **fields}
    response = api.post("/v1/batches", json=body)
    assert response.status_code == 201, response.text
    return dict(response.json())


def only_job(api: httpx.Client, batch: dict[str, Any]) -> dict[str, Any]:
    (job,) = api.get(f"/v1/batches/{batch['id']}/jobs").json()["jobs"]
    return dict(job)


@pytest.fixture
def quiet(api: httpx.Client) -> None:
    """No job waits or runs."""
    cursor: str | None = ""
    while cursor is not None:
        page = api.get("/v1/batches", params={"cursor": cursor, "limit": 100}).json()
        for batch in page["batches"]:
            if not batch["ended"]:
                api.post(f"/v1/batches/{batch['id']}/cancel")
        cursor = page["next"]


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


def batches(api: httpx.Client, **filters: str | int) -> list[dict[str, Any]]:
    """All pages of the list."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get("/v1/batches", params={"cursor": cursor, **filters}).json()
        found += page["batches"]
        cursor = page["next"]
    return found


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


@pytest.fixture(scope="module")
def done(
    api: httpx.Client, nagi: str, api_redis: str, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Manifest]:
    """A job that is done, and its manifest."""
    spec = RenderSpec(samples=2, styles=("flat",), seed=3)
    preview = api.post("/v1/previews", json={"model": nagi, "samples": 2, "spec": spec.model_dump(mode="json")}).json()
    connection = Connection(api_redis)
    job = finished.take(connection)
    assert job.batch == preview["id"]
    store = LocalStore(folder / "store")
    return job.id, finished.finish(connection, store, job, spec, tmp_path_factory.mktemp("result"))


def test_every_picture_of_a_shard_can_be_had_by_itself(
    api: httpx.Client, done: tuple[str, Manifest], store: LocalStore
) -> None:
    job, manifest = done
    assert len(manifest.images) == 4

    for image in manifest.images:
        url = f"/v1/jobs/{job}/images/{image.style}/{image.partition}/{image.file}"
        response = api.get(url)
        assert response.status_code == 200
        assert response.headers["content-type"] == "image/png"
        assert hashlib.sha256(response.content).hexdigest() == image.sha256
        assert response.headers["etag"] == f'"{image.sha256}"'
        assert api.get(url, headers={"If-None-Match": f'"{image.sha256}"'}).status_code == 304
        part = api.get(url, headers={"Range": "bytes=1-3"})
        assert (part.status_code, part.content) == (206, b"PNG")

    assert_problem(api.get(f"/v1/jobs/{job}/images/flat/frontal/none.png"), 404, "not-found", "manifest.json")


def test_files_come_whole_or_by_a_range(api: httpx.Client, done: tuple[str, Manifest], store: LocalStore) -> None:
    job, manifest = done
    shard = manifest.shards[0]
    url = f"/v1/jobs/{job}/files/{shard.file}"
    whole = api.get(url)

    assert hashlib.sha256(whole.content).hexdigest() == shard.sha256
    assert whole.headers["etag"] == f'"{shard.sha256}"'
    assert whole.headers["accept-ranges"] == "bytes"
    assert int(whole.headers["content-length"]) == shard.bytes
    for asked, start, stop in (("0-0", 0, 1), ("100-199", 100, 200), ("-10", shard.bytes - 10, shard.bytes),
                               ("5000-", 5000, shard.bytes), (f"10-{10**15}", 10, shard.bytes)):  # fmt: skip
        part = api.get(url, headers={"Range": f"bytes={asked}"})
        assert (part.status_code, part.content) == (206, whole.content[start:stop]), asked
        assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{shard.bytes}"
    beyond = api.get(url, headers={"Range": f"bytes={shard.bytes}-"})
    assert_problem(beyond, 416, "range-not-satisfiable")
    assert beyond.headers["content-range"] == f"bytes */{shard.bytes}"
    for ignored in ("lines=0-1", "bytes=0-1,3-4", "bytes=5-4", "bytes=-", "bytes=x-"):
        assert api.get(url, headers={"Range": ignored}).content == whole.content, ignored
    stale = api.get(url, headers={"Range": "bytes=0-9", "If-Range": '"of another"'})
    assert (stale.status_code, stale.content) == (200, whole.content)
    fresh = api.get(url, headers={"Range": "bytes=0-9", "If-Range": whole.headers["etag"]})
    assert fresh.status_code == 206


@pytest.mark.parametrize(
    ("header", "size", "found"),
    [
        ("bytes=0-", 0, range(0, 0)),
        ("bytes=-5", 0, range(0, 0)),
        ("bytes=-0", 9, range(9, 9)),
        ("bytes=-99", 9, range(0, 9)),
        ("bytes=8-8", 9, range(8, 9)),
        ("bytes=" + "9" * 5000 + "-", 9, None),
        ("bytes=٣-٤", 9, None),
    ],
)
def test_ranges_at_the_edges(header: str, size: int, found: range | None) -> None:
    assert wanted_range(header, size) == found


def test_the_contact_sheet_and_the_manifest_are_files_too(api: httpx.Client, done: tuple[str, Manifest]) -> None:
    job, manifest = done

    sheet = api.get(f"/v1/jobs/{job}/contact-sheet")

    assert (sheet.status_code, sheet.headers["content-type"]) == (200, "image/png")
    assert sheet.content == api.get(f"/v1/jobs/{job}/files/{CONTACT_SHEET}").content
    answer = api.get(f"/v1/jobs/{job}/files/{MANIFEST}")
    assert Manifest.model_validate_json(answer.content) == manifest
    assert answer.headers["content-type"] == "application/json"
    assert_problem(api.get(f"/v1/jobs/{job}/files/nothing.tar"), 404, "not-found")


def test_models_are_listed_in_pages(api: httpx.Client, mascots: dict[str, Path], nagi: str) -> None:
    momo = upload(api, *upload_form(mascots["momo"])).json()["models"][0]["id"]

    first = api.get("/v1/models", params={"limit": 1}).json()
    second = api.get("/v1/models", params={"limit": 1, "after": first["next"]}).json()

    assert [model["id"] for model in first["models"] + second["models"]] == sorted([nagi, momo])
    assert second["next"] is None


def test_a_model_is_deleted_when_no_job_needs_it(api: httpx.Client, mascots: dict[str, Path]) -> None:
    data = mascots["momo"].read_bytes().replace("momo".encode("utf-16-le"), "mimo".encode("utf-16-le"))
    model = upload(api, "mimo.pmx", data).json()["models"][0]["id"]
    url = f"/v1/models/{model}"
    batch = submit(api, model)

    assert_problem(api.delete(url), 409, "conflict", "cancel")
    assert api.get(url).status_code == 200
    api.post(f"/v1/batches/{batch['id']}/cancel")
    answer = api.delete(url)

    assert (answer.status_code, answer.content) == (204, b"")
    assert_problem(api.get(url), 404, "not-found")
    assert_problem(api.delete(url), 404, "not-found")
    assert model not in [entry["id"] for entry in api.get("/v1/models").json()["models"]]


def test_a_directory_has_no_addresses_to_upload_to(api: httpx.Client) -> None:
    files = {"files": [{"name": "a.vrm", "bytes": 10}]}
    assert_problem(api.post("/v1/models/uploads", json=files), 409, "store-has-no-urls", "POST /v1/models")

    answer = api.post("/v1/models/register", json={"objects": ["s3://elsewhere/a.vrm"]})

    assert answer.status_code == 201
    (refused,) = answer.json()["refused"]
    assert (refused["name"], refused["code"]) == ("s3://elsewhere/a.vrm", "not-found")
    assert "FARM_IMPORT_BUCKETS" in refused["message"]


def test_workers_are_listed_with_their_jobs_drained_and_resumed(
    api: httpx.Client, nagi: str, quiet: None, connection: Connection
) -> None:
    Workers(connection).register(finished.WORKER, 2)
    batch = submit(api, nagi)
    finished.take(connection)

    (worker,) = api.get("/v1/workers").json()["workers"]
    assert (worker["name"], worker["alive"], worker["concurrency"], worker["drained"]) == (finished.WORKER, True, 2, "")
    assert [job["id"] for job in worker["jobs"]] == [f"{batch['id']}-0"]
    assert api.get("/v1/totals").json()["workers_alive"] == 1
    drained = api.post(f"/v1/workers/{finished.WORKER}/drain", json={"reason": "its fan is loud"}).json()
    assert drained["drained"] == "its fan is loud"
    assert api.post(f"/v1/workers/{finished.WORKER}/resume").json()["drained"] == ""

    assert_problem(api.post("/v1/workers/worker@none/resume"), 404, "not-found")
    assert api.post(f"/v1/workers/{finished.WORKER}/drain", json={"reason": " "}).status_code == 422


def test_proposals_come_as_a_table_that_can_be_checked_and_submitted(api: httpx.Client, nagi: str) -> None:
    proposals = api.post("/v1/annotations/proposals", json={"models": [nagi]})

    assert proposals.headers["content-type"] == "text/csv; charset=utf-8"
    rows = proposals.text.splitlines()
    assert rows[0] == "source_morph,panel,types,models,target"
    checked = api.post("/v1/annotations/check", content=proposals.content, headers={"content-type": "text/csv"})
    assert checked.json()["rows"] == len(rows) - 1
    assert 23 <= checked.json()["mapped"] <= len(rows) - 1
    wrong = api.post("/v1/annotations/check", content=b"source_morph,target\nx,mouth/x\n")
    assert_problem(wrong, 422, "mapping-refused", "Line 2", "mouth/x")
    assert submit(api, nagi, mapping=proposals.text)["jobs"]["queued"] == 1


def test_an_answer_that_the_client_has_is_not_sent_again(api: httpx.Client, nagi: str) -> None:
    url = f"/v1/batches/{submit(api, nagi)['id']}"
    etag = api.get(url).headers["etag"]

    assert api.get(url, headers={"If-None-Match": etag}).status_code == 304
    api.post(f"{url}/pause")
    assert api.get(url, headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.s3
def test_models_come_in_past_the_api_by_presigned_addresses(
    s3: servers.S3Server, mascots: dict[str, Path], api_redis: str, tmp_path: Path
) -> None:
    environment = {
        **s3.environment("rest-routes"), **FREE,
        "FARM_REDIS_URL": api_redis.replace("/0", "/3"), "FARM_IMPORT_BUCKETS": "rest-imports",
    }  # fmt: skip
    settings = Settings(
        s3_endpoint=s3.endpoint,
        s3_access_key=servers.ACCESS_KEY,
        s3_secret_key=servers.SECRET_KEY,
    )
    imports = S3Store("rest-imports", settings)
    name, data = upload_form(mascots["nagi"])
    imports.put(f"anime/{name}", data)
    with (
        servers.api_server(tmp_path, environment) as server,
        httpx.Client(base_url=server.url, timeout=servers.PATIENCE_SECONDS) as api,
    ):
        asked = [{"name": "ミク 1.pmx", "bytes": 100}, {"name": "bad.pmx", "bytes": 5}]
        offers = api.post("/v1/models/uploads", json={"files": asked}).json()["uploads"]
        assert [offer["name"] for offer in offers] == ["ミク 1.pmx", "bad.pmx"]
        for offer, body in zip(offers, (mascots["momo"].read_bytes(), b"milk!"), strict=True):
            assert httpx.put(offer["url"], content=body, trust_env=False).status_code == 200
        objects = [offer["object"] for offer in offers]
        objects += [f"s3://rest-imports/anime/{name}", "s3://rest-imports/none.zip", "s3://other/a.vrm"]

        answer = api.post("/v1/models/register", json={"objects": objects}).json()
        again = api.post("/v1/models/register", json={"objects": objects[:1]}).json()

        assert [model["name"] for model in answer["models"]] == ["ミク_1", "nagi"]
        refused = {item["name"]: item["code"] for item in answer["refused"]}
        assert refused == {objects[1]: "model-format", objects[3]: "not-found", objects[4]: "not-found"}
        assert [item["code"] for item in again["refused"]] == ["not-found"], "what was taken in is removed"
        assert imports.exists(f"anime/{name}"), "what was not uploaded for the farm stays"
        assert {entry["id"] for entry in api.get("/v1/models").json()["models"]} == {m["id"] for m in answer["models"]}


def test_a_job_that_is_not_done_has_no_files(api: httpx.Client, nagi: str) -> None:
    batch = api.post("/v1/batches", json={"models": [{"id": nagi}], "spec": {"samples": 1}}).json()
    (job,) = api.get(f"/v1/batches/{batch['id']}/jobs").json()["jobs"]

    assert_problem(api.get(f"/v1/jobs/{job['id']}/files/manifest.json"), 409, "conflict", "queued")


@pytest.mark.parametrize("name", ["..%2F..%2Fetc%2Fpasswd", "%2e%2e", ".hidden", "UPPER"])
def test_no_file_name_leads_out_of_a_result(api: httpx.Client, name: str) -> None:
    assert api.get(f"/v1/jobs/{'0' * 16}-0/files/{name}").status_code in (404, 422)


def test_readiness_tells_of_a_lost_redis(tmp_path: Path) -> None:
    with servers.redis_server(tmp_path / "valkey") as url:
        environment = {"FARM_REDIS_URL": url, "FARM_STORAGE_URL": f"file://{tmp_path}/store"}
        with servers.api_server(tmp_path / "api", environment) as server:
            assert httpx.get(f"{server.url}/readyz").status_code == 200
            with httpx.Client(base_url=server.url, timeout=servers.PATIENCE_SECONDS) as client:
                os.kill(redis_pid(url), signal.SIGKILL)
                assert_problem(client.get("/readyz"), 503, "service-unavailable", "FARM_REDIS_URL")
                assert client.get("/healthz").status_code == 200


def redis_pid(url: str) -> int:
    import redis

    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def test_a_batch_says_whether_its_webhook_was_told(api: httpx.Client, nagi: str) -> None:
    body = {"models": [{"id": nagi}], "spec": {"samples": 1, "size": 32}, "paused": True}
    told = {**body, "webhook": {"url": "https://receiver.example.org/", "secret": "a secret of sixteen"}}
    silent, telling = (api.post("/v1/batches", json=each).json()["id"] for each in (body, told))

    answer = api.get(f"/v1/batches/{telling}/webhook")

    assert answer.json() == {"state": "pending", "tries": 0, "last": ""}
    assert api.get(f"/v1/batches/{silent}/webhook").status_code == 404


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


def test_a_model_that_an_earlier_version_took_in_is_to_be_uploaded_again(api: httpx.Client, store: LocalStore) -> None:
    data = pmx_bytes(made.small_character(vertices=7))
    (model,) = upload(api, "old.pmx", data).json()["models"]
    key = f"models/{model['id']}/inventory.json"
    kept = json.loads(store.get(key))
    for morph in kept["morphs"]:
        del morph["index"]
    store.put(key, json.dumps(kept).encode())

    refused = api.post("/v1/batches", json={"models": [{"id": model["id"]}]})
    assert_problem(refused, 422, "model-outdated", model["id"], "Upload the same file again")
    assert_problem(api.get(f"/v1/models/{model['id']}"), 422, "model-outdated")

    assert upload(api, "old.pmx", data).status_code == 201
    assert submit(api, model["id"])["jobs"]["queued"] == 1
