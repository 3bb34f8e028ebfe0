"""The Python SDK against an API that is away, slow, or lost in mid-answer."""

import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from farm.client import FarmClient, RefusedError, transport
from farm.errors import FarmError, ServiceError
from farm.stack import free_port
from tests.farm.client.farm import SPEC, Farm
from tests.support import servers
from tests.support.faults import Fault, FaultyProxy


def test_a_submission_over_a_bad_line_makes_one_batch(farm: Farm, proxy: FaultyProxy) -> None:
    before = len(list(farm.client.batches()))
    with FarmClient(proxy.endpoint) as client:
        client.batch(farm.submit().id)
        proxy.cut_bytes = (1000, 4500)  # a request and its answer take about 3,500: many answers are lost
        proxy.fault = Fault.CUT
        made = [client.submit([farm.model], SPEC, name=f"number {number}").id for number in range(6)]

    assert proxy.seen[Fault.CUT] > 2
    assert len(set(made)) == 6
    assert len(list(farm.client.batches())) == before + 7


def heal_after_three(proxy: FaultyProxy) -> None:
    """Let the server be there again when it was missed three times."""
    servers.wait_until(lambda: proxy.seen[Fault.UNAVAILABLE] >= 3, "three vain requests")
    proxy.fault = Fault.OK


def test_a_store_that_is_away_for_a_moment_is_waited_for(farm: Farm, proxy: FaultyProxy) -> None:
    batch = farm.submit().id
    said: list[str] = []
    with FarmClient(proxy.endpoint, tell=said.append) as client:
        proxy.fault = Fault.UNAVAILABLE
        healing = threading.Thread(target=heal_after_three, args=(proxy,))
        healing.start()
        assert client.batch(batch).id == batch
        healing.join()

    assert proxy.seen[Fault.UNAVAILABLE] >= 3
    assert len(said) == 1
    assert "Trying for" in said[0]


def test_a_lost_api_is_waited_for_only_as_long_as_patience_lasts(farm: Farm, proxy: FaultyProxy) -> None:
    batch = farm.submit().id
    with FarmClient(proxy.endpoint, patience=1.0) as client:
        client.batch(batch)
        proxy.fault = Fault.REFUSE
        begun = time.monotonic()
        with pytest.raises(ServiceError, match="Start one with `farm up`"):
            client.batch(batch)
        assert 0.2 < time.monotonic() - begun < transport.PATIENCE_SECONDS / 2


def test_what_might_do_harm_twice_is_not_tried_again(farm: Farm, proxy: FaultyProxy) -> None:
    with FarmClient(proxy.endpoint) as client:
        proxy.fault = Fault.UNAVAILABLE
        with pytest.raises(RefusedError) as caught:
            client.preview(farm.model.id)
        assert caught.value.status == 503
        assert proxy.seen[Fault.UNAVAILABLE] == 1


def test_a_rate_limit_slows_down_and_does_not_stop(farm: Farm, tmp_path: Path) -> None:
    environment = {**farm.api.environment, "FARM_RATE_LIMIT": "5"}
    with servers.api_server(tmp_path, environment) as api, FarmClient(api.url) as client:
        begun = time.monotonic()
        for _ in range(32):  # 25 may come at once
            client.workers()

        assert time.monotonic() - begun > 0.9


def test_nobody_at_an_address_is_found_out_in_seconds() -> None:
    with FarmClient(f"http://127.0.0.1:{free_port()}") as client:
        begun = time.monotonic()
        with pytest.raises(ServiceError, match="does not answer"):
            client.workers()
        assert time.monotonic() - begun < transport.PATIENCE_SECONDS / 2


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://a b:port"])
def test_what_is_no_address_is_said_at_once(url: str) -> None:
    with pytest.raises(FarmError, match="is no address of an API"):
        FarmClient(url).workers()


def test_another_web_server_is_told_from_a_farm(tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "workers").write_text("<html>Welcome!</html>")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with FarmClient(f"http://127.0.0.1:{server.server_port}") as client:
            with pytest.raises(ServiceError, match="is no farm's API"):
                client.workers()
            with pytest.raises(RefusedError, match="HTTP 404"):
                client.batch("momo")
        server.shutdown()
