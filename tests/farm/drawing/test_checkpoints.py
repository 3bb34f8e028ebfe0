"""Jobs that break off and go on, with real Blender: nothing is drawn twice, and the bytes are those of a quiet run."""

import hashlib
import io
import logging
import multiprocessing
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from farm.backgrounds import normalise
from farm.catalog import Catalog
from farm.dataset.manifest import MANIFEST, result_object
from farm.drawing import checkpoints
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender
from farm.drawing.render import Interrupted, Reporter, render
from farm.errors import BlenderDiedError
from farm.labels import LabelName
from farm.models.package import Package
from farm.spec import RENDERER_VERSION, CameraSpec, RenderSpec
from farm.storage import LocalStore
from tests.support.fixtures import assignment_for, read_mascot
from tests.support.servers import wait_until

pytestmark = pytest.mark.blender
PLAIN = RenderSpec(seed=42, samples=4, size=48)
NOISE = [np.random.default_rng(seed).integers(0, 256, (60, 90, 3), np.uint8) for seed in range(3)]


def background(pixels: np.ndarray) -> bytes:
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "PNG")
        return file.getvalue()


BACKGROUNDS = [normalise(background(pixels), "noise.png") for pixels in NOISE]
SPECS = {
    "plain": PLAIN,
    "labels": RenderSpec(seed=3, samples=3, size=64, styles=("flat", "ink"), labels=tuple(LabelName)),
    "labels over backgrounds, several views": RenderSpec(
        seed=5,
        samples=2,
        size=48,
        styles=("default", "ink"),
        labels=(LabelName.PARTS, LabelName.LANDMARKS),
        camera=CameraSpec(views=2, yaw=(-50, 50), elevation=(-10, 10)),
        backgrounds=tuple(kept.id for kept in BACKGROUNDS),
    ),
}


class Diary:
    """What a render reported; stops it when it has drawn so many images itself."""

    def __init__(self, stop_after: int | None = None, stop: Callable[[], None] | None = None) -> None:
        self.counts: list[int] = []
        self.stages: Counter[str] = Counter()
        self.drawn = 0
        self._stop_after, self._stop = stop_after, stop or self._interrupt

    @staticmethod
    def _interrupt() -> None:
        raise Interrupted("The worker was told to stop.", "worker-stopped")

    def _images(self, count: int) -> None:
        self.counts.append(count)
        if self._stop_after is not None and self.drawn >= self._stop_after:
            self._stop()

    def _stage(self, name: str, seconds: float) -> None:
        self.stages[name] += 1

    def _drawn(self, style: str, partition: str) -> None:
        self.drawn += 1

    @property
    def reporter(self) -> Reporter:
        return Reporter(images=self._images, stage=self._stage, drawn=self._drawn)


@pytest.fixture(scope="module")
def momo(mascots: dict[str, Path]) -> Package:
    return read_mascot(mascots, "momo")


def store_with(folder: Path, package: Package) -> LocalStore:
    store = LocalStore(folder)
    catalog = Catalog(store)
    catalog.add(package)
    for kept in BACKGROUNDS:
        catalog.add_background(kept)
    return store


