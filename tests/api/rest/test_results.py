"""The files of a finished job by REST, whole, by ranges and picture by picture."""

import hashlib
from pathlib import Path

import httpx
import pytest

from api.ranges import wanted_range
from farm.dataset.manifest import CONTACT_SHEET, MANIFEST, Manifest
from farm.jobs.connection import Connection
from farm.spec import RenderSpec
from farm.storage import LocalStore
from tests.api.rest.requests import assert_problem
from tests.support import finished


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


def test_a_job_that_is_not_done_has_no_files(api: httpx.Client, nagi: str) -> None:
    batch = api.post("/v1/batches", json={"models": [{"id": nagi}], "spec": {"samples": 1}}).json()
    (job,) = api.get(f"/v1/batches/{batch['id']}/jobs").json()["jobs"]

    assert_problem(api.get(f"/v1/jobs/{job['id']}/files/manifest.json"), 409, "conflict", "queued")


@pytest.mark.parametrize("name", ["..%2F..%2Fetc%2Fpasswd", "%2e%2e", ".hidden", "UPPER"])
def test_no_file_name_leads_out_of_a_result(api: httpx.Client, name: str) -> None:
    assert api.get(f"/v1/jobs/{'0' * 16}-0/files/{name}").status_code in (404, 422)
