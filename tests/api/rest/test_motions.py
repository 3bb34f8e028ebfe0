"""Motions by REST."""

import hashlib
import json
import struct

import httpx
import pytest

from farm.motion.limits import MAX_BYTES
from farm.motion.vmd_writer import BoneKey, MorphKey, vmd_bytes
from tests.api.rest.requests import assert_problem
from tests.farm.motion.made_motions import walk

DANCE = vmd_bytes([BoneKey("頭", 0), BoneKey("頭", 45)], [MorphKey("まばたき", 9, 0.5), MorphKey("あ", 0, 1.0)])


def upload_motion(api: httpx.Client, name: str, data: bytes) -> httpx.Response:
    return api.post("/v1/motions", files={"file": (name, data)})


def test_an_uploaded_motion_is_known_by_its_bytes(api: httpx.Client) -> None:
    response = upload_motion(api, "dance.vmd", DANCE)

    assert response.status_code == 201, response.text
    kept = response.json()
    assert kept["id"] == hashlib.sha256(DANCE).hexdigest()
    assert (kept["format"], kept["seconds"], kept["bones"], kept["morphs"]) == ("VMD 0002", 1.5, 1, 2)
    assert upload_motion(api, "again.bin", DANCE).json() == kept, "what it is called does not matter"
    assert api.get(f"/v1/motions/{kept['id']}").json() == kept
    assert_problem(api.get(f"/v1/motions/{'5' * 64}"), 404, "not-found", "5" * 64, "POST /v1/motions")


def test_a_vrma_is_told_from_a_vmd_by_its_bytes(api: httpx.Client) -> None:
    answer = upload_motion(api, "dance", walk())

    assert answer.status_code == 201, answer.text
    assert answer.json()["format"].startswith("VRMA")


def huge_counts() -> bytes:
    return DANCE[:50] + struct.pack("<I", 2**32 - 1) + DANCE[54:]


def odd_vrma() -> bytes:
    text = json.dumps({"asset": {"version": "2.0"}, "accessors": [{"count": 2**62, "type": "SCALAR"}]}).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A) + text


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"milk", "motion-format"),
        (b"", "motion-format"),
        (DANCE[:200], "motion-format"),
        (huge_counts(), "motion-format"),
        (DANCE[:25], "motion-truncated"),
        (b"Vocaloid Motion Data file" + DANCE[25:], "motion-format"),
        (odd_vrma(), "motion-format"),
        (b"glTF" + b"\xff" * 60, "motion-format"),
    ],
    ids=["no motion", "nothing", "cut", "four billion keys", "a header", "first version", "no VRMA", "no glTF"],
)
def test_a_motion_that_is_none_is_refused_with_a_sentence(api: httpx.Client, data: bytes, code: str) -> None:
    answer = upload_motion(api, "dance.vmd", data)

    assert_problem(answer, 422, code)
    assert answer.json()["detail"].endswith(".")
    assert "Error" not in answer.json()["detail"]
    assert api.get(f"/v1/motions/{hashlib.sha256(data).hexdigest()}").status_code == 404


def test_a_motion_over_the_limit_is_refused(api: httpx.Client) -> None:
    answer = upload_motion(api, "long.vmd", DANCE + bytes(MAX_BYTES + 2**16))
    assert_problem(answer, 413, "content-too-large", "128 MiB")


def test_a_batch_of_clips_has_as_many_pictures_as_frames(api: httpx.Client, nagi: str) -> None:
    motion = upload_motion(api, "dance.vmd", DANCE).json()["id"]
    spec = {
        "motion": {"id": motion, "rate": 15, "start": 0.5, "frames": 7},
        "labels": ["flow"],
        "styles": ["flat", "ink"],
    }

    response = api.post("/v1/batches", json={"models": [{"id": nagi}], "spec": spec})

    assert response.status_code == 201, response.text
    assert response.json()["images_total"] == 7 * 2
    asked = response.json()["spec"]
    assert (asked["motion"], asked["partitions"]) == (spec["motion"], ["rotated"])
    api.post(f"/v1/batches/{response.json()['id']}/cancel")


def test_a_preview_of_a_clip_is_its_first_frames(api: httpx.Client, nagi: str) -> None:
    motion = upload_motion(api, "dance.vmd", DANCE).json()["id"]
    body = {"model": nagi, "samples": 3, "spec": {"motion": {"id": motion, "frames": 46}, "styles": ["flat"]}}

    response = api.post("/v1/previews", json=body)

    assert response.status_code == 201, response.text
    assert (response.json()["images_total"], response.json()["spec"]["motion"]["frames"]) == (3, 3)
    api.post(f"/v1/batches/{response.json()['id']}/cancel")


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"partitions": ["frontal", "rotated"]}, "no frontal pictures"),
        ({"partitions": ["frontal"]}, "no frontal pictures"),
        ({"samples": 5}, "as many samples"),
        ({"combinations": True}, "which morphs play"),
        ({"frames": 10_001}, "frames"),
        ({"frames": 0}, "frames"),
        ({"frames": None}, "frames"),
        ({"rate": 0}, "rate"),
        ({"rate": 1e9}, "rate"),
        ({"start": -1}, "start"),
        ({"start": 1e9}, "start"),
        ({"id": "x"}, "id"),
    ],
)
def test_what_is_no_clip_is_refused(api: httpx.Client, nagi: str, changes: dict[str, object], part: str) -> None:
    motion: dict[str, object] = {"id": "5" * 64, "frames": 3}
    of_motion = {name: value for name, value in changes.items() if name in ("frames", "rate", "start", "id")}
    spec = {**{name: value for name, value in changes.items() if name not in of_motion}, "motion": motion | of_motion}

    assert_problem(api.post("/v1/batches", json={"models": [{"id": nagi}], "spec": spec}), 422, "request-invalid", part)


def test_a_clip_of_an_unknown_motion_is_refused(api: httpx.Client, nagi: str) -> None:
    body = {"models": [{"id": nagi}], "spec": {"motion": {"id": "5" * 64, "frames": 3}}}

    assert_problem(api.post("/v1/batches", json=body), 404, "not-found", "5" * 64, "POST /v1/motions")
