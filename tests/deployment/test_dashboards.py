"""The chart's dashboards: what their description makes, and every query of theirs on a real Prometheus of a real farm."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from farm import metrics
from farm.client import FarmClient, JobView
from farm.exposition import family
from farm.spec import RenderSpec
from farm.valkey import valkey_command
from tests.chaos.processes import blenders
from tests.support import servers
from tests.support.prometheus import Prometheus, Target, prometheus
from tests.support.promql import names_in, unknown_metrics
from tools import dashboards

NAMESPACE = "farm"
BOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted(dashboards.FOLDER.glob("*.json"))
}
SPEC = RenderSpec(seed=3, samples=60, size=48)


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, board in BOARDS.items():
        yield from ((name, panel) for panel in board["panels"] if panel["type"] != "row")


def queries() -> Iterator[tuple[str, str]]:
    """Every query, with where it stands, as Grafana sends it for the farm of this test."""
    for name, panel in panels():
        for target in panel["targets"]:
            expression = target["expr"].replace("$namespace", NAMESPACE).replace("$__rate_interval", "10m")
            assert "$" not in expression
            yield f"{name}, {panel['title']}, {target['legendFormat']}", expression


def test_the_files_are_what_the_description_makes() -> None:
    made = {f"{board.uid}.json": dashboards.document(board) for board in dashboards.BOARDS}
    assert {path.name: path.read_text() for path in dashboards.FOLDER.iterdir()} == made, "run `make dashboards`"


def test_every_panel_has_its_own_number_place_and_words() -> None:
    for board in BOARDS.values():
        numbers = [panel["id"] for panel in board["panels"]]
        assert len(set(numbers)) == len(numbers)
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
        assert len(set(places)) == len(places)
    for name, panel in panels():
        assert panel["title"], name
        assert panel["description"], name
        assert panel["targets"], name


def test_no_query_names_a_metric_that_does_not_exist_and_none_looks_at_other_farms() -> None:
    for place, expression in queries():
        assert unknown_metrics(expression) == set(), place
        for name in names_in(expression):
            assert expression.count(f"{name}{{") == expression.count(f'{name}{{namespace="{NAMESPACE}"'), place


class _Gpus(Collector):
    """What `farm.worker.gpu` tells on a machine with two GPUs; NVML answers on no other."""

    def collect(self) -> Iterator[Metric]:
        yield family(metrics.GPUS, 2)
        for metric in (metrics.GPU_BUSY, metrics.GPU_MEMORY_USED):
            yield family(metric, {("0",): 0.5, ("1",): 0.25})
        yield family(metrics.GPU_MEMORY, {("0",): 1, ("1",): 1})
        yield family(metrics.GPU_INFO, {("0", "NVIDIA H100"): 1, ("1", "NVIDIA H100"): 1})


@contextmanager
def gpu_worker() -> Iterator[str]:
    """The address of metrics of GPUs."""
    registry = CollectorRegistry()
    registry.register(_Gpus())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = generate_latest(registry)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/metrics"
        server.shutdown()


@dataclass
class Watched:
    """A farm that Prometheus watches."""

    client: FarmClient
    worker: int
    prometheus: Prometheus

    def job(self, batch: str) -> JobView:
        (job,) = self.client.jobs(batch)
        return job

    def caught_drawing(self, batch: str, attempt: int) -> int:
        """The worker's Blender, stopped in the middle of the attempt."""

        def active() -> bool:
            job = self.job(batch)
            # It also is where pictures of an earlier attempt were found, before Blender is there.
            return job.attempt == attempt and job.state == "rendering" and bool(blenders(self.worker))

        servers.wait_until(active, f"attempt {attempt}")
        (blender,) = blenders(self.worker)
        os.kill(blender, signal.SIGSTOP)
        assert active()
        return blender


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory, mascots: dict[str, Path]) -> Iterator[Watched]:
    """A farm whose Blender was killed once, and whose work was paused and resumed, under Prometheus' eyes."""
    folder = tmp_path_factory.mktemp("watched")
    with ExitStack() as stack:
        # As the chart starts it.
        url = stack.enter_context(
            servers.redis_server(folder / "valkey", [*valkey_command(), "--maxmemory", "768mb"])
        )  # fmt: skip
        environment = {"FARM_REDIS_URL": url, "FARM_STORAGE_URL": f"file://{folder}/store", "FARM_RATE_LIMIT": "0"}
        api = stack.enter_context(servers.api_server(folder / "api", environment))
        process, shown = stack.enter_context(servers.worker_process(folder / "worker", environment))
        gpus = stack.enter_context(gpu_worker())
        targets = [Target(f"{api.url}/metrics", "api-0"), Target(shown, "worker-0"), Target(gpus, "worker-1")]
        server = stack.enter_context(prometheus(folder / "prometheus", NAMESPACE, targets))
        client = stack.enter_context(FarmClient(api.url))
        watched = Watched(client, process.pid, server)
        (model,), _ = client.upload(mascots["momo"])
        batch = client.submit([model], SPEC, None).id
        os.kill(watched.caught_drawing(batch, 1), signal.SIGKILL)
        watched.caught_drawing(batch, 2)
        client.pause(batch)
        servers.wait_until(lambda: watched.job(batch).state == "queued", "the paused job being handed back")
        client.resume(batch)
        servers.wait_until(lambda: client.batch(batch).ended, "the batch ending")
        assert watched.job(batch).state == "done"
        servers.wait_until(partial(_seen_twice, server), "Prometheus seeing it, twice")
        yield watched


