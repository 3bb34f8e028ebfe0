"""All attacks, against a real farm under load: ``python -m tests.attack [--models 300]``.

A farm with one worker is started. While crafted models and bombs are uploaded and drawn, another user asks for a batch
and for health, again and again. A line an attack says what came of it; the code is 1 when one got through.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from farm.client import FarmClient, ModelRef
from farm.mascots import write_mascots
from farm.spec import RenderSpec
from farm.stack import EmbeddedStack
from tests.attack.bombs import bombs, deep_grey
from tests.attack.crafted import crafted, secrets
from tests.attack.test_canary import told

BATCH_P99, HEALTH_P99 = 0.2, 0.05
API_MEMORY = 2**30
CANCEL_SECONDS = 2.0


@dataclass
class Report:
    """What came of the attacks."""

    failed: list[str] = field(default_factory=list)

    def line(self, what: str, good: bool, more: str = "") -> None:
        """Say what came of one."""
        print(f"{'held' if good else 'FAILED':7} {what}{f': {more}' if more else ''}", flush=True)
        if not good:
            self.failed.append(what)


class Onlooker:
    """Another user, who wants to know how a batch goes, and a probe that asks for health."""

    def __init__(self, url: str, key: str, batch: str, pid: int) -> None:
        self._url, self._batch, self._pid = url, batch, pid
        self._headers = {"Authorization": f"Bearer {key}"}
        self.batch: list[float] = []
        self.health: list[float] = []
        self.memory = 0
        self._over = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the context lasts."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=60, trust_env=False) as client:
            while not self._over.wait(0.1):
                for path, times in ((f"/v1/batches/{self._batch}", self.batch), ("/healthz", self.health)):
                    started = time.perf_counter()
                    client.get(path).raise_for_status()
                    times.append(time.perf_counter() - started)
                self.memory = max(self.memory, _resident(self._pid))


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def _p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98] if len(seconds) > 1 else 0.0


def _send(client: httpx.Client, name: str, data: bytes, path: str = "/v1/models") -> httpx.Response:
    while True:
        answer = client.post(path, files={"file": (name, data)})
        if answer.status_code != 503:
            return answer
        time.sleep(1)


def _canaries(report: Report, client: httpx.Client, farm: FarmClient, room: Path, models: int) -> None:
    hidden = secrets(room / "hidden")
    taken: dict[str, None] = {}
    leaks = 0
    for number, upload in enumerate(itertools.islice(crafted(hidden), models), 1):
        answer = _send(client, upload.name, upload.data)
        if told(answer.content):
            leaks += 1
            report.line(upload.how, False, "the answer tells the secret")
        if answer.status_code == 201:
            taken |= dict.fromkeys(model["id"] for model in answer.json()["models"])
        print(f"\r{number} of {models} crafted models ", end="", file=sys.stderr)
    print(file=sys.stderr)
    spec = RenderSpec(samples=1, size=64, keep_unusable=True, labels=["uv", "landmarks"])
    batch = farm.submit([ModelRef(model, model[:8]) for model in taken], spec, name="canaries")
    while not (state := farm.batch(batch.id)).ended:
        print(f"\r{sum(state.jobs.values())} jobs: {dict(state.jobs)} ", end="", file=sys.stderr)
        time.sleep(1)
    print(file=sys.stderr)
    for job in client.get(f"/v1/batches/{batch.id}/jobs", params={"limit": 1000}).json()["jobs"]:
        page = client.get(f"/jobs/{job['id']}").content + client.get(f"/v1/jobs/{job['id']}").content
        leaks += told(page)
    seen = [path for folder in ("store", "logs") for path in (room / "home" / folder).rglob("*") if path.is_file()]
    leaks += sum(told(path.read_bytes()) for path in seen)
    good = not leaks and len(taken) > models // 20
    report.line(
        f"{models} models that ask for a secret file", good, f"{len(taken)} drawn, {len(seen)} files, {leaks} leaks"
    )


def _bombs(report: Report, client: httpx.Client) -> None:
    for bomb in bombs(scale=10):
        started = time.monotonic()
        answer = _send(client, bomb.name, bomb.make())
        good = bomb.refusal in answer.text if bomb.refusal else answer.status_code == 201
        report.line(bomb.how, good, f"{answer.status_code} after {time.monotonic() - started:.1f} s")
    answer = _send(client, "deep.png", deep_grey(8192), "/v1/backgrounds")
    report.line("a background of 16-bit grey", answer.status_code in (201, 422), str(answer.status_code))


def main() -> int:
    """Attack, report, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=300)
    models = parser.parse_args().models
    report = Report()
    with tempfile.TemporaryDirectory(prefix="farm-attack-") as folder:
        room = Path(folder)
        with (
            EmbeddedStack(room / "home", 1) as stack,
            FarmClient(stack.api_url, stack.api_key, patience=120) as farm,
            httpx.Client(
                base_url=stack.api_url,
                headers={"Authorization": f"Bearer {stack.api_key}"},
                timeout=600,
                trust_env=False,
            ) as client,
        ):
            uploaded = farm.upload(write_mascots(room / "mascots")[0])[0][0]
            others = farm.submit([uploaded], RenderSpec(samples=1, size=64), paused=True, name="another user's")
            onlooker = Onlooker(stack.api_url, stack.api_key, others.id, stack.pid("api"))
            with onlooker.watching():
                _bombs(report, client)
                _canaries(report, client, farm, room, models)
            started = time.monotonic()
            farm.cancel(others.id)
            cancel = time.monotonic() - started
    batch, health = _p99(onlooker.batch), _p99(onlooker.health)
    report.line("another user's GET of a batch", batch < BATCH_P99, f"{batch * 1000:.0f} ms at p99")
    report.line("/healthz", health < HEALTH_P99, f"{health * 1000:.0f} ms at p99")
    report.line("the API's memory", onlooker.memory < API_MEMORY, f"{onlooker.memory / 2**20:.0f} MiB at most")
    report.line("the operator's cancel", cancel < CANCEL_SECONDS, f"{cancel:.2f} s")
    print(f"{len(report.failed)} failed" if report.failed else "all held")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
