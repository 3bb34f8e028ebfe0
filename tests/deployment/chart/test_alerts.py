"""Alerts and recorded numbers of the chart, judged by promtool and the cases in `tests/deployment/kubernetes`."""

import copy
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.deployment.chart.manifests import DATA, Helm, Manifest, find, render
from tests.support.promql import unknown_metrics
from tests.support.servers import PATIENCE_SECONDS

CASES = sorted(path.name for path in DATA.glob("alerts*_test.yaml"))


@pytest.fixture(scope="session")
def promtool() -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return program


@pytest.fixture(scope="session")
def rules(rendered: dict[str, list[Manifest]]) -> Manifest:
    spec: Manifest = find(rendered["everything"], "PrometheusRule", "farm-facefarm")["spec"]
    return spec


def each(rules: Manifest) -> Iterator[Manifest]:
    for group in rules["groups"]:
        yield from group["rules"]


def judge(promtool: str, rules: Manifest, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    for case in CASES:
        shutil.copy(DATA / case, folder)
    return subprocess.run(
        [promtool, *command], capture_output=True, text=True, check=False, cwd=folder, timeout=2 * PATIENCE_SECONDS
    )  # fmt: skip


def test_alerts_fire_when_they_should(promtool: str, rules: Manifest, tmp_path: Path) -> None:
    for command in (["check", "rules", "--lint-fatal", "rules.yaml"], ["test", "rules", *CASES]):
        done = judge(promtool, rules, tmp_path, *command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_seen_firing_and_silent_and_every_recorded_number_is_seen(rules: Manifest) -> None:
    fires, silent, asked = set[str](), set[str](), ""
    for case in CASES:
        for test in yaml.safe_load((DATA / case).read_text())["tests"]:
            for expected in test.get("alert_rule_test", ()):
                (fires if expected["exp_alerts"] else silent).add(expected["alertname"])
            asked += " ".join(expected["expr"] for expected in test.get("promql_expr_test", ()))

    alerts = {rule["alert"] for rule in each(rules) if "alert" in rule}
    assert fires == silent == alerts
    assert {rule["record"] for rule in each(rules) if "record" in rule} == set(re.findall(r"farm:[a-z0-9_:]+", asked))


def test_promtool_notices_every_alert_that_never_fires_and_every_one_that_always_does(
    promtool: str, rules: Manifest, tmp_path: Path
) -> None:
    alerts = {rule["alert"] for rule in each(rules) if "alert" in rule}
    for expression in ("vector(1) < 0", "vector(1)"):
        broken = copy.deepcopy(rules)
        for rule in each(broken):
            if "alert" in rule:
                rule |= {"expr": expression, "for": "0s"}
        done = judge(promtool, broken, tmp_path, "test", "rules", *CASES)
        assert done.returncode != 0
        assert set(re.findall(r"alertname: ?(\w+), time", done.stdout + done.stderr)) == alerts, expression


def test_no_rule_names_a_metric_that_does_not_exist(rules: Manifest) -> None:
    recorded = {rule["record"] for rule in each(rules) if "record" in rule}
    for rule in each(rules):
        assert unknown_metrics(rule["expr"]) <= recorded | {"up"}, rule
    assert unknown_metrics('rate(farm_image_rendered_total{a="farm_jobs"}[5m])') == {"farm_image_rendered_total"}


def test_software_opengl_is_no_alarm_where_no_gpu_is_asked_for(helm: Helm) -> None:
    without = render(helm, "no-gpu", "--set", "monitoring.rules=true")
    alerts = {rule.get("alert") for rule in each(find(without, "PrometheusRule", "farm-facefarm")["spec"])}
    assert "FarmStalled" in alerts
    assert "FarmSoftwareOpenGL" not in alerts
