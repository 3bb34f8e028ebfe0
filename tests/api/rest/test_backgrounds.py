"""Backgrounds by REST."""

import io
import re
import struct
import zlib

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


def bomb_in_the_text(chunk: bytes) -> bytes:
    """A PNG file whose text says little and unpacks to much, as Pillow refuses by the name of a constant of its own."""
    text = b"Comment\0" + (b"\0" if chunk == b"zTXt" else b"\1\0\0\0") + zlib.compress(bytes(2 * 2**20))
    whole = struct.pack(">I", len(text)) + chunk + text + struct.pack(">I", zlib.crc32(chunk + text))
    plain = picture()
    place = plain.index(b"IDAT") - 4
    return plain[:place] + whole + plain[place:]


def test_what_a_library_says_of_its_insides_is_not_passed_on(api: httpx.Client) -> None:
    plain = picture()
    damaged = {
        "zTXt": bomb_in_the_text(b"zTXt"), "iTXt": bomb_in_the_text(b"iTXt"), "cut": plain[:-30],
        "nothing": b"", "no picture": b"GIF89a" + bytes(99), "chunk": plain.replace(b"IDAT", b"I\x1bAT"),
        "header": plain[:20] + b"\xff" * 9 + plain[29:], "webp": b"RIFF\xff\0\0\0WEBPVP8 " + bytes(99),
        "bmp": picture(format="BMP")[:40], "jpeg": picture(format="JPEG")[:200],
    }  # fmt: skip
    for name, data in damaged.items():
        answer = upload_background(api, "sea.png", data)
        assert_problem(answer, 422, "background-refused", "sea.png")
        assert not re.search(r"Plugin|[A-Z]_[A-Z]|<|0x|b'|BytesIO|Error", answer.json()["detail"]), (name, answer.text)
