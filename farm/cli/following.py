"""Follows a batch at the terminal, and lays the results of its jobs out as they come."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from farm.cli.console import note
from farm.cli.laying import lay_out
from farm.cli.reporting import progress_bar, report_all, say_results
from farm.client import BatchView, FarmClient, JobView
from farm.dataset.manifest import CONTACT_SHEET
from farm.dataset.output import (
    RenderedModel,
    folder_name,
    rendered_models,
    whole_result,
)
from farm.dataset.reading import intact
from farm.dataset.summary import summarise
from farm.errors import WithdrawnModelError
from farm.jobs.states import RETRIABLE, State
from farm.licences.tombstones import admitted


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
    with progress_bar() as bar:
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
            self._keep(job, brought(self.client, job, self.out))
        except WithdrawnModelError as error:
            self.bad[job.id] = job.model_copy(update={"state": State.FAILED, "error": str(error)})
            return
        for warning in job.warnings:
            if warning not in self.known.get(job.model, ()):
                note("warning", "yellow", f"{job.name}: {warning}")

    def take_if_missing(self, job: JobView) -> bool:
        """The same, unless the job's result is in the folder already, byte for byte: whether it was brought."""
        folder = self.out / folder_name(job.name, job.model)
        there = whole_result(folder, lambda manifest: manifest.render_key == job.render_key)
        if there is not None and self._is_the_farms(there, job):
            self._keep(job, there)
            return False
        self.take(job)
        return True

    def _is_the_farms(self, there: RenderedModel, job: JobView) -> bool:
        """Whether the folder has the farm's manifest and the bytes that it states, and the farm's contact sheet."""
        try:
            if there.manifest != self.client.manifest(job.id):
                return False
        except WithdrawnModelError:
            return False  # said when it is taken
        if not intact(there):
            return False
        stated = there.manifest.contact_sheet is not None  # an earlier version's manifest does not hash its sheet
        return stated or (there.folder / CONTACT_SHEET).read_bytes() == self.client.contact_sheet(job.id)

    def _keep(self, job: JobView, model: RenderedModel) -> None:
        # Not the manifests themselves: those of thousands of models take gigabytes.
        self._sheets[job.id] = model.folder / CONTACT_SHEET

    def summarise(self) -> None:
        """Write what spans all models of the folder, and print where things are."""
        if not self._sheets:
            return
        models = admitted(self.out, rendered_models(self.out))  # with what earlier runs left in the folder
        found = summarise(models, self.out)
        say_results(self.out, found, list(self._sheets.values()))


def brought(client: FarmClient, job: JobView, out: Path) -> RenderedModel:
    """Bring the result of a done job into the folder `out`, every file checked against the manifest."""
    return lay_out(client.manifest(job.id), job.name, partial(client.fetch, job.id), out)


def report(refused: Sequence[str], bad: Sequence[JobView]) -> None:
    """Name what could not be rendered; ends the command with code 1 when there is anything."""
    report_all([("refused", line) for line in refused] + [(job.state, bad_line(job)) for job in bad])


def bad_line(job: JobView) -> str:
    """A job that ended without pictures, in a sentence."""
    return f"{job.name}: {job.error or 'taken back by a user'}"
