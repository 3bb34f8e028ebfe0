"""What is too much is refused, what the client has is not sent again, and every error is a problem: on a real server."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus

import httpx
import pytest

from api import etags, limits, problems
from farm.keys import Keys, Role, entry_for, new_key
from tests.support.servers import PATIENCE_SECONDS, wait_until
from tests.support.small_api import serving, small_api

KEYS = {name: new_key() for name in ("alice", "bob")}
ENTRIES = ",".join(entry_for(name, [Role.SUBMIT], key) for name, key in KEYS.items())


@contextmanager
def running(keys: str = "", rate: float = 0) -> Iterator[httpx.Client]:
    with (
        serving(small_api(Keys(keys), rate)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE_SECONDS) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    """Without keys."""
    with running() as client:
        yield client


@pytest.fixture(scope="module")
def closed_api() -> Iterator[httpx.Client]:
    """With keys."""
    with running(ENTRIES) as client:
        yield client


def assert_problem(response: httpx.Response, status: int, code: str, *words: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.json()["status"], response.json()["code"]) == (status, code)
    for word in words:
        assert word in response.json()["detail"]


def raw(api: httpx.Client, head: str, body: bytes, pieces: int = 1) -> httpx.Response:
    """The answer to a request that no well-made client would send: `body` is sent `pieces` times."""
    with socket.create_connection((api.base_url.host, api.base_url.port), timeout=PATIENCE_SECONDS) as connection:
        try:
            connection.sendall(head.encode().replace(b"\n", b"\r\n") + b"\r\n\r\n")
            for _ in range(pieces):
                connection.sendall(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # answered, and closed, before all was sent
        answer = b""
        while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
            try:
                piece = connection.recv(2**16)
            except ConnectionResetError:
                break
            if not piece:
                break
            answer += piece
    top, _, content = answer.partition(b"\r\n\r\n")
    status, *lines = top.decode().split("\r\n")
    headers = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    return httpx.Response(int(status.split()[1]), headers=headers, content=content)


HEAD = "POST /v1/batches HTTP/1.1\nHost: localhost\nContent-Type: application/json"


def test_a_chunked_body_over_the_limit_is_refused_while_it_comes_in(api: httpx.Client) -> None:
    endless = (b" " * 2**20 for _ in range(40))

    response = api.post("/v1/batches", content=endless, headers={"content-type": "application/json"})

    assert_problem(response, 413, "content-too-large", "32 MiB")


def test_a_body_that_announces_too_much_is_refused_before_it_comes(api: httpx.Client) -> None:
    response = raw(api, f"{HEAD}\nContent-Length: {33 * 2**20}", b"")

    assert_problem(response, 413, "content-too-large", "32 MiB")


def test_nothing_gets_in_behind_the_announced_end_of_a_body(api: httpx.Client) -> None:
    response = raw(api, f"{HEAD}\nConnection: close\nContent-Length: 2", b"{}" + b" " * 2**20, 40)

    assert response.status_code in (200, 400), "the server serves what was announced, or calls the rest malformed"
    assert api.get("/healthz").status_code == 200


def test_a_chunked_body_that_announces_little_is_counted_all_the_same(api: httpx.Client) -> None:
    chunk = b"100000\r\n" + b" " * 2**20 + b"\r\n"

    response = raw(api, f"{HEAD}\nContent-Length: 2\nTransfer-Encoding: chunked", chunk, 40)

    assert response.status_code in (400, 413), "the server calls it malformed, or the limit holds"


def test_uploads_have_a_limit_of_their_own(api: httpx.Client) -> None:
    taken = api.post("/v1/models", files={"file": ("a.zip", bytes(33 * 2**20))})

    assert taken.json() == 33 * 2**20
    too_large = raw(api, f"POST /v1/models HTTP/1.1\nHost: localhost\nContent-Length: {513 * 2**20}", b"")
    assert_problem(too_large, 413, "content-too-large", "512 MiB")


def test_a_stranger_is_sent_away_while_a_long_body_still_comes_in(closed_api: httpx.Client) -> None:
    # The framework would put all of it on the disk before it asks who sent it.
    upload = "POST /v1/models HTTP/1.1\nHost: localhost\nContent-Type: multipart/form-data; boundary=x"
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'

    for head, begin in ((HEAD, b""), (upload, form)):
        announced = raw(closed_api, f"{head}\nContent-Length: {2**20}", b"")
        assert_problem(announced, 401, "unauthorized", "needs a key")
        assert announced.headers["www-authenticate"] == "Bearer"
        endless = raw(closed_api, f"{head}\nTransfer-Encoding: chunked", b"20000\r\n" + begin.ljust(2**17) + b"\r\n")
        assert_problem(endless, 401, "unauthorized", "needs a key")

    known = {"X-API-Key": KEYS["alice"]}
    assert closed_api.post("/v1/batches", json={"a": "x" * 2**20}, headers=known).status_code == 200


def test_a_stream_goes_on_when_its_client_sends_a_body_that_nobody_wants(api: httpx.Client) -> None:
    response = raw(api, "GET /v1/events HTTP/1.1\nHost: localhost\nConnection: close\nContent-Length: 9", b"unwanted!")

    assert response.status_code == 200


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_what_it_holds_and_fills_up_at_its_rate() -> None:
    clock = Clock()
    buckets = limits.Buckets(rate=2, size=3, clock=clock)

    assert [buckets.take("a") for _ in range(4)] == [2, 1, 0, -1]
    assert buckets.take("b") == 2, "each name has a bucket of its own"
    clock.now += 0.25
    assert buckets.take("a") == -0.5, "half a token has come back, and refused requests cost none"
    clock.now += 0.25
    assert buckets.take("a") == 0
    clock.now += 3600
    assert buckets.take("a") == 2, "no bucket holds more than its size"


def test_buckets_of_many_names_take_no_more_than_their_memory() -> None:
    buckets = limits.Buckets(rate=1, size=2, most=100, clock=Clock())
    for number in range(1000):
        buckets.take(f"stranger {number}")
        buckets.take("regular")

    assert len(buckets) == 100
    assert buckets.take("regular") == -1, "whoever goes on asking is not forgotten"


def test_whoever_asks_too_fast_is_told_when_to_come_back() -> None:
    with running(rate=2) as client:
        answers = [client.get("/v1/batches") for _ in range(12)]
        refused = next(answer for answer in answers if answer.status_code == 429)
        health = [client.get("/healthz").status_code for _ in range(30)]

    assert [answer.status_code for answer in answers[:10]] == [200] * 10
    assert answers[0].headers["ratelimit-limit"] == "10"
    assert answers[0].headers["ratelimit-remaining"] == "9"
    assert_problem(refused, 429, "too-many-requests", "2 requests a second")
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["ratelimit-remaining"] == "0"
    assert 1 <= int(refused.headers["ratelimit-reset"]) <= 5
    assert health == [200] * 30


def test_each_key_has_a_rate_of_its_own_and_wrong_keys_share_their_address() -> None:
    with running(ENTRIES, rate=0.2) as client:  # one request at once, the next five seconds later

        def ask(key: str) -> int:
            return client.get("/v1/batches", headers={"Authorization": f"Bearer {key}"}).status_code

        assert [ask(KEYS["alice"]), ask(KEYS["alice"])] == [200, 429]
        assert ask(KEYS["bob"]) == 200
        assert [ask(new_key()), ask(new_key())] == [401, 429]


def test_one_key_does_not_get_all_threads() -> None:
    app = small_api(Keys(ENTRIES))
    with (
        serving(app) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE_SECONDS) as client,
        ThreadPoolExecutor(limits.MAX_WAITING) as pool,
    ):

        def ask(path: str, key: str) -> int:
            return client.get(path, headers={"X-API-Key": KEYS[key]}).status_code

        def wait() -> int:
            while (answer := ask("/v1/waits", "alice")) == 429:  # the question below took its place for a moment
                time.sleep(0.05)
            return answer

        working = [pool.submit(wait) for _ in range(limits.MAX_WAITING)]
        try:
            wait_until(lambda: ask("/v1/batches", "alice") == 429, "all of a key's share")
            assert ask("/v1/batches", "bob") == 200
            assert client.get("/healthz").status_code == 200
        finally:
            app.state.gate.set()
        assert [each.result() for each in working] == [200] * limits.MAX_WAITING
        assert ask("/v1/batches", "alice") == 200


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", W/"y,z" ,"abc"', True),
        ("*", True),
        ('"abcd"', False),
        ("abc", False),
        ('"x, abc"', False),
        ("", False),
    ],
)
def test_if_none_match_is_read_as_the_standard_says(header: str, names: bool) -> None:
    assert etags.names(header, '"abc"') is names
    assert etags.names(header, 'W/"abc"') is names


def test_what_the_client_has_is_not_sent_again(api: httpx.Client) -> None:
    first = api.get("/v1/batches")
    etag = first.headers["etag"]

    again = api.get("/v1/batches", headers={"If-None-Match": f'"other", {etag}'})

    assert etag.startswith('"')
    assert first.headers["cache-control"] == "private, no-cache"
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert "content-length" not in again.headers
    assert "content-type" not in again.headers
    assert api.get("/healthz").headers["etag"] != etag
    assert api.get("/v1/batches", headers={"If-None-Match": '"other"'}).json() == first.json()


def test_errors_changes_and_long_answers_have_no_etag(api: httpx.Client) -> None:
    assert "etag" not in api.get("/nothing").headers
    assert "etag" not in api.post("/v1/batches", json={}).headers
    large = api.get("/v1/large", headers={"If-None-Match": "*"})
    assert "etag" not in large.headers
    assert len(large.json()) == 5
    events = api.get("/v1/events", headers={"If-None-Match": "*"})
    assert (events.text, "etag" in events.headers) == ("data: 1\n\n", False)


def test_a_stream_that_the_client_has_is_not_made(api: httpx.Client) -> None:
    whole = api.get("/v1/shard")
    assert (len(whole.content), whole.headers["etag"]) == (5000, '"the-hash"')

    again = api.get("/v1/shard", headers={"If-None-Match": '"the-hash"'})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", '"the-hash"')
    assert api.get("/healthz").status_code == 200, "the connection goes on"


def test_an_error_that_nobody_foresaw_is_a_problem_that_shows_nothing(
    api: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    api.get("/healthz")
    response = api.get("/v1/broken")
    assert api.get("/healthz").status_code == 200, "the connection goes on"

    assert_problem(response, 500, "internal-error", "incident")
    assert "secret" not in response.text
    assert "ZeroDivision" not in response.text
    incident = response.json()["detail"].split()[-1].rstrip(".")
    (record,) = [record for record in caplog.records if incident in record.getMessage()]
    assert record.exc_info is not None
    assert "the secret inside" in str(record.exc_info[1]), "the log has what the answer has not"


def test_a_stream_that_fails_in_the_middle_is_cut_and_not_ended(api: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        api.get("/v1/cut")


def test_unknown_paths_and_methods_are_problems(api: httpx.Client) -> None:
    assert_problem(api.get("/v1/nothing"), 404, "not-found")
    wrong = api.delete("/v1/batches")
    assert_problem(wrong, 405, "method-not-allowed", "there is GET, POST")
    assert wrong.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"\\ud800": 1}', b"[]", b"", b'"' + b"x" * 5000 + b'"'])
def test_no_body_makes_the_api_stumble(api: httpx.Client, body: bytes) -> None:
    response = api.post("/v1/batches", content=body, headers={"content-type": "application/json"})

    assert response.status_code in (200, 400, 422), response.text


def test_a_sentence_goes_out_however_odd_what_it_quotes_and_not_at_any_length() -> None:
    response = problems.problem(HTTPStatus.NOT_FOUND, "not-found", "half a pair \ud800 " + "x" * 5000)

    detail = json.loads(bytes(response.body))["detail"]
    assert detail.startswith("half a pair ? x")
    assert len(detail) <= 2001
