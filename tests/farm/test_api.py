"""The API as a process of its own, over HTTP, on a real Valkey and a local store. No worker: nothing is rendered."""

import io
import os
import signal
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from farm.models.package import upload_form
from tests.support import servers


@pytest.fixture(scope="module")
def api(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("api")
    environment = {"FARM_REDIS_URL": redis_url.replace("/0", "/1"), "FARM_STORAGE_URL": f"file://{folder}/store"}
    with servers.api_server(folder, environment) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def upload(api: httpx.Client, name: str, data: bytes) -> httpx.Response:
    return api.post("/v1/models", files={"file": (name, data)})


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
    jobs = api.get(f"/v1/batches/{batch['id']}/jobs").json()
    assert [(job["name"], job["samples"], job["state"]) for job in jobs] == [
        ("nagi", 100, "queued"),
        (momo[:8], 20, "queued"),
    ]
    assert jobs[0]["annotation"]["eye/closed/left"] == "ウィンク２"
    assert api.get(f"/v1/jobs/{jobs[1]['id']}").json() == jobs[1]
    assert batch["id"] in [entry["id"] for entry in api.get("/v1/batches").json()]


def test_a_mapping_table_changes_the_annotation(api: httpx.Client, nagi: str) -> None:
    table = "source_morph,target\nあ,\nにやり,mouth/a\n"

    batch = api.post("/v1/batches", json={"models": [{"id": nagi}], "mapping": table}).json()

    (job,) = api.get(f"/v1/batches/{batch['id']}/jobs").json()
    assert job["annotation"]["mouth/a"] == "にやり"


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
        "/v1/batches/nothing",
        "/v1/batches/nothing/jobs",
        "/v1/jobs/nothing",
    ],
)
def test_what_is_not_there_is_not_found(api: httpx.Client, path: str) -> None:
    assert_problem(api.get(path), 404, "not-found")


def test_a_batch_of_an_unknown_model_is_not_found(api: httpx.Client) -> None:
    assert_problem(api.post("/v1/batches", json={"models": [{"id": "0" * 64}]}), 404, "not-found", "upload it first")


def test_a_job_that_is_not_done_has_no_files(api: httpx.Client, nagi: str) -> None:
    batch = api.post("/v1/batches", json={"models": [{"id": nagi}], "spec": {"samples": 1}}).json()
    (job,) = api.get(f"/v1/batches/{batch['id']}/jobs").json()

    assert_problem(api.get(f"/v1/jobs/{job['id']}/files/manifest.json"), 409, "conflict", "queued")


@pytest.mark.parametrize("name", ["..%2F..%2Fetc%2Fpasswd", "%2e%2e", ".hidden", "UPPER"])
def test_no_file_name_leads_out_of_a_result(api: httpx.Client, name: str) -> None:
    assert api.get(f"/v1/jobs/nothing/files/{name}").status_code in (404, 422)


def test_readiness_tells_of_a_lost_redis(tmp_path: Path) -> None:
    with servers.redis_server(tmp_path / "valkey") as url:
        environment = {"FARM_REDIS_URL": url, "FARM_STORAGE_URL": f"file://{tmp_path}/store"}
        with servers.api_server(tmp_path / "api", environment) as server:
            assert httpx.get(f"{server.url}/readyz").status_code == 200
            with httpx.Client(base_url=server.url, timeout=30) as client:
                os.kill(redis_pid(url), signal.SIGKILL)
                assert_problem(client.get("/readyz"), 503, "service-unavailable", "FARM_REDIS_URL")
                assert client.get("/healthz").status_code == 200


def redis_pid(url: str) -> int:
    import redis

    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])
