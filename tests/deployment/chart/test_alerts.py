"""Alerts of the chart, judged by promtool and the cases in `tests/deployment/kubernetes/alerts_test.yaml`."""

import copy
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deployment.chart.manifests import DATA, Manifest, find


@pytest.fixture(scope="session")
def promtool() -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return program


def test_alerts_fire_when_they_should(promtool: str, rendered: dict[str, list[Manifest]], tmp_path: Path) -> None:
    rules = find(rendered["everything"], "PrometheusRule", "farm-facefarm")["spec"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    shutil.copy(DATA / "alerts_test.yaml", tmp_path)
    for command in (["check", "rules", "--lint-fatal", "rules.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run(
            [promtool, *command], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_notices_an_alert_that_never_fires(
    promtool: str, rendered: dict[str, list[Manifest]], tmp_path: Path
) -> None:
    rules = copy.deepcopy(find(rendered["everything"], "PrometheusRule", "farm-facefarm")["spec"])
    for rule in rules["groups"][0]["rules"]:
        if rule.get("alert") == "FarmStalled":
            rule["for"] = "2h"
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    shutil.copy(DATA / "alerts_test.yaml", tmp_path)
    done = subprocess.run(
        [promtool, "test", "rules", "alerts_test.yaml"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode != 0