def results(folder: Path) -> dict[str, str]:
    """Every object under renders/ with the hash of its bytes."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "renders").rglob("*"))
        if path.is_file()
    }


def checkpoint_spans(store: LocalStore, assignment: Assignment) -> list[tuple[int, int]]:
    """First and last shot of every checkpoint, by their names."""
    names = [Path(key).name for key in store.list(checkpoints.folder(assignment.render_key))]
    return sorted((int(first), int(last)) for first, last, _ in (re.split("[-.]", name, maxsplit=2) for name in names))


def break_off(assignment: Assignment, store: LocalStore, blender: Blender, after: int) -> Diary:
    """Render until `after` images are drawn, then interrupt."""
    diary = Diary(after)
    with pytest.raises(Interrupted):
        render(assignment, store, blender, diary.reporter)
    assert not store.exists(result_object(assignment.render_key, MANIFEST))
    return diary


@pytest.fixture(scope="module")
def undisturbed(
    blender: Blender, momo: Package, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], dict[str, str]]:
    """The objects that a quiet run of a spec of SPECS stores."""
    known: dict[str, dict[str, str]] = {}

    def of(name: str) -> dict[str, str]:
        if name not in known:
            folder = tmp_path_factory.mktemp("undisturbed")
            render(assignment_for(momo, SPECS[name]), store_with(folder, momo), blender, Diary().reporter)
            known[name] = results(folder)
        return known[name]

    return of


@pytest.fixture
def broken_off(begun: Path, tmp_path: Path) -> LocalStore:
    """A store in which a job of PLAIN has one checkpoint, of the first three shots."""
    shutil.copytree(begun, tmp_path / "begun")
    return LocalStore(tmp_path / "begun")


@pytest.fixture(scope="module")
def begun(blender: Blender, momo: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("begun")
    break_off(assignment_for(momo, PLAIN), store_with(folder, momo), blender, after=8)
    return folder


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
    assert results(tmp_path) == undisturbed(name)
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
    assert results(tmp_path) == undisturbed("plain")


def test_a_quiet_job_stores_no_checkpoint(blender: Blender, momo: Package, tmp_path: Path) -> None:
    store, assignment = store_with(tmp_path, momo), assignment_for(momo, PLAIN)
    seen: list[bool] = []

    def look(count: int) -> None:
        seen.append((tmp_path / checkpoints.folder(assignment.render_key)).exists())

    render(assignment, store, blender, Reporter(look, Diary().reporter.stage, Diary().reporter.drawn))

    assert len(seen) == 8
    assert not any(seen)


def test_a_blender_that_is_killed_costs_none_of_what_it_drew(
    momo: Package, tmp_path: Path, undisturbed: Callable[[str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN checkpoints that are stored all the time, and a Blender that is killed after them
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0.0)
    store, assignment, victim = store_with(tmp_path, momo), assignment_for(momo, PLAIN), Blender()

    def kill() -> None:
        assert victim._process is not None
        os.kill(victim._process.pid, signal.SIGKILL)

    killed, rest = Diary(12, kill), Diary()
    with pytest.raises(BlenderDiedError, match="SIGKILL"):
        render(assignment, store, victim, killed.reporter)
    spans = checkpoint_spans(store, assignment)
    assert spans[0][0] == 0
    assert spans[-1][1] >= 3
    assert all(before[1] + 1 == after[0] for before, after in pairwise(spans))

    render(assignment, store, victim, rest.reporter)
    victim.stop()

    assert killed.drawn + rest.drawn == assignment.images_total
    assert results(tmp_path) == undisturbed("plain")


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
    assert results(tmp_path / "store") == results(tmp_path / "quiet")


def _flip(store: LocalStore, key: str) -> None:
    data = bytearray(store.get(key))
    data[len(data) // 2] ^= 1
    store.put(key, bytes(data))


def _cut(store: LocalStore, key: str) -> None:
    store.put(key, store.get(key)[:-3000])


def _claim_more(store: LocalStore, key: str) -> None:
    store.put(key.replace("-00002-", "-00004-"), store.get(key))
    store.delete(key)


def _bring_rubbish(store: LocalStore, key: str) -> None:
    data = os.urandom(5000)
    store.put(re.sub("[0-9a-f]{64}[.]tar", hashlib.sha256(data).hexdigest() + ".tar", key), data)
    store.delete(key)


def _bring_too_much(store: LocalStore, key: str) -> None:
    data = bytes(3 * 48 * 48 * (16 + 32) + 1)
    store.put(re.sub("[0-9a-f]{64}[.]tar", hashlib.sha256(data).hexdigest() + ".tar", key), data)
    store.delete(key)


def _date_back(store: LocalStore, key: str) -> None:
    """As a worker of the renderer before this one would have stored it."""
    now, then = (f'"renderer":{version}'.encode() for version in (RENDERER_VERSION, RENDERER_VERSION - 1))
    data = store.get(key)
    assert data.count(now) == 1
    data = data.replace(now, then)
    store.put(re.sub("[0-9a-f]{64}[.]tar", hashlib.sha256(data).hexdigest() + ".tar", key), data)
    store.delete(key)


def _rename(store: LocalStore, key: str) -> None:
    store.put(str(Path(key).with_name("first.tar")), store.get(key))
    store.delete(key)


@pytest.mark.parametrize("spoil", [_flip, _cut, _claim_more, _bring_rubbish, _bring_too_much, _date_back, _rename])
def test_a_part_that_is_not_what_its_name_says_is_drawn_again(
    spoil: Callable[[LocalStore, str], None],
    broken_off: LocalStore,
    blender: Blender,
    momo: Package,
    tmp_path: Path,
    undisturbed: Callable[[str], dict[str, str]],
) -> None:
    assignment, diary = assignment_for(momo, PLAIN), Diary()
    (key,) = broken_off.list(checkpoints.folder(assignment.render_key))
    spoil(broken_off, key)

    render(assignment, broken_off, blender, diary.reporter)

    assert diary.drawn == assignment.images_total
    assert results(tmp_path / "begun") == undisturbed("plain")


def test_a_part_of_another_render_is_left_aside(broken_off: LocalStore, blender: Blender, momo: Package) -> None:
    # GIVEN a whole checkpoint of the same model with another seed
    other = PLAIN.model_copy(update={"seed": 43})
    assignment, diary = assignment_for(momo, other), Diary()
    (key,) = broken_off.list(checkpoints.folder(assignment_for(momo, PLAIN).render_key))
    broken_off.put(checkpoints.folder(assignment.render_key) + Path(key).name, broken_off.get(key))

    render(assignment, broken_off, blender, diary.reporter)

    assert diary.drawn == assignment.images_total


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
    assert results(tmp_path) == undisturbed("plain")

    # AND behind a gap it is
    store.delete(result_object(assignment.render_key, MANIFEST))
    for key, data in one.items():
        if "/00002-" in key:
            store.put(key, data)
    again = Diary()
    render(assignment, store, blender, again.reporter)
    assert again.drawn == assignment.images_total
    assert results(tmp_path) == undisturbed("plain")


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
    first, inode = results(tmp_path), path.stat().st_ino

    with caplog.at_level(logging.INFO):
        render(assignment, store, blender, Diary().reporter)

    assert "another attempt stored the same result before" in caplog.text
    assert (results(tmp_path), path.stat().st_ino) == (first, inode)
