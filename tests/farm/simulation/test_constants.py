"""Every number of the simulation has a source, and those of this project are what stands at that source."""

import json
import re
from pathlib import Path

import pytest
import yaml

from farm.drawing.checkpoints import CHECKPOINT_SECONDS
from farm.jobs.states import MAX_ATTEMPTS
from farm.poses import SAMPLES_FEW, SAMPLES_MANY
from farm.settings import Settings
from farm.simulation import engine
from farm.simulation.constants import Kind, constants, machine, value
from farm.simulation.work import at_once
from farm.spec import RenderSpec
from farm.worker import pacing

ROOT = Path(__file__).parents[3]


def test_every_number_says_whose_word_it_is() -> None:
    found = list(constants())

    assert len(found) > 25
    assert all(known.source for known in found)
    assert {known.kind for known in found} == set(Kind)


def test_the_charts_numbers_are_the_charts() -> None:
    values = yaml.safe_load((ROOT / "helm/facefarm/values.yaml").read_text())
    scaling, worker = values["autoscaling"], values["worker"]
    template = (ROOT / "helm/facefarm/templates/autoscaling.yaml").read_text()
    pod = (ROOT / "helm/facefarm/templates/worker.yaml").read_text()

    assert {known.name: known.value for known in constants() if known.section == "chart"} == {
        "drain_seconds": worker["drainSeconds"],
        "shutdown_seconds": worker["shutdownSeconds"],
        "store_seconds": int(re.findall(r"shutdownSeconds (\d+) }}", pod)[0]),
        "polling_seconds": scaling["pollingInterval"],
        "cooldown_seconds": scaling["cooldownPeriod"],
        "stabilization_seconds": scaling["scaleDownStabilizationSeconds"],
        "removal_seconds": int(re.findall(r"value: 1, periodSeconds: (\d+)", template)[0]),
        "target_seconds": scaling["targetSeconds"],
        "assumed_rate": scaling["assumedRate"],
    }
    assert (Settings().target_seconds, Settings().assumed_rate) == (scaling["targetSeconds"], scaling["assumedRate"])


def test_the_farms_numbers_are_the_farms() -> None:
    assert value("worker", "checkpoint_seconds") == CHECKPOINT_SECONDS
    assert value("worker", "lease_seconds") == Settings().lease_seconds
    assert value("worker", "attempts") == MAX_ATTEMPTS
    assert value("worker", "shot_images") == len(RenderSpec().styles)
    assert (value("collection", "samples_many"), value("collection", "samples_few")) == (SAMPLES_MANY, SAMPLES_FEW)
    assert value("collection", "images_sample") == len(RenderSpec().styles) * len(RenderSpec().partitions)
    assert engine._REPORT_SECONDS == pacing._REPORT_SECONDS


def test_what_was_measured_stands_where_the_source_says() -> None:
    bench = json.loads((ROOT / "benchmarks/results.json").read_text())
    page = (ROOT / "docs/performance.md").read_text()

    assert value("machine.cpu", "model_seconds") == pytest.approx(bench["stages"]["wall"], abs=0.005)
    assert value("machine.cpu", "model_images") == bench["stages"]["images"]
    assert value("machine.cpu", "ready_seconds") == pytest.approx(bench["first_image_seconds"]["warm"], abs=0.005)
    assert "800 images with encoding and uploading in 1.93 s" in page
    assert value("machine.gpu", "model_seconds") == 1.93
    assert "the first picture 2.1 s from a new Blender and 0.5 s from a running one" in page
    assert value("machine.gpu", "ready_seconds") == 0.5
    assert "worker and Blender 2.6 s" in page
    assert value("worker", "start_seconds") == 2.6
    for name in ("gpu", "cpu"):
        assert machine(name).seconds(800) == pytest.approx(value(f"machine.{name}", "model_seconds"))


def test_the_collection_has_the_papers_models_and_images() -> None:
    work = at_once(3613, 0)

    assert work.models == 3613
    assert work.images == pytest.approx(2_400_000, rel=0.001)
