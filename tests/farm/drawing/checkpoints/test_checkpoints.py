"""An interrupted job goes on where it stopped, and its bytes are those of an undisturbed run."""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from farm.dataset.manifest import MANIFEST, result_object
from farm.drawing import checkpoints
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender
from farm.drawing.render import Reporter, render
from farm.errors import BlenderDiedError
from farm.models.package import Package
from farm.spec import RenderSpec
from farm.storage import LocalStore
from tests.farm.drawing.checkpoints.interrupted import (
    PLAIN,
    SPECS,
    Diary,
    break_off,
    checkpoint_spans,
    store_with,
)
from tests.support.fixtures import assignment_for
from tests.support.results import results_in
from tests.support.servers import wait_until

pytestmark = pytest.mark.blender


@pytest.mark.parametrize("name", SPECS)
def test_an_interrupted_job_goes_on_where_it_stopped_and_its_bytes_are_the_same(
    name: str,
    blender: Blender,
    momo: Package,
    tmp_path: Path,
    undisturbed: Callable[[str], dict[str, str]],
) -> None:
    # GIVEN a job that is interrupted twice
    spec = SPECS[name]
    store, assignment = store_with(tmp_path, momo), assignment_for(momo, spec)
    styles = len(spec.styles)
    first = break_off(assignment, store, blender, after=3 * styles)
    second = break_off(assignment, store, blender, after=2 * styles)
    assert checkpoint_spans(store, assignment) == [(0, 3), (4, 5)]
    assert second.counts[0] == first.counts[-1] == 3 * styles

    # WHEN another Blender takes it up
    other, last = Blender(), Diary()
    try:
        warnings = render(assignment, store, other, last.reporter).warnings
    finally:
        other.stop()

    # THEN it draws the rest alone, counts on, and the result is that of a quiet run; the checkpoints are gone
    assert (first.drawn, second.drawn) == (3 * styles, 2 * styles)
    assert last.drawn == assignment.images_total - 5 * styles
    assert last.counts == [n * styles for n in range(5, assignment.images_total // styles + 1)]
    assert results_in(tmp_path) == undisturbed(name)
    assert isinstance(warnings, tuple)


def test_a_job_of_which_all_is_drawn_needs_no_blender(
    blender: Blender, momo: Package, tmp_path: Path, undisturbed: Callable[[str], dict[str, str]]
) -> None:
    store, assignment = store_with(tmp_path, momo), assignment_for(momo, PLAIN)
    break_off(assignment, store, blender, after=assignment.images_total)
    unused, diary = Blender(), Diary()

    render(assignment, store, unused, diary.reporter)

    assert unused._process is None
    assert (diary.drawn, diary.counts) == (0, [assignment.images_total])
    assert set(diary.stages) == {"upload"}
    assert results_in(tmp_path) == undisturbed("plain")


def test_a_quiet_job_stores_no_checkpoint(blender: Blender, momo: Package, tmp_path: Path) -> None:
    store, assignment = store_with(tmp_path, momo), assignment_for(momo, PLAIN)
    seen: list[bool] = []

    def look(count: int) -> None:
        seen.append((tmp_path / checkpoints.folder(assignment.render_key)).exists())

    render(assignment, store, blender, Reporter(look, Diary().reporter.stage, Diary().reporter.drawn))

    assert len(seen) == 8
    assert not any(seen)


LARGE = RenderSpec(seed=42, samples=12, size=160)
"""Eight shots may wait for their encoding, and the pipe holds two and a half of these: when three are stored, Blender has not
drawn all 24."""


def test_a_blender_that_is_killed_costs_none_of_what_it_drew(
    blender: Blender, fresh_blender: Blender, momo: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet, store = store_with(tmp_path / "quiet", momo), store_with(tmp_path / "store", momo)
    assignment = assignment_for(momo, LARGE)
    render(assignment, quiet, blender, Diary().reporter)

    # GIVEN checkpoints that are stored all the time, and a Blender that is killed after them
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0.0)

    def kill() -> None:
        assert fresh_blender._process is not None
        os.kill(fresh_blender._process.pid, signal.SIGKILL)

    killed, rest = Diary(12, kill), Diary()
    with pytest.raises(BlenderDiedError, match="SIGKILL"):
        render(assignment, store, fresh_blender, killed.reporter)
    spans = checkpoint_spans(store, assignment)
    assert spans[0][0] == 0
    assert spans[-1][1] >= 3
    assert all(before[1] + 1 == after[0] for before, after in pairwise(spans))

    render(assignment, store, fresh_blender, rest.reporter)

    assert killed.drawn + rest.drawn == assignment.images_total
    assert results_in(tmp_path / "store") == results_in(tmp_path / "quiet")


LONG = RenderSpec(seed=8, samples=100, size=48, styles=("flat", "ink"))


def _render_with_many_checkpoints(folder: Path, assignment: Assignment) -> None:
    """The whole life of a process that is going to be killed."""
    checkpoints.CHECKPOINT_SECONDS = 0.1
    blender = Blender()
    render(assignment, LocalStore(folder), blender, Diary().reporter)
    blender.stop()


def test_a_worker_that_is_killed_costs_what_it_drew_since_the_last_checkpoint(
    blender: Blender, momo: Package, tmp_path: Path
) -> None:
    store, quiet = store_with(tmp_path / "store", momo), store_with(tmp_path / "quiet", momo)
    assignment = assignment_for(momo, LONG)
    render(assignment, quiet, blender, Diary().reporter)

    # GIVEN a worker that is killed without a word when its second checkpoint stands
    worker = multiprocessing.get_context("spawn").Process(
        target=_render_with_many_checkpoints, args=(tmp_path / "store", assignment)
    )
    worker.start()
    wait_until(lambda: len(checkpoint_spans(store, assignment)) >= 2 or worker.exitcode is not None, "two checkpoints")
    worker.kill()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    stored = checkpoint_spans(store, assignment)[-1][1]  # shot 0 is the basis image, so as many others are stored

    # WHEN the next one takes the job, THEN it draws the rest alone
    rest = Diary()
    render(assignment, store, blender, rest.reporter)
    assert rest.drawn == assignment.images_total - stored * 2
    assert results_in(tmp_path / "store") == results_in(tmp_path / "quiet")


def test_checkpoints_count_up_to_the_first_gap_and_may_overlap(
    blender: Blender, momo: Package, tmp_path: Path, undisturbed: Callable[[str], dict[str, str]]
) -> None:
    # GIVEN the checkpoints of two workers on one job, who did not know of each other
    store, assignment = store_with(tmp_path, momo), assignment_for(momo, PLAIN)
    break_off(assignment, store, blender, after=4)
    break_off(assignment, store, blender, after=8)
    one = {key: store.get(key) for key in store.list(checkpoints.folder(assignment.render_key))}
    checkpoints.discard(store, assignment.render_key)
    break_off(assignment, store, blender, after=8)
    for key, data in one.items():
        store.put(key, data)
    assert checkpoint_spans(store, assignment) == [(0, 1), (0, 2), (2, 3)]

    # WHEN the job goes on, THEN what is there without a gap is not drawn again
    last = Diary()
    render(assignment, store, blender, last.reporter)
    assert last.drawn == assignment.images_total - 3 * 4
    assert results_in(tmp_path) == undisturbed("plain")

    # AND behind a gap it is
    store.delete(result_object(assignment.render_key, MANIFEST))
    for key, data in one.items():
        if "/00002-" in key:
            store.put(key, data)
    again = Diary()
    render(assignment, store, blender, again.reporter)
    assert again.drawn == assignment.images_total
    assert results_in(tmp_path) == undisturbed("plain")


def test_a_store_that_takes_no_part_does_not_hide_why_the_work_stops(
    blender: Blender, momo: Package, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, assignment = store_with(tmp_path, momo), assignment_for(momo, PLAIN)
    blocked = tmp_path / checkpoints.folder(assignment.render_key).rstrip("/")
    blocked.parent.mkdir(parents=True)
    blocked.write_text("no folder")

    with caplog.at_level(logging.WARNING):
        break_off(assignment, store, blender, after=8)

    assert "is not stored, and would be drawn again" in caplog.text


def test_of_two_attempts_that_end_the_first_manifest_stays(
    blender: Blender, momo: Package, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # GIVEN an attempt during whose drawing another one stored the result
    store, assignment = store_with(tmp_path, momo), assignment_for(momo, PLAIN)
    render(assignment, store, blender, Diary().reporter)
    path = tmp_path / result_object(assignment.render_key, MANIFEST)
    first, inode = results_in(tmp_path), path.stat().st_ino

    with caplog.at_level(logging.INFO):
        render(assignment, store, blender, Diary().reporter)

    assert "another attempt stored the same result before" in caplog.text
    assert (results_in(tmp_path), path.stat().st_ino) == (first, inode)
