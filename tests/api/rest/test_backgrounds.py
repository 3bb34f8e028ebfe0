"""Backgrounds by REST."""

import io

import httpx
from PIL import Image

from tests.api.rest.requests import assert_problem


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
