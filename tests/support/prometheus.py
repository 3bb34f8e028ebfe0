"""A real Prometheus for tests, and what it says."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from farm.process import spawn
from farm.stack import free_port
from tests.support.servers import PATIENCE_SECONDS, end, wait_until


@dataclass(frozen=True)
class Target:
    """What is scraped, every two seconds: `url` ends with /metrics."""

    url: str
    pod: str

    def configured(self, namespace: str) -> dict[str, Any]:
        host = self.url.removeprefix("http://").removesuffix("/metrics")
        labels = {"namespace": namespace, "pod": self.pod}
        return {"job_name": self.pod, "static_configs": [{"targets": [host], "labels": labels}]}


class Prometheus:
    """A running server."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=PATIENCE_SECONDS, trust_env=False)

    def close(self) -> None:
        self._client.close()

    def _ask(self, path: str, query: Mapping[str, str]) -> Any:
        answer = self._client.get(f"/api/v1/{path}", params=dict(query))
        assert answer.status_code == 200, f"{query}: {answer.text}"
        return answer.json()["data"]

    def ready(self) -> bool:
        try:
            return self._client.get("/-/ready").is_success
        except httpx.HTTPError:
            return False

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The series of an expression now: labels and number."""
        found = self._ask("query", {"query": expression})["result"]
        return [(series["metric"], float(series["value"][1])) for series in found]

    def values_of(self, label: str, series: str) -> set[str]:
        """What `label_values(series, label)` is to Grafana."""
        return set(self._ask(f"label/{label}/values", {"match[]": series}))

    def types(self) -> dict[str, tuple[str, str]]:
        """Type and help text of every metric that was scraped, by the name of its series."""
        found = {name: (said[0]["type"], said[0]["help"]) for name, said in self._ask("metadata", {}).items()}
        # A worker speaks OpenMetrics when it is asked to, where a counter is called without its suffix.
        return {
            name if kind != "counter" or name.endswith("_total") else f"{name}_total": (kind, text)
            for name, (kind, text) in found.items()
        }


@contextmanager
def prometheus(folder: Path, namespace: str, targets: list[Target]) -> Iterator[Prometheus]:
    """A Prometheus that scrapes the targets every two seconds, as pods of the namespace."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed: apt-get install prometheus")
    folder.mkdir()
    scrapes = [target.configured(namespace) for target in targets]
    config = {"global": {"scrape_interval": "2s", "scrape_timeout": "2s"}, "scrape_configs": scrapes}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
        "log.level": "warn",
    }
    process = spawn([program, *(f"--{name}={value}" for name, value in options.items())], folder / "prometheus.log")
    try:
        server = Prometheus(f"http://127.0.0.1:{port}")
        wait_until(server.ready, "Prometheus being ready")
        yield server
        server.close()
    finally:
        end(process)