def _seen_twice(server: Prometheus) -> bool:
    """Whether every target was scraped, and again, since the batch ended. Of one number alone there is no rate."""
    done = server.query('count_over_time((farm_models_total{outcome="done"} == 1)[10m:1s])')
    return bool(done) and done[0][1] > 5 and all(up for _, up in server.query("up"))


@pytest.mark.blender
def test_every_query_of_every_dashboard_returns_a_series(farm: Watched) -> None:
    without = [place for place, expression in queries() if not farm.prometheus.query(expression)]
    assert without == []
    for board in BOARDS.values():
        (variable,) = [each for each in board["templating"]["list"] if each["type"] == "query"]
        series = variable["query"].removeprefix("label_values(").removesuffix(", namespace)")
        assert farm.prometheus.values_of("namespace", series) == {NAMESPACE}


@pytest.mark.blender
def test_a_query_of_what_nobody_counts_returns_none(farm: Watched) -> None:
    assert farm.prometheus.query('sum(rate(farm_nothing_total{namespace="farm"}[10m]))') == []
    assert farm.prometheus.query('sum(rate(farm_images_rendered_total{namespace="other"}[10m]))') == []


@pytest.mark.blender
def test_what_is_shown_is_what_the_list_of_metrics_says(farm: Watched) -> None:
    listed = {metric.name: metric for metric in metrics.ALL}
    shown = {name: said for name, said in farm.prometheus.types().items() if name.startswith("farm_")}

    assert shown == {name: (metric.kind, metric.meaning) for name, metric in listed.items()}
    ours = {"namespace", "pod", "job", "instance", "__name__", "le"}
    for labels, _ in farm.prometheus.query('{__name__=~"farm_.+"}'):
        name = next(n for n in (labels["__name__"], *_without_part(labels["__name__"])) if n in listed)
        assert labels.keys() - ours == {label.name for label in listed[name].labels}, name


def _without_part(series: str) -> Iterator[str]:
    yield from (series.removesuffix(part) for part in ("_bucket", "_sum", "_count") if series.endswith(part))


COUNTED: dict[str, float] = {
    'farm_attempts_begun_total{turn="first",work="result"}': 1,
    'farm_attempts_begun_total{turn="again",work="result"}': 2,
    'farm_attempts_lost_total{reason="blender-died"}': 1,
    'farm_attempts_handed_back_total{reason="paused"}': 1,
    'farm_blender_ends_total{cause="crashed"}': 1,
    'farm_blender_ends_total{cause="stopped"}': 1,
    "farm_blender_starts_total": 3,
    'farm_models_total{outcome="done",pod="worker-0"}': 1,
    'farm_models_total{outcome="quarantined",pod="worker-0"}': 0,
    "farm_queue_wait_seconds_count": 3,
    'farm_jobs{state="done"}': 1,
    "farm_batches_open": 0,
    "farm_leases": 0,
    "farm_workers_alive": 1,
    "farm_redis_memory_limit_bytes": 768 * 2**20,
    'farm_api_answers_total{method="POST",route="/v1/batches/{batch_id}/pause",status="200"}': 1,
    'farm_api_answer_seconds_count{method="POST",route="/v1/models"}': 1,
}


@pytest.mark.blender
@pytest.mark.parametrize(("series", "number"), COUNTED.items())
def test_what_happened_was_counted(farm: Watched, series: str, number: float) -> None:
    assert [found for _, found in farm.prometheus.query(series)] == [number]


@pytest.mark.blender
def test_memory_waits_and_disks_are_told_in_their_units(farm: Watched) -> None:
    def one(expression: str) -> float:
        ((_, number),) = farm.prometheus.query(expression)
        return number

    assert 50 * 2**20 < one('max_over_time(farm_blender_resident_bytes{pod="worker-0"}[10m])') < 4 * 2**30
    assert one("farm_queue_wait_seconds_sum") < 600
    assert 0 < one('farm_disk_free_bytes{place="store"}') < one('farm_disk_bytes{place="store"}')
    assert one('farm_renderer_info{pod="worker-0"}') == 1
