"""A real receiver of webhooks, and batches that have something to tell it."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from farm.jobs import states
from farm.jobs.batches import BatchRecord, Told, Webhook
from farm.jobs.connection import Connection
from farm.jobs.states import Job, job_id
from farm.jobs.store import JobStore, new_id, utc_now
from farm.jobs.webhooks import Delivery, Messenger, deliveries
from farm.morphs.refs import MorphRef
from farm.spec import RenderSpec
from tests.support.servers import PATIENCE_SECONDS

SECRET = "a secret of the receiver"


@dataclass
class Receiver:
    """What a receiver got, and what it answers: `answers` one after the other, then 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    """Set at first; cleared, it thinks on until it is set again."""
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """Path, headers with their names in lower case, body."""
    times: list[float] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.got]


@contextmanager
def receiving(host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            receiver.times.append(time.monotonic())
            status = receiver.answers.pop(0) if receiver.answers else 200
            receiver.may_answer.wait(PATIENCE_SECONDS)
            self.send_response(status)
            self.send_header("content-length", "0")
            if 300 < status < 309:
                self.send_header("location", f"{receiver.url}/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer((host, port), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        receiver.url = f"{'https' if tls else 'http'}://{host}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join(PATIENCE_SECONDS)


def batch_to(jobs: JobStore, url: str, secret: str = SECRET, models: int = 2, owner: str = "") -> str:
    batch = new_id()
    annotation = {"mouth/a": MorphRef(index=0, name="あ")}
    found = [Job(job_id(batch, index), "0" * 64, "model", annotation, 1, 8, "1" * 64) for index in range(models)]
    jobs.add_batch(batch, BatchRecord("a name", RenderSpec(), utc_now(), "", Webhook(url, secret), owner), found)
    return batch


def finish(jobs: JobStore, batch: str, failed: int = 0) -> None:
    """End every job of the batch; the first `failed` of them badly."""
    for job in jobs.jobs(batch):
        if job.state.ended:
            continue
        attempt = jobs.change(job.id, lambda j: states.claim(j, "worker@one")).attempt
        if job.index < failed:
            jobs.change(job.id, lambda j, a=attempt: states.fail(j, a, "no-neck-bone", "It has no neck."))  # type: ignore[misc]
        else:
            jobs.change(job.id, lambda j, a=attempt: states.finish(j, a))  # type: ignore[misc]


def messenger(
    connection: Connection,
    private: bool = True,
    retries: Sequence[float] = (0.0,) * 6,
    keep: Callable[[str, Told], None] = lambda batch, told: None,
) -> Messenger:
    return Messenger(connection, JobStore(connection), keep, private, retries)


@contextmanager
def running(*messengers: Messenger) -> Iterator[None]:
    for one in messengers:
        one.start()
    try:
        yield
    finally:
        for one in messengers:
            one.stop()


def delivery(connection: Connection, batch: str) -> Delivery:
    (found,) = deliveries(connection, [batch])
    assert found is not None
    return found
