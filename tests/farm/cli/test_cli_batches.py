"""The commands for batches, jobs and workers as a user types them, against a real API; few of them need a Blender."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from farm.client import BatchView, FarmClient, UploadedModel
from farm.dataset.output import read_output
from farm.jobs.connection import Connection
from farm.jobs.states import State, cancel, claim, fail, finish, job_id, lose
from farm.jobs.store import JobStore
from farm.jobs.workers import Workers
from farm.keys import Role, entry_for, new_key
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import upload_form
from farm.process import spawn
from farm.spec import RenderSpec
from tests.farm.models import made_files as made
from tests.support import servers

SMALL = ["--samples", "1", "--size", "48", "--style", "flat"]


@dataclass
class Farm:
    api: servers.Api
    client: FarmClient
    jobs: JobStore
    models: list[UploadedModel]

    def submit(self, name: str = "") -> BatchView:
        return self.client.submit(self.models, RenderSpec(samples=2, size=48), name=name)

    def run(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=3 * servers.PATIENCE_SECONDS,
            env={**os.environ, **self.api.environment, "FARM_API_URL": self.api.url, **environment},
        )

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "farm", *map(str, arguments)]

    def end(self, job: str, state: State) -> None:
        """Do the work of a worker, whatever becomes of it."""

        def begin() -> None:
            self.jobs.change(job, lambda j: claim(j, "worker@test"))

        if state is State.CANCELLED:
            self.jobs.change(job, cancel)
        elif state is State.DONE:
            begin()
            self.jobs.change(job, lambda j: finish(j, j.attempt))
        elif state is State.FAILED:
            begin()
            self.jobs.change(job, lambda j: fail(j, j.attempt, "model-unusable", "It shows [no] face."))
        else:
            for _ in range(3):
                begin()
                self.jobs.change(
                    job, lambda j: lose(j, j.attempt, "blender-died", "Blender ended with signal 11.", 1e9)
                )


@pytest.fixture(scope="module")
def farm(
    new_database: Callable[[], str], mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Farm]:
    folder = tmp_path_factory.mktemp("cli-batches")
    url = new_database()
    environment = {"FARM_REDIS_URL": url, "FARM_STORAGE_URL": f"file://{folder / 'store'}"}
    with servers.api_server(folder, environment) as api, FarmClient(api.url) as client:
        models = [client.upload(path)[0][0] for path in mascots.values()]
        yield Farm(api, client, JobStore(Connection(url)), models)


def test_a_submission_names_the_batch_and_what_to_type_next(farm: Farm, mascots: dict[str, Path]) -> None:
    arguments: list[str | Path] = [
        "submit",
        mascots["momo"],
        "--name",
        "夏",
        "--priority",
        "3",
        "--idempotency-key",
        "k1",
        *SMALL,
    ]
    first = farm.run(*arguments, "--paused")
    again = farm.run(*arguments, "--paused")

    assert first.returncode == again.returncode == 0, first.stderr
    batch = first.stdout.split()[1].rstrip(":")
    assert f"next: farm watch {batch}" in first.stdout
    found = farm.client.batch(batch)
    assert (found.name, found.priority, found.paused, found.spec.samples) == ("夏", 3, True, 1)
    assert batch in again.stdout
    assert "submitted under this key before" in again.stderr


def test_of_the_zips_in_a_folder_those_with_models_are_submitted(
    farm: Farm, mascots: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "momo.zip").write_bytes(upload_form(mascots["momo"])[1])
    with zipfile.ZipFile(tmp_path / "dance.zip", "w") as archive:
        archive.writestr("dance.vmd", b"motion")

    done = farm.run("submit", tmp_path, "--paused", *SMALL)

    assert done.returncode == 0, done.stderr
    assert "1 model," in done.stdout
    assert "dance.zip holds no model" in done.stderr


def test_status_is_a_table_or_json_lines(farm: Farm) -> None:
    batch = farm.submit("[bold]evil\x1b[2J").id

    table, lines = farm.run("status"), farm.run("status", "--json", "--limit", "1")

    assert table.returncode == 0, table.stderr
    (row,) = [line for line in table.stdout.splitlines() if batch in line]
    assert "[bold]evil" in row
    assert "\x1b" not in row
    assert "queued" in row
    assert "0/32" in row
    assert json.loads(lines.stdout)["id"] == batch


def test_status_of_a_batch_says_what_went_wrong_and_what_is_not_done(farm: Farm) -> None:
    batch = farm.submit("half").id
    farm.end(job_id(batch, 0), State.FAILED)

    done = farm.run("status", batch[:7])
    as_json = json.loads(farm.run("status", batch, "--json").stdout)

    assert done.returncode == 0, done.stderr
    assert f"{batch}  half" in done.stdout
    assert "model-unusable: It shows [no] face." in done.stdout
    assert f"{batch}-1  queued" in done.stdout
    assert as_json["errors"] == {"model-unusable": 1}
    assert [job["id"] for job in as_json["failed_jobs"]] == [f"{batch}-0"]


def test_a_batch_is_paused_resumed_moved_forward_cancelled_and_retried(farm: Farm) -> None:
    batch = farm.submit().id

    assert "(paused)" in farm.run("pause", batch).stdout
    assert farm.client.batch(batch).paused
    assert "(paused)" not in farm.run("resume", batch[:9]).stdout
    assert "priority -4" in farm.run("priority", batch, "-4").stdout
    assert farm.client.batch(batch).priority == -4
    assert "2 cancelled" in farm.run("cancel", batch).stdout
    assert "0 jobs are tried again" in farm.run("retry", batch).stdout
    assert "2 jobs are tried again" in farm.run("retry", batch, "--cancelled").stdout


def test_a_job_shows_its_attempts_and_blenders_last_words_and_is_retried(farm: Farm) -> None:
    job = job_id(farm.submit().id, 1)
    farm.end(job, State.QUARANTINED)
    farm.jobs.keep_log(job, "Writing: [red]/tmp/crash.txt\x1b[2J\nSegmentation fault\n")

    told = farm.run("logs", job)
    retried = farm.run("retry", job)
    again = farm.run("retry", job)

    assert "quarantined" in told.stdout
    assert told.stdout.count("blender-died") == 4
    assert "[red]/tmp/crash.txt" in told.stdout
    assert "\x1b" not in told.stdout
    assert "Segmentation fault" in told.stdout
    assert f"job {job} is queued" in retried.stdout
    assert again.returncode == 1
    assert "only failed, quarantined or cancelled ones are retried" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["status", "zzz"], "None of the newest 100 batches has an id that begins with 'zzz'"),
        (["watch", "0123456789abcdef"], "There is no batch"),
        (["logs", "momo"], "'momo' is no job"),
        (["submit", "{momo}", "--webhook", "http://127.0.0.1/"], "--webhook and --webhook-secret-file go together"),
        (["status", "--api", "nonsense"], "is no address of an API"),
        (["drain", "--undo"], "needs the NAME of a worker"),
        (["drain", "worker@nowhere"], "There is no worker 'worker@nowhere'"),
        (["models", "--delete", "f" * 64], "There is no model"),
    ],
)
def test_a_mistake_gets_a_sentence(farm: Farm, mascots: dict[str, Path], arguments: list[str], words: str) -> None:
    done = farm.run(*(argument.format(momo=mascots["momo"]) for argument in arguments))

    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_beginning_of_several_ids_is_not_enough(farm: Farm) -> None:
    while len({batch.id[0] for batch in farm.client.batches()}) == len(list(farm.client.batches())):
        farm.submit()
    first = sorted(batch.id[0] for batch in farm.client.batches())
    twice = next(letter for letter in first if first.count(letter) > 1)

    done = farm.run("status", twice)

    assert done.returncode == 1
    assert "is the beginning of several ids" in done.stderr


def test_a_key_is_taken_from_the_environment_and_its_role_counts(farm: Farm, tmp_path: Path) -> None:
    key = new_key()
    environment = {**farm.api.environment, "FARM_API_KEYS": entry_for("reader", [Role.READ], key)}
    batch = farm.submit().id
    with servers.api_server(tmp_path, environment) as api:
        without = farm.run("status", "--api", api.url)
        with_key = farm.run("status", "--api", api.url, FARM_API_KEY=key)
        too_little = farm.run("cancel", batch, "--api", api.url, FARM_API_KEY=key)

    assert (without.returncode, with_key.returncode, too_little.returncode) == (1, 0, 1)
    assert "unauthorized" in without.stderr
    assert "needs the role submit" in too_little.stderr


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


def test_workers_are_listed_drained_and_given_work_again(farm: Farm) -> None:
    Workers(Connection(farm.api.environment["FARM_REDIS_URL"])).register("worker@tired", 2)

    drained = farm.run("drain", "worker@tired")
    listed = farm.run("workers")
    undone = farm.run("drain", "worker@tired", "--undo")

    assert "gets no more jobs" in drained.stdout, drained.stderr
    (row,) = [line for line in listed.stdout.splitlines() if "worker@tired" in line]
    assert "drained: An operator drained it." in row
    assert "gets jobs again" in undone.stdout
    assert farm.client.workers()[0].drained == ""


def test_models_are_listed(farm: Farm) -> None:
    assert set(farm.run("models").stdout.split()) == {model.id for model in farm.models}


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


def test_help_is_sorted_by_who_needs_it(farm: Farm) -> None:
    done = farm.run("--help")

    assert done.returncode == 0
    for group in ("For researchers", "For annotators:", "For operators:", "For containers:"):
        assert group in done.stdout
    for command in ("submit", "status", "watch", "fetch", "reconcile", "keys", "stress", "drain", "probe"):
        assert f"\n  {command} " in done.stdout
