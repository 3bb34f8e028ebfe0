"""Commands for the researcher with a farm that is up: hand it batches, change one's mind, bring the results home."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click
from rich.progress import track

from farm.cli.console import note, say, stderr
from farm.cli.ending import stopped_by_sigterm
from farm.cli.following import Downloads, bad_line, follow, report
from farm.cli.options import PATHS, SpecOptions, models_at, spec_options
from farm.cli.remote import batch_id, is_job, job_id, remote
from farm.cli.uploading import upload, with_backgrounds
from farm.cli.wishes import MAPPING, wish
from farm.client import BatchView, FarmClient, Webhook
from farm.dataset.lock import locked
from farm.errors import ServiceError, SpecError
from farm.jobs.batches import PRIORITIES
from farm.jobs.states import RETRIABLE, WENT_WRONG, State
from farm.wording import counted

_BATCH = click.argument("batch")
_PREVIEW_SAMPLES = 4


@contextmanager
def _leaving_it_running(batch: str, then: str = "") -> Iterator[None]:
    """However the command ends, the batch goes on, and the user is told how to get back to it."""
    try:
        with stopped_by_sigterm():
            yield
    except (KeyboardInterrupt, ServiceError) as error:
        way = f"look on with `farm watch {batch}`{then}, or take it back with `farm cancel {batch}`."
        note("batch", "yellow", f"{batch} goes on without us: {way}")
        if isinstance(error, ServiceError):
            raise
        raise SystemExit(130) from error


@click.command()
@PATHS
@click.option("--wait", is_flag=True, help="Show the progress until the batch has ended.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Wait, and leave the results in this folder."
)
@click.option("--name", default="", help="What people call the batch. Default: the name of OUT.")
@click.option(
    "--priority",
    type=click.IntRange(PRIORITIES.start, PRIORITIES.stop - 1),
    default=0,
    show_default=True,
    help="Batches of a higher one go first; above 0 needs an operator's key.",
)
@click.option("--paused", is_flag=True, help="Keep the jobs back until `farm resume BATCH`.")
@click.option("--webhook", metavar="URL", help="Tell this address when the batch has ended.")
@click.option(
    "--webhook-secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Holds what signs the message to it: 16 to 200 characters.",
)
@click.option(
    "--idempotency-key",
    default="",
    metavar="KEY",
    help="Your own name for this submission: submitted again under it, the same request makes nothing new.",
)
@spec_options
@MAPPING
@remote
def submit(
    client: FarmClient,
    paths: tuple[Path, ...],
    wait: bool,
    out: Path | None,
    name: str,
    priority: int,
    paused: bool,
    webhook: str | None,
    webhook_secret_file: Path | None,
    idempotency_key: str,
    options: SpecOptions,
    mapping: Path | None,
) -> None:
    """Upload the models at PATHS to a farm that is up, and submit them as one batch.

    Prints the batch's id. With --wait or --out the command stays until the batch has ended; Ctrl-C leaves the batch
    running. The exit code is 1 when a model was refused or could not be rendered.
    """
    models = models_at(paths)
    wanted = wish(options, mapping)
    target = _webhook(webhook, webhook_secret_file)
    with locked(out) if out is not None else nullcontext():
        uploaded, refused = upload(client, models)
        if not uploaded:
            report(refused, [])
            return
        batch = client.submit(
            uploaded,
            with_backgrounds(client, wanted),
            wanted.mapping,
            name or (out.name[:200] if out is not None else ""),
            priority=priority,
            paused=paused,
            webhook=target,
            idempotency_key=idempotency_key,
        )
        if batch.replayed:
            note("known", "yellow", f"Batch {batch.id} was submitted under this key before; nothing new was made.")
        if out is None and not wait:
            say(f"batch {batch.id}: {counted(len(uploaded), 'model')}, {counted(batch.images_total, 'image')}")
            say(f"next: farm watch {batch.id}, farm fetch {batch.id} --out DIR")
            report(refused, [])
            return
        if out is not None:
            results = Downloads(client, out, {model.id: model.inventory.warnings for model in uploaded})
            with _leaving_it_running(batch.id, f", bring its results with `farm fetch {batch.id} --out {out}`"):
                say(f"batch {batch.id}")
                follow(client, batch.id, results.take)
            results.summarise()
            report(refused, list(results.bad.values()))
        else:
            with _leaving_it_running(batch.id):
                say(f"batch {batch.id}")
                ended = follow(client, batch.id)
                bad = list(client.jobs(batch.id, RETRIABLE)) if ended.count(RETRIABLE) else []
            rendered = counted(ended.count([State.DONE]), "model is", "models are")
            say(f"{counted(ended.images_done, 'image')} of {rendered} done")
            report(refused, bad)


def _webhook(url: str | None, secret_file: Path | None) -> Webhook | None:
    if url is None and secret_file is None:
        return None
    if url is None or secret_file is None:
        raise SpecError(
            "--webhook and --webhook-secret-file go together: the address, and what signs the message to it."
        )
    return Webhook(url, secret_file.read_text("utf-8").strip())


@click.command()
@PATHS
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the pictures.")
@spec_options
@MAPPING
@remote
def preview(client: FarmClient, paths: tuple[Path, ...], out: Path, options: SpecOptions, mapping: Path | None) -> None:
    """Render the first samples of the models at PATHS, ahead of everything else, to look at before a full run.

    They are the very pictures that a full run with the same options begins with. --samples takes 1 to 20 here, and is 4
    if you do not say.
    """
    models = models_at(paths)
    wanted = wish(options, mapping)
    samples = _PREVIEW_SAMPLES if wanted.spec.samples == "auto" else wanted.spec.samples
    with locked(out), stopped_by_sigterm():
        uploaded, refused = upload(client, models)
        spec = with_backgrounds(client, wanted)
        results = Downloads(client, out, {model.id: model.inventory.warnings for model in uploaded})
        batches = [(client.preview(model.id, samples, spec, wanted.mapping), model.name) for model in uploaded]
        try:
            for batch, name in batches:
                follow(client, batch.id, lambda job, name=name: results.take(job.model_copy(update={"name": name})))  # type: ignore[misc]
        except KeyboardInterrupt:
            for batch, _ in batches:
                client.cancel(batch.id)
            raise
        results.summarise()
        report(refused, list(results.bad.values()))


@click.command()
@_BATCH
@remote
def watch(client: FarmClient, batch: str) -> None:
    """Show the progress of BATCH until it has ended. Ctrl-C ends the watching, not the batch.

    The exit code is 1 when a job failed, was quarantined or cancelled.
    """
    found = batch_id(client, batch)
    with _leaving_it_running(found):
        ended = follow(client, found)
    say(f"{ended.images_done:,} of {counted(ended.images_total, 'image is', 'images are')} done")
    if bad := ended.count(RETRIABLE):
        note("bad", "red", f"{counted(bad, 'job')} ended without pictures; `farm status {found}` says why.")
        raise SystemExit(1)


@click.command()
@_BATCH
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the results.")
@remote
def fetch(client: FarmClient, batch: str, out: Path) -> None:
    """Bring the results of BATCH that are done into the folder OUT, as `farm submit --out` does.

    Can be run again, also while the batch runs: only what is missing is fetched.
    """
    found = batch_id(client, batch)
    present = client.batch(found)
    done = present.jobs.get(State.DONE, 0)
    if not done:
        note("none", "yellow", f"No job of batch {found} is done yet; `farm watch {found}` shows when.")
        return
    with locked(out), stopped_by_sigterm():
        results = Downloads(client, out, {})
        jobs = client.jobs(found, [State.DONE])
        brought = sum(
            results.take_if_missing(job) for job in track(jobs, "fetching", total=done, console=stderr, transient=True)
        )
        results.summarise()
    for job in results.bad.values():
        note("left out", "yellow", bad_line(job))
    there = counted(results.models + len(results.bad) - brought, "was there", "were there")
    say(f"{counted(brought - len(results.bad), 'model')} fetched, {there}")
    if waiting := sum(count for state, count in present.jobs.items() if not state.ended):
        note(
            "later",
            "yellow",
            f"{counted(waiting, 'job has', 'jobs have')} not ended yet; run this again for the results.",
        )


def _standing(batch: BatchView) -> None:
    jobs = ", ".join(f"{count} {state}" for state, count in batch.jobs.items() if count)
    paused = " (paused)" if batch.paused and not batch.ended else ""
    say(f"batch {batch.id}{paused}: {jobs}")


@click.command()
@_BATCH
@remote
def cancel(client: FarmClient, batch: str) -> None:
    """Take back every job of BATCH that has not ended; what is done stays."""
    _standing(client.cancel(batch_id(client, batch)))


@click.command()
@_BATCH
@remote
def pause(client: FarmClient, batch: str) -> None:
    """Stop the jobs of BATCH; what is drawn of them is kept."""
    _standing(client.pause(batch_id(client, batch)))


@click.command()
@_BATCH
@remote
def resume(client: FarmClient, batch: str) -> None:
    """Let the jobs of a paused BATCH go on."""
    _standing(client.resume(batch_id(client, batch)))


@click.command()
@click.argument("what", metavar="BATCH|JOB")
@click.option("--cancelled", is_flag=True, help="Those of a batch that were cancelled, too.")
@remote
def retry(client: FarmClient, what: str, cancelled: bool) -> None:
    """Try the jobs of BATCH again that failed or were quarantined, or one JOB."""
    if is_job(what):
        job = client.retry_job(job_id(client, what))
        say(f"job {job.id} is {job.state}")
        return
    found = batch_id(client, what)
    states = RETRIABLE if cancelled else WENT_WRONG
    say(f"{counted(client.retry(found, states), 'job is', 'jobs are')} tried again")
    _standing(client.batch(found))


@click.command(context_settings={"ignore_unknown_options": True})
@_BATCH
@click.argument("number", type=click.IntRange(PRIORITIES.start, PRIORITIES.stop - 1))
@remote
def priority(client: FarmClient, batch: str, number: int) -> None:
    """Let BATCH go before those of lower priority: NUMBER is -10 (last) to 10 (first), and 0 unless somebody said."""
    found = client.set_priority(batch_id(client, batch), number)
    say(f"batch {found.id} has priority {found.priority}")


@click.command()
@click.option("--delete", "unwanted", metavar="MODEL", help="Forget this model instead; needs an operator's key.")
@remote
def models(client: FarmClient, unwanted: str | None) -> None:
    """List the models that the farm has, by their content hashes."""
    if unwanted is not None:
        client.delete_model(unwanted)
        return
    for model in client.models():
        say(model)
