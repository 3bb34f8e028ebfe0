"""Models by REST: what is taken in, what is refused and why, and what becomes of it."""

import io
import json
import re
import stat
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import upload_form
from farm.settings import Settings
from farm.storage import LocalStore
from farm.storage.s3 import S3Store
from tests.api.rest.conftest import FREE
from tests.api.rest.requests import assert_problem, submit, upload, zip_of
from tests.farm.models import made_files as made
from tests.support import servers


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


def test_a_model_without_a_neck_bone_or_a_head_is_refused(api: httpx.Client, mascots: dict[str, Path]) -> None:
    data = mascots["momo"].read_bytes()
    for name, other in (("首", "足"), ("neck", "foot"), ("頭", "脚"), ("head", "feet")):
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


def test_models_are_listed_in_pages(api: httpx.Client, mascots: dict[str, Path], nagi: str) -> None:
    momo = upload(api, *upload_form(mascots["momo"])).json()["models"][0]["id"]

    found: list[str] = []
    after = ""
    while after is not None:
        page = api.get("/v1/models", params={"limit": 1, "after": after}).json()
        assert len(page["models"]) == 1
        found += [model["id"] for model in page["models"]]
        after = page["next"]

    assert found == sorted(set(found))
    assert {nagi, momo} <= set(found)


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


def test_proposals_come_as_a_table_that_can_be_checked_and_submitted(api: httpx.Client, nagi: str) -> None:
    proposals = api.post("/v1/annotations/proposals", json={"models": [nagi]})

    assert proposals.headers["content-type"] == "text/csv; charset=utf-8"
    rows = proposals.text.splitlines()
    assert rows[0] == "source_morph,panel,types,models,target,exceptions"
    checked = api.post("/v1/annotations/check", content=proposals.content, headers={"content-type": "text/csv"})
    assert checked.json()["rows"] == len(rows) - 1
    assert 23 <= checked.json()["mapped"] <= len(rows) - 1
    wrong = api.post("/v1/annotations/check", content=b"source_morph,target\nx,mouth/x\n")
    assert_problem(wrong, 422, "mapping-refused", "Line 2", "mouth/x")
    assert submit(api, nagi, mapping=proposals.text)["jobs"]["queued"] == 1


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
        momo = mascots["momo"].read_bytes()
        asked = [{"name": "ミク 1.pmx", "bytes": len(momo)}, {"name": "bad.pmx", "bytes": 5}]
        offers = api.post("/v1/models/uploads", json={"files": asked}).json()["uploads"]
        assert [offer["name"] for offer in offers] == ["ミク 1.pmx", "bad.pmx"]

        def put(offer: dict[str, Any], body: bytes) -> int:
            return httpx.put(offer["url"], content=body, headers=offer["headers"], trust_env=False).status_code

        for offer, body in zip(offers, (momo, b"milk!"), strict=True):
            assert put(offer, body) == 200
        objects = [offer["object"] for offer in offers]
        objects += [f"s3://rest-imports/anime/{name}", "s3://rest-imports/none.zip", "s3://other/a.vrm"]

        answer = api.post("/v1/models/register", json={"objects": objects}).json()
        again = api.post("/v1/models/register", json={"objects": objects[:1]}).json()

        assert [model["name"] for model in answer["models"]] == ["ミク_1", "nagi"]
        refused = {item["name"]: item["code"] for item in answer["refused"]}
        assert refused == {objects[1]: "model-format", objects[3]: "not-found", objects[4]: "not-found"}
        assert [item["code"] for item in again["refused"]] == ["conflict"], "what was taken in is taken in once"
        assert put(offers[0], momo) == 412
        assert imports.exists(f"anime/{name}"), "what was not uploaded for the farm stays"
        assert {entry["id"] for entry in api.get("/v1/models").json()["models"]} == {m["id"] for m in answer["models"]}


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


def test_a_model_that_is_taken_back_is_refused_ever_after(
    api: httpx.Client, store: LocalStore, mascots: dict[str, Path]
) -> None:
    name, data = upload_form(mascots["momo"])
    momo = str(upload(api, name, data).json()["models"][0]["id"])
    batch = submit(api, momo)
    said = {"verdicts": {"mouth/a": {"status": "rejected"}}, "why": "looks wrong"}
    assert api.put(f"/v1/annotations/models/{momo}", json=said, headers={"If-Match": "*"}).status_code == 200
    assert store.list(f"annotations/models/{momo}/")

    answer = api.post(f"/v1/models/{momo}/withdrawal", json={"why": "the creator asked"})

    assert answer.json() == {"jobs_cancelled": 1, "results_removed": 0}
    told = api.get(f"/v1/batches/{batch['id']}").json()
    assert (told["jobs"]["cancelled"], told["errors"]) == (1, {"model-withdrawn": 1})
    assert store.list(f"annotations/models/{momo}/") == []
    assert_problem(upload(api, name, data), 409, "model-withdrawn", "the creator asked")
    assert_problem(api.post("/v1/batches", json={"models": [{"id": momo}]}), 409, "model-withdrawn", "kept out")
    assert_problem(api.get(f"/v1/models/{momo}"), 409, "model-withdrawn", "kept out")


_INSIDES = re.compile(r"<class|object at|Plugin|UploadFile|[A-Z][a-z]+Spec\b|pydantic|Traceback|/tmp|Value error")


@pytest.mark.parametrize("path", ["/v1/models", "/v1/backgrounds"])
def test_a_form_without_a_file_is_told_so_in_words(api: httpx.Client, path: str) -> None:
    for sent in (
        api.post(path, data={"file": "text"}),
        api.post(path, files={"other": ("a.pmx", b"x")}),
        api.post(path, files={"file": (None, "text")}),
        api.post(path, json={"file": 3}),
    ):
        assert_problem(sent, 422, "request-invalid", "file")
        assert not _INSIDES.search(sent.text), sent.text


_WRONG: list[Any] = [
    3, "x", [], {"camera": 3}, {"camera": []}, {"styles": 3}, {"styles": [3, {}]}, {"labels": "x"}, {"samples": {}},
    {"partitions": [[]]}, {"camera": {"yaw": "x"}}, {"camera": {"yaw": [2, 1]}}, {"extended": {}}, {"size": "1_0"},
]  # fmt: skip
"""No specifications."""


@pytest.mark.parametrize(
    "body",
    [
        *({"model": "0" * 64, "spec": spec} for spec in _WRONG),
        [],
        3,
        "x",
        {"model": {}},
        {"model": "0" * 64, "mapping": []},
    ],
)
def test_a_wrong_value_is_told_so_in_words(api: httpx.Client, body: object) -> None:
    answer = api.post("/v1/previews", json=body)
    assert answer.status_code == 422
    assert not _INSIDES.search(answer.text), answer.text
    whole = api.post("/v1/batches", json={"models": [body], "webhook": body, "priority": body, "spec": body})
    assert whole.status_code == 422
    assert not _INSIDES.search(whole.text), whole.text
