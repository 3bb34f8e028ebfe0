"""Streams of server-sent events as tests read them, and batches whose jobs end."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from farm.jobs import states
from farm.jobs.batches import BatchRecord, Webhook
from farm.jobs.connection import Connection
from farm.jobs.events import BEGINNING, Events
from farm.jobs.states import Job, job_id
from farm.jobs.store import JobStore, new_id, utc_now
from farm.spec import RenderSpec
from tests.support.servers import PATIENCE_SECONDS

SECRET = "the receiver's secret"


def api_on(folder: Path, redis_url: str) -> dict[str, str]:
    return {"FARM_REDIS_URL": redis_url, "FARM_STORAGE_URL": f"file://{folder / 'store'}", "FARM_RATE_LIMIT": "0"}


def new_batch(jobs: JobStore, models: int = 2, name: str = "momo\u2028モモ", images: int = 8) -> str:
    batch = new_id()
    found = [Job(job_id(batch, index), "0" * 64, name, {}, 1, images, "1" * 64) for index in range(models)]
    record = BatchRecord("a name", RenderSpec(), utc_now(), "", Webhook("http://hook.invalid/", SECRET))
    jobs.add_batch(batch, record, found, paused=True)
    return batch


def finish(jobs: JobStore, batch: str) -> None:
    """End every job: five events each."""
    for job in jobs.jobs(batch):
        attempt = jobs.change(job.id, lambda j: states.claim(j, "worker@one")).attempt
        for images in (2, 4, 8):
            jobs.change(job.id, lambda j, a=attempt, i=images: states.progress(j, a, i))  # type: ignore[misc]
        jobs.change(job.id, lambda j, a=attempt: states.finish(j, a))  # type: ignore[misc]


@dataclass
class Told:
    """A block of a stream."""

    id: str = ""
    event: str = ""
    data: dict[str, object] = field(default_factory=dict)
    comment: str = ""


class Refused(Exception):
    """The API answered with another status than 200."""


@contextmanager
def stream(url: str, path: str, last: str = "", seconds: float = PATIENCE_SECONDS) -> Iterator[Iterator[Told]]:
    headers = {"Last-Event-ID": last} if last else {}
    # Without TLS no certificate is asked for, and reading them takes longer than a client that comes back should.
    with httpx.stream("GET", url + path, headers=headers, timeout=seconds, trust_env=False, verify=False) as answer:
        if answer.status_code != 200:
            raise Refused(answer.status_code)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        yield blocks(answer)


def blocks(answer: httpx.Response) -> Iterator[Told]:
    told, rest = Told(), ""
    for text in answer.iter_text():
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            name, _, value = line.partition(": ")
            match name:
                case "id":
                    told.id = value
                case "event":
                    told.event = value
                case "data":
                    told.data = json.loads(value)
                case "":
                    if value:
                        told.comment = value
                    else:
                        yield told
                        told = Told()


class Follower(threading.Thread):
    """A client that comes back with the last id whenever its stream ends, until 204 says that there is no more."""

    def __init__(self, url: str, path: str) -> None:
        super().__init__(daemon=True)
        self.url, self._path = url, path
        self.last = ""
        self.told: list[Told] = []
        self.connections = 0
        """Streams that brought an event. One that is opened while the API stops ends behind its greeting, as it should:
        whoever comes back before the port is closed is sent away with an answer, not with a broken connection."""
        self.stopped = False
        self.start()

    def run(self) -> None:
        while not self.stopped:
            try:
                with stream(self.url, self._path, self.last) as found:
                    silent = True
                    for told in found:
                        self.last = told.id or self.last
                        if told.event:
                            self.connections += silent
                            silent = False
                            self.told.append(told)
                        if self.stopped:
                            return
            except Refused as refusal:
                if refusal.args == (204,):
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)

    @property
    def ids(self) -> list[str]:
        return [told.id for told in self.told if told.event in ("job", "batch")]


def ids_in_redis(connection: Connection, batch: str | None = None, after: str = BEGINNING) -> list[str]:
    events, ids = Events(connection), []
    while True:
        found, position = events.read(after, batch)
        ids += [event.id for event in found]
        if position == after:
            return ids
        after = position
