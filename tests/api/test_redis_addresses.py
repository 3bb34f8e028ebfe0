"""The API serves on every kind of Redis that the control plane works on: no route needs a right that is not granted."""

from pathlib import Path

import httpx
import pytest

from tests.support.redises import KINDS, PASSWORD, redis_of
from tests.support.servers import PATIENCE_SECONDS, api_server

ENDLESS = {"/v1/events"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_route_that_only_reads_answers_on(kind: str, tmp_path: Path) -> None:
    with redis_of(kind, tmp_path / "redis") as url:
        environment = {"FARM_REDIS_URL": url, "FARM_STORAGE_URL": f"file://{tmp_path}/store", "FARM_RATE_LIMIT": "0"}
        with (
            api_server(tmp_path / "api", environment) as api,
            httpx.Client(base_url=api.url, trust_env=False, timeout=PATIENCE_SECONDS) as http,
        ):
            routes = http.get("/openapi.json").json()["paths"]
            asked = [path for path, verbs in routes.items() if "get" in verbs and "{" not in path]
            answers = {path: http.get(path).status_code for path in asked if path not in ENDLESS}

            assert {"/readyz", "/metrics", "/v1/autoscale", "/v1/batches", "/v1/workers"} <= answers.keys()
            assert [path for path, status in answers.items() if status >= 500] == []
            assert answers["/readyz"] == answers["/metrics"] == answers["/v1/autoscale"] == 200
        assert PASSWORD not in (tmp_path / "api" / "api.log").read_text()
