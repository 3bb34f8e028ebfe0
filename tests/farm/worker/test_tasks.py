"""What a worker finds in the store before it draws."""

import json
from pathlib import Path

import pytest

from farm.dataset.manifest import MANIFEST, result_object
from farm.drawing.blender import Blender
from farm.errors import RenderError
from farm.jobs.states import Job
from farm.storage import LocalStore
from farm.worker.attempt import Rendered
from farm.worker.tasks import BlenderRenderer
from tests.farm.dataset.test_manifest import MANIFEST as RESULT
from tests.support.jobs import new_jobs


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@pytest.fixture
def job() -> Job:
    return new_jobs(1)[0]


def test_a_result_that_stands_is_found_with_its_warnings(store: LocalStore, job: Job) -> None:
    renderer = BlenderRenderer(store, Blender())
    assert renderer.find(job) is None

    whole = RESULT.model_copy(update={"render_key": job.render_key, "warnings": ("odd",)})
    store.put(result_object(job.render_key, MANIFEST), whole.to_bytes())

    assert renderer.find(job) == Rendered(("odd",), RESULT.samples)


def test_a_result_of_an_earlier_version_is_neither_taken_nor_drawn_over(store: LocalStore, job: Job) -> None:
    old = json.dumps(json.loads(RESULT.to_bytes()) | {"format": 2, "annotation": {"mouth/a": "あ"}}).encode()
    key = result_object(job.render_key, MANIFEST)
    store.put(key, old)

    with pytest.raises(RenderError, match=r"ordered before an update of the farm.* Submit the model in a new batch"):
        BlenderRenderer(store, Blender()).find(job)

    assert store.get(key) == old
