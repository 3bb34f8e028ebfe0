"""The whole farm as its users run it: real processes, real Valkey, real S3, real Blender."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from farm.client import FarmClient, JobView, UploadedModel
from farm.dataset.output import unpack_result
from farm.errors import UnusableModelError
from farm.models.description import Character
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character
from farm.process import spawn
from farm.spec import RenderSpec
from farm.stack import free_port
from tests.support import servers

pytestmark = [pytest.mark.blender, pytest.mark.s3]
SPEC = RenderSpec(seed=1, samples=2, size=48)


@dataclass
class Farm:
    client: FarmClient
    api: str
    metrics: str
    environment: dict[str, str]


@pytest.fixture(scope="module")
def farm(
    new_database: Callable[[], str], s3: servers.S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Farm]:
    folder = tmp_path_factory.mktemp("farm")
    environment = {"FARM_REDIS_URL": new_database(), **s3.environment("whole-farm")}
    with (
        servers.api_server(folder, environment, from_nothing=True) as api,
        servers.worker_process(folder, environment) as (_, metrics),
    ):
        client = FarmClient(api.url)
        yield Farm(client, api.url, metrics, environment)
        client.close()


def upload_with(client: FarmClient, path: Path) -> UploadedModel:
    (model,), refused = client.upload(path)
    assert refused == []
    return model


def upload(farm: Farm, path: Path) -> UploadedModel:
    return upload_with(farm.client, path)


def finish(farm: Farm, batch: str) -> list[JobView]:
    servers.wait_until(lambda: farm.client.batch(batch).ended, f"batch {batch} ending")
    return list(farm.client.jobs(batch))


def test_characters_go_in_and_annotated_images_come_out_of_s3(
    farm: Farm, mascots: dict[str, Path], tmp_path: Path
) -> None:
    models = [upload(farm, path) for path in mascots.values()]

    jobs = finish(farm, farm.client.submit(models, SPEC, None).id)

    assert [job.state for job in jobs] == ["done", "done"], [job.error for job in jobs]
    for job in jobs:
        manifest = farm.client.manifest(job.id)
        model = unpack_result(manifest, job.name, partial(farm.client.fetch, job.id), tmp_path)
        assert len(list(model.folder.rglob("*_0000?.png"))) == 2 * 2 * 4 == len(manifest.images)
        for image in manifest.images:
            assert hashlib.sha256(model.image_path(image).read_bytes()).hexdigest() == image.sha256
    text = httpx.get(farm.metrics, timeout=servers.PATIENCE_SECONDS).text
    assert 'farm_images_rendered_total{partition="rotated",style="ink"} 4.0' in text
    assert 'farm_models_total{outcome="done"} 2.0' in text
    assert 'farm_stage_seconds_count{stage="draw"}' in text
    assert "farm_backlog_images 0.0" in httpx.get(f"{farm.api}/metrics", timeout=servers.PATIENCE_SECONDS).text


def test_the_same_request_twice_renders_nothing_twice(farm: Farm, mascots: dict[str, Path]) -> None:
    def images_drawn() -> float:
        lines = httpx.get(farm.metrics, timeout=servers.PATIENCE_SECONDS).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("farm_images_rendered_total{"))

    spec = RenderSpec(seed=2, samples=1, size=48, styles=("flat",))
    model = upload(farm, mascots["momo"])
    (first,) = finish(farm, farm.client.submit([model], spec, None).id)
    drawn = images_drawn()

    (second,) = finish(farm, farm.client.submit([model], spec, None).id)

    assert second.state == "done"
    assert images_drawn() == drawn
    assert farm.client.manifest(second.id) == farm.client.manifest(first.id)


def test_a_model_that_fails_in_blender_does_not_stop_the_others(
    farm: Farm, mascots: dict[str, Path], tmp_path: Path
) -> None:
    # GIVEN a batch with a model that shows no face, which only its pictures can say
    bare = tmp_path / "bare.pmx"
    bare.write_bytes(mascots["momo"].read_bytes())
    models = [upload(farm, bare), upload(farm, mascots["momo"])]

    jobs = finish(farm, farm.client.submit(models, SPEC, None).id)

    assert [job.state for job in jobs] == ["failed", "done"]
    assert jobs[0].error_code == UnusableModelError.code
    assert "of its head are missing" in jobs[0].error


def test_a_cancelled_batch_ends_within_seconds(farm: Farm, mascots: dict[str, Path]) -> None:
    model = upload(farm, mascots["nagi"])
    batch = farm.client.submit([model], RenderSpec(seed=3, samples=5000, size=48), None).id
    servers.wait_until(lambda: farm.client.batch(batch).images_done > 0, "the first image")

    farm.client.cancel(batch)

    (job,) = finish(farm, batch)
    assert job.state == "cancelled"
    # The worker is free again: the next job does not wait for the 40,000 images, longer than this test would.
    (after,) = finish(farm, farm.client.submit([model], RenderSpec(seed=4, samples=1, size=48), None).id)
    assert after.state == "done"


def test_missing_textures_are_a_warning_in_the_result(farm: Farm, mascots: dict[str, Path], tmp_path: Path) -> None:
    bare = tmp_path / "bare.pmx"
    bare.write_bytes(mascots["momo"].read_bytes())

    wanted = SPEC.model_copy(update={"keep_unusable": True})
    (job,) = finish(farm, farm.client.submit([upload(farm, bare)], wanted, None).id)

    assert job.state == "done"
    character: Character = read_character(".pmx", bare.read_bytes())
    for texture in character.textures:
        assert any(f"'{texture}'" in warning for warning in job.warnings)
        assert any(f"'{texture}'" in warning for warning in farm.client.manifest(job.id).warnings)
    assert pmx_bytes(character) == bare.read_bytes()


def test_a_killed_worker_process_costs_one_attempt(
    new_database: Callable[[], str], s3: servers.S3Server, mascots: dict[str, Path], tmp_path: Path
) -> None:
    # GIVEN a farm of its own whose pool process is killed in the middle of a model
    environment = {"FARM_REDIS_URL": new_database(), **s3.environment("killed-worker")}
    with (
        servers.api_server(tmp_path / "api", environment) as api,
        servers.worker_process(tmp_path / "worker", environment) as (worker, _),
    ):
        client = FarmClient(api.url)
        batch = client.submit([upload_with(client, mascots["nagi"])], RenderSpec(seed=5, samples=100, size=48), None).id
        servers.wait_until(lambda: client.batch(batch).images_done > 0, "the first image")
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)

        # WHEN Celery notices, THEN the job is begun again and ends well
        servers.wait_until(lambda: client.batch(batch).ended, "the batch ending")
        (job,) = client.jobs(batch)
        assert job.state == "done", job.error
        assert httpx.get(f"{api.url}/v1/jobs/{job.id}", timeout=servers.PATIENCE_SECONDS).json()["attempt"] == 2
        client.close()


def test_flower_shows_the_worker(farm: Farm, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "farm", "flower", "--port", str(port)]
    flower = spawn(command, tmp_path / "flower.log", farm.environment)
    try:
        servers.wait_until(lambda: worker_in_flower(port), "Flower showing the worker")
    finally:
        servers.end(flower)


def worker_in_flower(port: int) -> bool:
    page = servers.asked(f"http://127.0.0.1:{port}/workers")
    return page is not None and page[0] == 200 and "worker@" in page[1]


def test_the_worker_answers_its_probe_and_drains(farm: Farm) -> None:
    def run(*arguments: str) -> int:
        command = [sys.executable, "-m", "farm", *arguments]
        return subprocess.run(
            command, env={**os.environ, **farm.environment}, timeout=servers.PATIENCE_SECONDS, check=False
        ).returncode

    assert run("probe", "worker") == 0
    assert run("drain", "--timeout", "60") == 0
