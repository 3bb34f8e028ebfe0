"""Follows a batch at the terminal, and lays the results of its jobs out as they come."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from farm.cli.console import note, stderr, stdout
from farm.client import BatchView, FarmClient, JobView
from farm.dataset.manifest import CONTACT_SHEET, MANIFEST, read_manifest
from farm.dataset.output import (
    LABELS,
    POSES,
    RenderedModel,
    folder_name,
    read_output,
    unpack_result,
    write_gallery,
    write_poses,
)
from farm.errors import StorageError, WithdrawnModelError
from farm.jobs.states import RETRIABLE, State
from farm.licences.tombstones import check_admitted

_SHEETS = 20
"""Contact sheets that the summary names; the page shows all."""


class _RateColumn(TextColumn):
    """Images a second, of late."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.0f} images/s" if speed else "starting", style="cyan")


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("[red]{task.fields[trouble]}"),
        console=stderr,
    )


def follow(
    client: FarmClient,
    batch: str,
    on_end: Callable[[JobView], None] | None = None,
    check: Callable[[], None] = lambda: None,
) -> BatchView:
    """Show a batch's progress until it has ended; the batch as it is then.

    `on_end` gets every job as it ends, and again when it was retried and ended again; `check` is called several times a
    second and may raise.
    """
    with _progress() as bar:
        task = None
        for update in client.watch(batch, jobs=on_end is not None):
            check()
            now = update.batch
            if task is None:  # begun where the batch is: what was drawn before is not our speed
                task = bar.add_task("images", total=now.images_total, completed=now.images_done, trouble="")
            bar.update(
                task,
                total=now.images_total,
                completed=now.images_done,
                description="paused" if now.paused and not now.ended else "images",
                trouble=_trouble(now),
            )
            for job in update.ended:
                assert on_end is not None
                on_end(job)
        return now


def _trouble(batch: BatchView) -> str:
    return ", ".join(f"{count} {state}" for state in RETRIABLE if (count := batch.jobs.get(state, 0)))


@dataclass(slots=True)
class Downloads:
    """Brings what came of a batch's jobs into a folder as they end."""

    client: FarmClient
    out: Path
    known: Mapping[str, Sequence[str]]
    """Warnings by model that were shown before; those that only Blender found are shown when its job is done."""

    bad: dict[str, JobView] = field(default_factory=dict)
    """The jobs that ended without pictures, by id."""
    _sheets: dict[str, Path] = field(default_factory=dict)
    _images: dict[str, int] = field(default_factory=dict)

    @property
    def models(self) -> int:
        """How many models were laid out, now or by an earlier run."""
        return len(self._sheets)

    def take(self, job: JobView) -> None:
        """A job has ended."""
        if job.state is not State.DONE:
            self.bad[job.id] = job
            return
        self.bad.pop(job.id, None)  # it was retried meanwhile
        try:
            self._keep(job, lay_out(self.client, job, self.out))
        except WithdrawnModelError as error:
            self.bad[job.id] = job.model_copy(update={"state": State.FAILED, "error": str(error)})
            return
        for warning in job.warnings:
            if warning not in self.known.get(job.model, ()):
                note("warning", "yellow", f"{job.name}: {warning}")

    def take_if_missing(self, job: JobView) -> bool:
        """The same, unless the job's result is in the folder already: whether it was brought."""
        there = _there(job, self.out)
        if there is not None:
            self._keep(job, there)
            return False
        self.take(job)
        return True

    def _keep(self, job: JobView, model: RenderedModel) -> None:
        # Not the manifests themselves: those of thousands of models take gigabytes.
        self._sheets[job.id] = model.folder / CONTACT_SHEET
        self._images[job.id] = len(model.manifest.images)

    def summarise(self) -> None:
        """Write what spans all models of the folder, and print where things are."""
        if not self._sheets:
            return
        everything = read_output(self.out)  # with what earlier runs left in the folder
        write_poses(everything, self.out)
        gallery = write_gallery(everything, self.out)
        _say(f"{sum(self._images.values())} images of {len(self._sheets)} models are in {self.out}")
        _say(f"  poses:          {self.out / POSES}")
        for sheet in sorted(self._sheets.values())[:_SHEETS]:
            _say(f"  contact sheet:  {sheet}")
        if len(self._sheets) > _SHEETS:
            _say(f"  ... and {len(self._sheets) - _SHEETS} more")
        _say(f"  all on a page:  {gallery}")


def _say(line: str) -> None:
    stdout.print(line, markup=False, soft_wrap=True)


def lay_out(client: FarmClient, job: JobView, out: Path) -> RenderedModel:
    """Bring the result of a done job into the folder `out`, every file checked against the manifest."""
    check_admitted(out, job.model)
    manifest = client.manifest(job.id)
    sizes = {shard.file: shard.bytes for shard in manifest.shards}
    sizes |= {shard.file: shard.bytes for shard in manifest.labels}
    hashes = {shard.file: shard.sha256 for shard in manifest.shards}
    hashes |= {shard.file: shard.sha256 for shard in manifest.labels}
    hashes |= {basis.file: basis.sha256 for basis in manifest.basis}

    def fetch(file: str, path: Path) -> None:
        client.fetch(job.id, file, path, sizes.get(file), hashes.get(file))

    return unpack_result(manifest, job.name, fetch, out)


def _there(job: JobView, out: Path) -> RenderedModel | None:
    """The result of the job as an earlier run laid it out; None when any of it is missing."""
    folder = out / folder_name(job.name, job.model)
    try:
        model = RenderedModel(folder, read_manifest((folder / MANIFEST).read_bytes(), str(folder)))
    except (FileNotFoundError, StorageError):
        return None
    manifest = model.manifest
    files = [folder / CONTACT_SHEET, *(folder / "basis" / f"{basis.style}.png" for basis in manifest.basis)]
    whole = (
        manifest.render_key == job.render_key
        and all(path.is_file() for path in (*files, *map(model.image_path, manifest.images)))
        and all(len(list((folder / LABELS / s.partition).glob("*"))) == s.files for s in manifest.labels)
    )
    return model if whole else None


def report(refused: Sequence[str], bad: Sequence[JobView]) -> None:
    """Name what could not be rendered; ends the command with code 1 when there is anything."""
    for line in refused:
        note("refused", "red", line)
    for job in bad:
        note(job.state, "red", f"{job.name}: {job.error or 'taken back by a user'}")
    if refused or bad:
        raise SystemExit(1)
