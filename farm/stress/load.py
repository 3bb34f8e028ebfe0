"""Asks the API as its users do, and takes the time."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import batched

import httpx

from farm.errors import ServiceError
from farm.jobs.batches import BatchRecord
from farm.jobs.orders import OrderedModel, new_job
from farm.jobs.states import State
from farm.jobs.store import JobStore, new_id, utc_now
from farm.spec import RenderSpec
from farm.stress.characters import annotation, model_ids

_POLL_SECONDS = 0.2
_TIMEOUT = 300.0
_PAGE = 100
"""Jobs of one page of a batch."""


@dataclass(slots=True)
class Latencies:
    """How long the answers to one kind of request took, in seconds."""

    seconds: list[float] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        """The time within which this share of the answers came. Something must have been asked."""
        ranked = sorted(self.seconds)
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


class Api:
    """One client of the API, on one connection that it keeps."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT, trust_env=False)

    def get(self, path: str, latencies: Latencies | None = None) -> None:
        """GET `path`, noting the time until the whole answer was there. Raises ServiceError unless it is a success."""
        began = time.perf_counter()
        answer = self._client.get(path)
        if latencies is not None:
            latencies.seconds.append(time.perf_counter() - began)
        _require(answer)

    def submit(self, models: Sequence[str], name: str) -> str:
        """Make a batch; its id. Raises ServiceError when it is refused."""
        body = {"name": name, "models": [{"id": id_, "name": f"{name}/{id_[:8]}.pmx"} for id_ in models]}
        answer = self._client.post("/v1/batches", json=body, headers={"Idempotency-Key": name})
        _require(answer)
        return str(answer.json()["id"])

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _require(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise ServiceError(
            f"The API answered {answer.status_code} to {answer.request.method} {answer.request.url.path}: "
            f"{answer.text[:500]}"
        )


class Onlooker:
    """A client that asks for the newest batch and for the list of batches again and again, in a thread of its own."""

    def __init__(self, url: str) -> None:
        self._api = Api(url)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="onlooker", daemon=True)
        self._trouble: Exception | None = None
        self.newest = ""
        """The batch to look at; empty: there is none yet."""
        self.batch, self.batches = Latencies(), Latencies()

    def __enter__(self) -> "Onlooker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._api.close()
        if self._trouble is not None:
            raise self._trouble

    def _run(self) -> None:
        try:
            while not self._over.wait(_POLL_SECONDS):
                if self.newest:
                    self._api.get(f"/v1/batches/{self.newest}", self.batch)
                self._api.get("/v1/batches", self.batches)
        except (httpx.HTTPError, ServiceError) as error:
            self._trouble = error


def submit(
    url: str, models: Sequence[str], batch_size: int, onlooker: Onlooker, advance: Callable[[int], None]
) -> tuple[list[str], float]:
    """Submit the models in batches, one request after the other; the batches' ids, and the seconds that it took."""
    api = Api(url)
    batches: list[str] = []
    began = time.perf_counter()
    for number, some in enumerate(batched(models, batch_size, strict=False)):
        batches.append(api.submit(some, f"stress-{number}"))
        onlooker.newest = batches[-1]
        advance(len(some))
    seconds = time.perf_counter() - began
    api.close()
    return batches, seconds


def grow(jobs: JobStore, count: int, batch_size: int, advance: Callable[[int], None]) -> list[str]:
    """Make the farm know `count` jobs more, all done, straight through the job store; the ids of their batches."""
    morphs, spec, made = annotation(), RenderSpec(), 0
    batches: list[str] = []
    while made < count:
        batch, size = new_id(), min(batch_size, count - made)
        models = [OrderedModel(model=id_, name=f"old/{id_[:8]}.pmx", annotation=morphs) for id_ in _old_ids(made, size)]
        ended = []
        for place, model in enumerate(models):
            job = new_job(batch, place, model, spec)
            ended.append(
                replace(job, state=State.DONE, attempt=1, worker="worker@stress", images_done=job.images_total)
            )
        jobs.add_batch(batch, BatchRecord(f"old {len(batches)}", spec, utc_now()), ended)
        batches.append(batch)
        made += size
        advance(size)
    return batches


def _old_ids(first: int, count: int) -> list[str]:
    return model_ids(-1 - first, count)


def ask(url: str, batches: Sequence[str], requests: int, seed: int, advance: Callable[[int], None]) -> list[Latencies]:
    """The latencies of GET on random batches (`requests` of them), on the list of batches and on a page of a batch's
    jobs (a tenth as many each), asked by one client one after the other."""
    choose = random.Random(seed)  # noqa: S311 - which batch is asked for is no secret
    api = Api(url)
    one, many, pages = Latencies(), Latencies(), Latencies()
    for _ in range(20):
        api.get("/v1/batches")  # the first requests pay for what is made once
    for number in range(requests):
        api.get(f"/v1/batches/{choose.choice(batches)}", one)
        if number % 10 == 0:
            api.get("/v1/batches", many)
            api.get(f"/v1/batches/{choose.choice(batches)}/jobs?limit={_PAGE}", pages)
        advance(1)
    api.close()
    return [one, many, pages]
