"""Commands that wait for a batch, and what they bring home."""

import json
import signal
import time
from pathlib import Path

import pytest
import redis

from farm.dataset.output import read_output
from farm.jobs.states import State, job_id
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.process import spawn
from farm.spec import RenderSpec
from tests.farm.cli.batches.farm import SMALL, Farm
from tests.farm.models import made_files as made
from tests.support import servers


def test_watching_ends_with_the_batch_and_tells_of_failures(farm: Farm, tmp_path: Path) -> None:
    batch = farm.submit().id
    log = tmp_path / "log"
    watching = spawn(farm.command("watch", batch), log, {"FARM_API_URL": farm.api.url})
    time.sleep(2)
    farm.end(job_id(batch, 0), State.DONE)
    farm.end(job_id(batch, 1), State.QUARANTINED)

    assert watching.wait(servers.PATIENCE_SECONDS) == 1
    assert "16 of 32 images are done" in log.read_text()
    assert f"1 job ended without pictures; `farm status {batch}` says why" in log.read_text()


def test_a_withdrawal_is_told_of_done_and_of_cancelled_jobs(farm: Farm, tmp_path: Path) -> None:
    path = tmp_path / "rin.pmx"
    path.write_bytes(pmx_bytes(made.small_character(vertices=11)))
    (rin,), _ = farm.client.upload(path)
    batches = [farm.client.submit([rin, *farm.models[:1]], RenderSpec(samples=2, size=48, seed=n)).id for n in (1, 2)]
    farm.end(job_id(batches[0], 0), State.DONE)

    forgotten = farm.run("forget", rin.id, "--api", farm.api.url, "--who", "Ran", "--why", "the creator asked")

    assert "0 results removed, 1 job cancelled" in forgotten.stdout, forgotten.stderr
    for batch, state in zip(batches, (State.DONE, State.CANCELLED), strict=True):
        told = farm.run("status", batch)
        assert "1  model-withdrawn: Model" in told.stdout, told.stderr
        assert f"({'the creator asked'}), and is kept out" in told.stdout
        assert f"{job_id(batch, 0)}  rin  ({state})" in told.stdout
        assert "`farm retry" not in told.stdout
        lines = farm.run("status", batch, "--json").stdout
        assert json.loads(lines)["errors"] == {"model-withdrawn": 1}
    assert "1 withdrawn" in farm.run("status", COLUMNS="200").stdout
    for batch in batches:
        farm.client.cancel(batch)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_waiting_can_be_interrupted_and_leaves_the_batch_running(
    farm: Farm, mascots: dict[str, Path], tmp_path: Path, how: signal.Signals
) -> None:
    log = tmp_path / "log"
    command = farm.command("submit", mascots["momo"], "--wait", *SMALL)
    waiting = spawn(command, log, {"FARM_API_URL": farm.api.url})
    servers.wait_until(lambda: log.read_text().startswith("batch "), "the submission")
    batch = log.read_text().split()[1]

    waiting.send_signal(how)

    assert waiting.wait(servers.PATIENCE_SECONDS) == 130
    assert f"`farm watch {batch}`" in log.read_text()
    assert f"`farm cancel {batch}`" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert not farm.client.batch(batch).ended


def test_a_batch_without_results_yet_says_so(farm: Farm, tmp_path: Path) -> None:
    done = farm.run("fetch", farm.submit().id, "--out", tmp_path / "out")

    assert done.returncode == 0
    assert "No job of batch" in done.stderr


@pytest.mark.blender
def test_results_come_the_same_while_waiting_later_and_piece_by_piece(
    farm: Farm, mascots: dict[str, Path], tmp_path: Path
) -> None:
    for active in list(farm.client.batches("active")):
        farm.client.cancel(active.id)
    folder = mascots["momo"].parent.parent
    with servers.worker_process(tmp_path, farm.api.environment):
        # GIVEN a batch that was waited for
        one = farm.run("submit", folder, "--out", tmp_path / "one", *SMALL)
        assert one.returncode == 0, one.stderr
        batch = one.stdout.split()[1]

        # WHEN its results are fetched elsewhere, spoilt, and fetched again
        assert "2 models fetched, 0 were there" in farm.run("fetch", batch, "--out", tmp_path / "two").stdout
        next(read_output(tmp_path / "two")[0].folder.glob("flat/*/*.png")).unlink()
        again = farm.run("fetch", batch[:8], "--out", tmp_path / "two")

        # THEN only what is missing came, and both folders are the same to the byte
        assert "1 model fetched, 1 was there" in again.stdout, again.stderr
        assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
        assert "contact sheet" in one.stdout

        # AND so it is where sizes are right and bytes are not, in pictures and in what no manifest hashes
        for spoilt, byte in (("flat/rotated/*.png", -20), ("contact-sheet.png", -20), ("manifest.json", -200)):
            (path,) = read_output(tmp_path / "two")[0].folder.glob(spoilt)
            data = bytearray(path.read_bytes())
            data[byte] = ord("7") if data[byte] != ord("7") else ord("8")
            path.write_bytes(data)
            again = farm.run("fetch", batch, "--out", tmp_path / "two")
            assert "1 model fetched, 1 was there" in again.stdout, (spoilt, again.stderr)
            assert files_of(tmp_path / "one") == files_of(tmp_path / "two")

        # AND a data set made of the batch is the one that is made of the folder
        for what, out in ((batch, "of the batch"), (str(tmp_path / "one"), "of the folder")):
            made = farm.run("export", what, "--format", "webdataset", "--out", tmp_path / out)
            assert made.returncode == 0, made.stderr
        assert files_of(tmp_path / "of the batch") == files_of(tmp_path / "of the folder")
        assert farm.run("export", "0" * 16, "--out", tmp_path / "nothing").returncode == 1

        # AND a preview has the first pictures of a full run, and waiting without a folder says what was done
        preview = farm.run("preview", mascots["momo"], "--out", tmp_path / "three", *SMALL)
        assert preview.returncode == 0, preview.stderr
        (model,) = read_output(tmp_path / "three")
        whole = next(m for m in read_output(tmp_path / "one") if m.manifest.model.id == model.manifest.model.id)
        assert [image.sha256 for image in model.manifest.images] == [image.sha256 for image in whole.manifest.images]
        waited = farm.run("submit", folder, "--wait", *SMALL)
        assert "4 images of 2 models are done" in waited.stdout, waited.stderr


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_lost_redis_is_made_again_and_damaged_orders_are_named(farm: Farm) -> None:
    batch = farm.submit("kept").id
    before = {found.id for found in farm.client.batches()}
    with redis.Redis.from_url(farm.api.environment["FARM_REDIS_URL"]) as server:
        server.flushdb()

    first = farm.run("reconcile")

    assert first.returncode == 0, first.stderr
    assert f"0 batches known, {len(before)} rebuilt" in first.stdout
    assert {found.id for found in farm.client.batches()} == before
    assert farm.client.batch(batch).name == "kept"
    store = Path(farm.api.environment["FARM_STORAGE_URL"].removeprefix("file://"))
    (store / "batches" / "00000000000000ff").mkdir()
    (store / "batches" / "00000000000000ff" / "order.json").write_text("{")
    second = farm.run("reconcile")
    assert second.returncode == 1
    assert "00000000000000ff/order.json cannot be read" in second.stderr
    assert f"{len(before)} batches known, 0 rebuilt (0 jobs done, 0 queued), 1 damaged" in second.stdout
