"""Streams of events are shared fairly among keys, end with their keys, and tell a bounded part of the past."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from api.streams import MAX_STREAMS, MAX_STREAMS_OF_KEY, REPLAYED
from farm.jobs.connection import Connection
from farm.jobs.events import BEGINNING, Events
from farm.keys import Role, entry_for, new_key
from tests.support.servers import PATIENCE_SECONDS, Api, api_server

KEYS = {name: new_key() for name in ("alice", *(f"greedy-{number}" for number in range(5)))}


@dataclass
class Farm:
    """The API and its file of keys."""

    server: Api
    keys: Path

    def know(self, *names: str) -> None:
        """Let nobody in but these."""
        self.keys.write_text("\n".join(entry_for(name, [Role.READ], KEYS[name]) for name in names))


@pytest.fixture(scope="module")
def farm(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    folder = tmp_path_factory.mktemp("api")
    environment = {
        "FARM_REDIS_URL": redis_url,
        "FARM_STORAGE_URL": f"file://{folder}/store",
        "FARM_API_KEYS_FILE": str(folder / "keys"),
        "FARM_RATE_LIMIT": "0",
    }
    (folder / "keys").write_text("")
    with api_server(folder, environment) as server:
        yield Farm(server, folder / "keys")


class Client:
    """A client with an open stream, which takes no more memory than its socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, farm: Farm, key: str) -> "Client":
        url = httpx.URL(farm.server.url)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(f"GET /v1/events HTTP/1.1\r\nHost: {url.host}\r\nX-API-Key: {KEYS[key]}\r\n\r\n".encode())
        status = await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS)
        assert status == b"HTTP/1.1 200 OK\r\n", status
        return cls(reader, writer)

    async def rest(self) -> bytes:
        """All until it ends, which it must."""
        try:
            return await asyncio.wait_for(self.reader.read(), PATIENCE_SECONDS)
        finally:
            await self.close()

    async def close(self) -> None:
        """Go away."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def status_for(farm: Farm, key: str) -> int:
    headers = {"X-API-Key": KEYS[key]}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client,
        client.stream("GET", f"{farm.server.url}/v1/events", headers=headers) as answer,
    ):
        return answer.status_code


def test_one_key_does_not_get_all_streams_and_many_greedy_ones_make_room(farm: Farm, fresh_redis: str) -> None:
    farm.know(*KEYS)

    async def fill() -> None:
        first = [await Client.open(farm, "greedy-0") for _ in range(MAX_STREAMS_OF_KEY)]
        assert await status_for(farm, "greedy-0") == 503
        assert await status_for(farm, "alice") == 200
        others = [
            await Client.open(farm, f"greedy-{number}")
            for number in range(1, MAX_STREAMS // MAX_STREAMS_OF_KEY)
            for _ in range(MAX_STREAMS_OF_KEY)
        ]
        mine = [await Client.open(farm, "alice") for _ in range(3)]
        ended = [asyncio.create_task(client.rest()) for client in first + others]
        done, going_on = await asyncio.wait(ended, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        while len(done) < 3:
            more, going_on = await asyncio.wait(going_on, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            assert more, "the greedy ones make room"
            done |= more
        assert len(done) == 3
        for client in mine + first + others:
            await client.close()
        await asyncio.gather(*going_on)

    asyncio.run(fill())


def test_a_stream_ends_when_its_key_is_taken_back(farm: Farm, fresh_redis: str) -> None:
    farm.know("alice", "greedy-0")

    async def revoke() -> bytes:
        gone, stays = await Client.open(farm, "alice"), await Client.open(farm, "greedy-0")
        farm.know("greedy-0")
        rest = await gone.rest()
        assert not stays.reader.at_eof()
        await stays.close()
        return rest

    assert b"retry: " in asyncio.run(revoke())
    headers = {"X-API-Key": KEYS["alice"]}
    assert httpx.get(f"{farm.server.url}/v1/events", headers=headers, trust_env=False).status_code == 401


@pytest.fixture
def many_events(fresh_redis: str) -> list[str]:
    """The ids of more events than one stream tells of the past."""
    connection = Connection(fresh_redis)
    pipe = connection.redis.pipeline(transaction=False)
    data = json.dumps({"change": "priority", "value": "1"})
    for _ in range(2 * REPLAYED + 500):
        pipe.xadd("farm:events", {"kind": "batch", "batch": "0" * 16, "data": data})
    return [str(id_) for id_ in pipe.execute()]


@pytest.mark.parametrize("batch", ["", "&batch={batch}"])
def test_the_past_comes_in_bounded_parts_and_none_of_it_twice_or_never(
    farm: Farm, many_events: list[str], fresh_redis: str, batch: str
) -> None:
    """GIVEN a stream of one batch among others' events, too: it goes on behind what it looked at in vain."""
    farm.know("alice")
    connection = Connection(fresh_redis)
    mine = "f" * 16
    connection.redis.hset(
        f"farm:batch:{mine}", mapping={"sequence": 1, "record": json.dumps(record()), "priority": 0, "paused": 0}
    )
    connection.redis.xadd("farm:events", {"kind": "batch", "batch": mine, "data": '{"change":"created"}'})
    last = Events(connection).last()
    path = f"/v1/events?x=1{batch.format(batch=mine)}"
    seen: list[str] = []
    position, streams = BEGINNING, 0
    while position != last:
        told = 0
        headers = {"X-API-Key": KEYS["alice"], "Last-Event-ID": position}
        with httpx.stream("GET", farm.server.url + path, headers=headers, timeout=PATIENCE_SECONDS) as answer:
            for line in answer.iter_lines():
                position = line.removeprefix("id: ") if line.startswith("id: ") else position
                if line.startswith("event: "):
                    seen.append(position)
                    told += 1
                if position == last and not line:
                    break
        streams += 1
        assert told <= REPLAYED + 1000

    assert streams == 3
    assert seen == ([last] if batch else [*many_events, last])


def record() -> dict[str, object]:
    from farm.jobs.batches import BatchRecord
    from farm.spec import RenderSpec

    return BatchRecord("mine", RenderSpec(), "2026-01-01T00:00:00+00:00").to_json()
