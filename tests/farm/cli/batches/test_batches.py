"""Commands that submit, show and steer batches, jobs and workers."""

import json
import zipfile
from pathlib import Path

import pytest

from farm.jobs.connection import Connection
from farm.jobs.states import State, job_id
from farm.jobs.workers import Workers
from farm.keys import Role, entry_for, new_key
from farm.models.package import upload_form
from tests.farm.cli.batches.farm import SMALL, Farm
from tests.support import servers


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

    table, lines = farm.run_from_nothing("status"), farm.run("status", "--json", "--limit", "1")

    assert table.returncode == 0, table.stderr
    (row,) = [line for line in table.stdout.splitlines() if batch in line]
    assert "[bold]evil" in row
    assert "\x1b" not in row
    assert "queued" in row
    assert "0/32" in row
    assert json.loads(lines.stdout)["id"] == batch


def test_a_batchs_name_commands_no_terminal(farm: Farm) -> None:
    evil = "e\x1b[2J\u202egnp\u200b\x9b31m\u2028[red]x[/red][/]"
    batch = farm.submit(evil).id
    for arguments in (
        ["status"], ["status", "--json"], ["status", batch], ["status", batch, "--json"], ["logs", f"{batch}-0"],
        ["pause", batch], ["status", evil], ["priority", batch, "3"], ["workers"], ["models"], ["cancel", batch],
    ):  # fmt: skip
        done = farm.run(*arguments)
        assert "Traceback" not in done.stderr
        assert not [letter for letter in done.stdout + done.stderr if not letter.isprintable() and letter != "\n"]
    assert json.loads(farm.run("status", batch, "--json").stdout)["name"] == evil


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
    retried = farm.run_from_nothing("retry", job)
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


def test_workers_are_listed_drained_and_given_work_again(farm: Farm) -> None:
    Workers(Connection(farm.api.environment["FARM_REDIS_URL"])).register("worker@tired", 2)

    drained = farm.run("drain", "worker@tired")
    listed = farm.run_from_nothing("workers")
    undone = farm.run("drain", "worker@tired", "--undo")

    assert "gets no more jobs" in drained.stdout, drained.stderr
    (row,) = [line for line in listed.stdout.splitlines() if "worker@tired" in line]
    assert "drained: An operator drained it." in row
    assert "gets jobs again" in undone.stdout
    assert farm.client.workers()[0].drained == ""


def test_models_are_uploaded_to_be_annotated_and_nothing_is_rendered(
    farm: Farm, mascots: dict[str, Path], tmp_path: Path
) -> None:
    # GIVEN models of which one is none
    (tmp_path / "none.pmx").write_bytes(b"PMX ")
    before = [batch.id for batch in farm.client.batches()]
    folder = mascots["nagi"].parent.parent

    # WHEN they are uploaded as a collection
    done = farm.run_from_nothing("upload", str(folder), str(tmp_path), "--collection", "spring")

    # THEN it is there, its address is told, the bad one is named, and there is no batch
    assert done.returncode == 1
    assert f"2 models uploaded, collection spring: {farm.client.url}/annotate/spring/" in done.stdout
    assert "none.pmx" in done.stderr
    assert farm.client.annotations.collection("spring").models == 2
    assert [batch.id for batch in farm.client.batches()] == before

    assert f"make a collection of them at {farm.client.url}/annotate" in farm.run("upload", str(folder)).stdout


def test_models_are_listed(farm: Farm) -> None:
    assert set(farm.run("models").stdout.split()) == {model.id for model in farm.models}


def test_help_is_sorted_by_who_needs_it(farm: Farm) -> None:
    done = farm.run_from_nothing("--help")

    assert done.returncode == 0
    for group in ("For researchers", "For annotators:", "For operators:", "For containers:"):
        assert group in done.stdout
    for command in ("submit", "status", "watch", "fetch", "reconcile", "keys", "stress", "drain", "probe"):
        assert f"\n  {command} " in done.stdout
