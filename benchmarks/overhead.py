"""What the farm costs: a real batch through API, queue and S3, against the same models in a bare loop.

`python -m benchmarks.overhead` renders eight models (the two mascots, each under four titles) by the full rule, turn by turn,
each turn under a seed of its own: (a) the bare loop hands the renderer one model after the other, in one process, with a
local directory as store; (b) the same goes through `POST /v1/batches`, Celery, a worker with one Blender and a real S3
server, from the submission until the event that the batch has ended. Both are warm: their Blender has drawn before.
Both draw, check, encode and pack; the bytes are compared.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from farm.catalog import Catalog
from farm.client import FarmClient, UploadedModel
from farm.drawing.blender import Blender
from farm.drawing.render import Reporter, render
from farm.jobs.states import State
from farm.mascots import write_mascots
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import Package, read_character, read_model
from farm.settings import Settings
from farm.spec import RenderSpec
from farm.storage import LocalStore
from farm.storage.s3 import S3Store
from tests.chaos.farm import results_of
from tests.support.fixtures import assignment_for
from tests.support.servers import api_server, radosgw, redis_server, worker_process

QUIET = Reporter(images=lambda count: None, stage=lambda name, seconds: None, drawn=lambda style, partition: None)
GOAL = 0.05
TITLES = 4


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _loop(packages: list[Package], spec: RenderSpec, store: LocalStore, blender: Blender) -> None:
    for package in packages:
        render(assignment_for(package, spec), store, blender, QUIET)


def _batch(client: FarmClient, models: list[UploadedModel], spec: RenderSpec) -> None:
    batch = client.submit(models, spec)
    for event in client.events(batch.id):  # asking again and again would take the worker's processor
        if event.kind == "batch" and event.data.get("change") == "ended":
            break
    assert client.batch(batch.id).jobs[State.DONE] == len(models)


def _models(folder: Path) -> list[Path]:
    """The mascots, each under several titles: another title, another hash, another model with its own samples."""
    found = []
    for path in write_mascots(folder):
        character = read_character(path.suffix, path.read_bytes())
        for number in range(TITLES):
            found.append(path.with_stem(f"{path.stem}-{number}"))
            found[-1].write_bytes(pmx_bytes(replace(character, name=f"{character.name} {number}")))
    return found


def measure(turns: int, samples: int | None, folder: Path) -> dict[str, object]:
    """Both ways, `turns` times; seconds and what the farm adds."""
    paths = _models(folder / "models")
    packages = [read_model(path) for path in paths]
    with ExitStack() as stack:
        server = stack.enter_context(radosgw(folder / "radosgw"))
        redis = stack.enter_context(redis_server(folder / "valkey"))
        environment = {"FARM_REDIS_URL": redis, **server.environment("overhead"), "FARM_RATE_LIMIT": "0"}
        api = stack.enter_context(api_server(folder / "api", environment))
        stack.enter_context(worker_process(folder / "worker", environment))
        client = stack.enter_context(FarmClient(api.url))
        models = [client.upload(path)[0][0] for path in paths]
        bare = LocalStore(folder / "store")
        for package in packages:
            Catalog(bare).add(package)
        blender = Blender()
        stack.callback(blender.stop)

        def spec(seed: int) -> RenderSpec:
            return RenderSpec(seed=seed) if samples is None else RenderSpec(seed=seed, samples=samples)

        warm = RenderSpec(seed=999, samples=2)
        _loop(packages, warm, bare, blender)
        _batch(client, models, warm)
        loop: list[float] = []
        farm: list[float] = []
        for turn in range(turns):
            ways = [
                lambda turn=turn: loop.append(_timed(lambda: _loop(packages, spec(turn), bare, blender))),
                lambda turn=turn: farm.append(_timed(lambda: _batch(client, models, spec(turn)))),
            ]
            for way in ways if turn % 2 == 0 else reversed(ways):  # whoever comes second has the warmer machine
                way()
            print(f"turn {turn}: bare loop {loop[-1]:.2f} s, farm {farm[-1]:.2f} s", file=sys.stderr, flush=True)
        fields = {name.removeprefix("FARM_").lower(): value for name, value in environment.items()}
        equal = results_of(S3Store("overhead", Settings.model_validate(fields))) == results_of(bare)
    added = [through / alone - 1 for alone, through in zip(loop, farm, strict=True)]
    return {
        "images_a_turn": sum(spec(0).images_of(spec(0).samples_of(package.inventory.samples)) for package in packages),
        "bare_seconds": [round(seconds, 2) for seconds in loop],
        "farm_seconds": [round(seconds, 2) for seconds in farm],
        "overhead": round(statistics.median(added), 4),
        "overhead_of_sums": round(sum(farm) / sum(loop) - 1, 4),
        "goal": GOAL,
        "bytes_equal": equal,
        "cores": os.cpu_count(),
    }


def main() -> int:
    """Measure and print; 1 when the bytes differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--samples", type=int, help="samples a model; without it the paper's rule")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="farm-overhead-") as folder:
        result = measure(options.turns, options.samples, Path(folder))
    print(json.dumps(result, indent=2))
    return 0 if result["bytes_equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
