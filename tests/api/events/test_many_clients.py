"""Nobody is held up by many clients, slow ones, or ones that do not read."""

import asyncio

import httpx

from farm.jobs import states
from farm.jobs.connection import Connection
from farm.jobs.events import BEGINNING, Events
from farm.jobs.store import JobStore
from tests.api.events.streams import Refused, finish, ids_in_redis, new_batch, stream
from tests.support.servers import PATIENCE_SECONDS, Api, wait_until


def test_two_hundred_clients_get_everything_while_others_do_not_read(
    api: Api, connection: Connection, jobs: JobStore
) -> None:
    batch = new_batch(jobs, models=100)
    port = httpx.URL(api.url).port
    request = b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    async def read(received: list[int]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        ids = 0
        while b'"ended"' not in (line := await reader.readline()):
            assert line, "The stream has ended"
            ids += line.startswith(b"id: ")
            if ids == 1 and line.startswith(b"id: "):
                opened.release()  # what happens from now on comes to it
        received.append(ids)
        writer.close()

    async def all_of_them() -> list[int]:
        received: list[int] = []
        readers = [asyncio.create_task(read(received)) for _ in range(200)]
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        for reader, writer in idle:
            writer.write(request)
            await reader.readline()  # its stream is open; what follows is left lying
        for _ in readers:
            await opened.acquire()
        worker = asyncio.create_task(asyncio.to_thread(finish, jobs, batch))
        async with httpx.AsyncClient(base_url=api.url, trust_env=False, timeout=PATIENCE_SECONDS) as client:
            while not all(reader.done() for reader in readers):
                assert (await client.get(f"/v1/batches/{batch}")).is_success  # others are answered meanwhile
                await asyncio.sleep(0.1)
        await asyncio.gather(worker, *readers)
        for _, writer in idle:
            writer.close()
        return received

    opened = asyncio.Semaphore(0)

    assert asyncio.run(all_of_them()) == [1 + 100 * 5 + 1] * 200  # the greeting, five a job, and the end


def test_a_client_that_does_not_read_for_long_loses_nothing(api: Api, connection: Connection, jobs: JobStore) -> None:
    """GIVEN more events than the API remembers and the network holds, 15 MB of them."""
    batch = new_batch(jobs, models=500, name="m" * 1000, images=100)
    path, ids = f"/v1/batches/{batch}/events", []
    with stream(api.url, path) as found:
        hello, snapshot = next(found), next(found)
        assert [hello.event, snapshot.event] == ["", "snapshot"]
        jobs.change_all(batch, lambda job: states.claim(job, "worker@one"))
        for images in range(1, 23):
            jobs.change_all(batch, lambda job, i=images: states.progress(job, 1, i))  # type: ignore[misc]
        last, position = Events(connection).last(), BEGINNING
        while position != last:  # others are not held up; the past comes in parts
            with stream(api.url, f"/v1/events?after={position}") as other:
                for told in other:
                    position = told.id or position
                    if position == last:
                        break
        jobs.change_all(batch, states.cancel)
        try:
            for told in found:
                ids += [told.id] if told.event else []
        except httpx.TransportError:
            # On a busy machine all this takes longer than a client may take nothing. Who is cut off comes back.
            with stream(api.url, path, ids[-1] if ids else snapshot.id) as again:
                ids += [told.id for told in again if told.event]

    assert len(ids) == 24 * 500 + 1
    assert ids == ids_in_redis(connection, batch)[1:]


def test_too_many_streams_are_refused_and_those_that_went_make_room(api: Api, connection: Connection) -> None:
    port = httpx.URL(api.url).port
    request = b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    async def fill() -> httpx.Response:
        clients = []
        for _ in range(500):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            assert (await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS)) == b"HTTP/1.1 200 OK\r\n"
            clients.append(writer)
        async with httpx.AsyncClient(base_url=api.url, trust_env=False, timeout=PATIENCE_SECONDS) as client:
            refused = await client.get("/v1/events")
        for writer in clients:
            writer.close()
        return refused

    refused = asyncio.run(fill())

    assert (refused.status_code, refused.json()["code"]) == (503, "too-many-streams")
    assert refused.headers["retry-after"] == "10"

    def room() -> bool:
        try:
            with stream(api.url, "/v1/events") as found:
                return next(found).event == ""
        except Refused:
            return False

    wait_until(room, "room for another stream")
