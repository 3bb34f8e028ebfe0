"""Draws what a folder lacks of a collection, a few models at a time: what is finished goes to the folder and leaves the farm.

So neither memory nor the disk of the farm grows with the number of models; and since the folder itself says what stands in
it, whoever starts again after a kill draws only the rest.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from farm import free_space
from farm.annotations.counting import counting
from farm.backgrounds import normalise
from farm.cli.console import note, stderr, tracked
from farm.cli.forked import run_role
from farm.cli.sources import Candidate, Unreadable
from farm.cli.wishes import Wish
from farm.dataset.failures import Failure, Failures
from farm.dataset.manifest import CONTACT_SHEET, MANIFEST, Manifest
from farm.dataset.output import RenderedModel, Shelf, rendered_models
from farm.drawing import ahead
from farm.errors import DiskFullError, ServiceError
from farm.jobs.states import Job, State
from farm.licences.tombstones import admitted, tombstones
from farm.models.package import Package
from farm.morphs.annotation import apply_table, read_table
from farm.scratch import Scratch, remove_dead
from farm.spec import RenderSpec, render_key
from farm.stack import EmbeddedStack
from farm.starting import importing
from farm.wording import counted

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from farm.cli.own_farm import OwnFarm
    from farm.dataset.summary import Summary

_TICK_SECONDS, _SHORTEST_TICK = 0.5, 0.05
"""Between two looks at the jobs at most and at least: on one machine, each takes time from the drawing."""
_TICK_SHARE = 0.02
"""Of the time since a job came or ended last, that a look comes late: whoever has one small job does not wait for it."""
_WAITING = 1
"""Models that wait for each worker besides the one it draws: reading the next one takes a moment."""
_RESERVE_BYTES = 16 * 2**20
_FIRST_GUESS = 1.0
"""Bytes that a pixel takes in a result, before the first result says it; a third is usual without labels."""
_COPIES = 2
"""Of a result on the farm's disk: the worker's own and the store's."""
_DISK_CODES = ("worker-disk", DiskFullError.code, ServiceError.code)
"""What a worker says whose own disk, or whose store's, is full."""
_DISK_TRIES = 3
_GO_ON = "The same command goes on where it stopped."


@dataclass(slots=True)
class _InHand:
    """A model that the farm has."""

    job: Job
    """As it was seen last."""
    warnings: Sequence[str]
    """Those that were shown already."""


class Growth:
    """Fills the folder `out`, in a `with`. The farm is started for the first model that is missing there."""

    def __init__(
        self, out: Path, wanted: Wish, workers: int, retry_failed: bool = False, kept: Sequence[int] = ()
    ) -> None:
        """`kept`: descriptors of ours that the farm's worker has, too."""
        self._out, self._wanted, self._workers, self._retry_failed = out, wanted, workers, retry_failed
        self._kept = kept
        self._open = ExitStack()
        self._spec, self._table = _spec_of(wanted), None if wanted.mapping is None else read_table(wanted.mapping)
        self._shelf, self._failures = Shelf(out), Failures(out)
        self._withdrawn = tombstones(out)
        self._farm: OwnFarm | None = None
        self._home = Path()
        """Of the farm, once it is started."""
        self._bar: tuple[Progress, TaskID] | None = None
        self._seen: dict[str, str] = {}
        """Where each model was found, by content hash."""
        self._hands: dict[str, _InHand] = {}
        self._bytes_an_image = _FIRST_GUESS * self._spec.size**2
        self._sheets: list[Path] = []
        self._drawn = self._images = 0
        self._moved = 0.0
        """When a job was handed in or ended last."""
        self.files_left: int | None = None
        """Files of the collection that are still to be read, for the time that is left; None: nobody knows."""
        self.bad: list[tuple[str, str]] = []
        """What became of no pictures: a word and a sentence for each model or file."""

    def __enter__(self) -> Self:
        remove_dead()  # where nothing is missing, no farm is started that would do it
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    @property
    def busy(self) -> bool:
        """Whether the farm has models of ours."""
        return bool(self._hands)

    @property
    def drawn(self) -> int:
        """How many models were drawn and stand in the folder now."""
        return self._drawn

    def take(self, found: Candidate | Unreadable) -> None:
        """Have a model drawn if it is missing; returns when the farm has room for another."""
        if isinstance(found, Unreadable):
            self.bad.append(("refused", f"{found.where}: {found.error}"))
            return
        model = found.files.id
        if (where := self._seen.setdefault(model, found.where)) != found.where:
            note("twice", "yellow", f"{found.where} is the same model as {where}; it is rendered once.")
            return
        if (stone := self._withdrawn.get(model)) is not None:
            self.bad.append(("withdrawn", f"{found.where}: {stone.error()}"))
            return
        if self._table is None and self._shelf.find_as(model, self._spec) is not None:
            return
        checked = found.checked()
        if isinstance(checked, Unreadable):
            self.take(checked)
            return
        package = checked.package
        annotation, provenance = counting(model, package.inventory, self._spec, self._table)
        key = render_key(model, annotation, self._spec, provenance)
        if any(hand.job.render_key == key for hand in self._hands.values()) or self._shelf.find(model, key) is not None:
            return
        failed = self._failures.find(key)
        if failed is not None and not self._retry_failed:
            self.bad.append((State.FAILED, f"{found.label}: {failed.error} (So it ended before; see --retry-failed.)"))
            return
        for warning in package.inventory.warnings:
            note("warning", "yellow", f"{found.where}: {warning}")
        if self._table is not None:
            for one in apply_table(package.inventory.source_morphs(), self._table.of(model))[1]:
                note("mapping", "yellow", f"{found.where}: {one}")
        images = self._spec.images_of(self._spec.samples_by_rule(annotation))
        self._make_room(images)
        self._submit(package, found.label)
        while len(self._hands) > self._workers * (1 + _WAITING):
            self.wait()

    def _submit(self, package: Package, label: str) -> None:
        if self._farm is None:
            self._home = self._open.enter_context(Scratch()).path / "farm"
            stack = EmbeddedStack(self._home, self._workers, program=run_role, api=False, kept=self._kept)
            processes = self._open.enter_context(stack)
            ahead.let_go()
            with importing():
                from farm.cli.own_farm import OwnFarm  # while Blender starts, not before

            self._farm = OwnFarm(processes, self._wanted.backgrounds, self._wanted.motion)
        with free_space.noticed(self._home, _GO_ON):
            job = self._farm.submit(package, label, self._spec, self._table)
        self._hands[job.id] = _InHand(job, package.inventory.warnings)
        self._moved = time.monotonic()
        self._show()

    def wait(self) -> None:
        """For a moment; what has ended meanwhile goes to the folder."""
        farm = self._farm
        if farm is None or not self._hands:
            return
        ended = False
        for hand in list(self._hands.values()):
            hand.job = farm.job(hand.job.id)
            if hand.job.state.ended:
                self._end(farm, hand)
                ended = True
            else:
                _check_disk(hand.job)
        for folder, remedy in self._places():
            free_space.require(folder, free_space.LEAST_BYTES, remedy)
        self._show()
        if not ended:
            late = (time.monotonic() - self._moved) * _TICK_SHARE
            time.sleep(min(max(late, _SHORTEST_TICK), _TICK_SECONDS))

    def _end(self, farm: "OwnFarm", hand: _InHand) -> None:
        job = hand.job
        if job.state is State.DONE:
            with free_space.noticed(self._out, _GO_ON):
                self._keep(farm.bring(job, self._out))
            self._failures.drop(job.render_key)
            for warning in job.warnings:
                if warning not in hand.warnings:
                    note("warning", "yellow", f"{job.name}: {warning}")
        else:
            if job.state is State.FAILED:
                self._failures.add(Failure(job.name, job.model, job.render_key, job.error_code, job.error))
            self.bad.append((job.state, f"{job.name}: {job.error}"))
        farm.drop(job)
        del self._hands[job.id]
        self._moved = time.monotonic()

    def _keep(self, model: RenderedModel) -> None:
        self._shelf.add(model.folder)
        self._sheets.append(model.folder / CONTACT_SHEET)
        self._drawn += 1
        self._images += len(model.manifest.images)
        self._bytes_an_image = max(_bytes_of(model.manifest) / max(1, len(model.manifest.images)), 1.0)

    def rebuild(self) -> "Summary | None":
        """Make anew what spans all models of the folder; None where there is no model yet."""
        from farm.dataset.summary import summarise

        if not any(self._out.glob(f"*/{MANIFEST}")):
            return None
        with free_space.noticed(self._out, _GO_ON):
            return summarise(admitted(self._out, rendered_models(self._out)), self._out)

    def finish(self) -> None:
        """Wait for what the farm has, make anew what spans all models, and say where it is."""
        while self._hands:
            self.wait()
        from farm.cli.reporting import say_results

        if self._bar is not None:
            self._bar[0].stop()
        with stderr.status("tables and gallery"):
            found = self.rebuild()
        if found is not None:
            say_results(self._out, found, self._sheets)

    def _places(self) -> list[tuple[Path, str]]:
        """The folders that are written to, and what to do when one is full."""
        temporary = f"Make room there, or name another place with TMPDIR. {_GO_ON}"
        return [(self._out, f"Make room there. {_GO_ON}"), (self._home, temporary)]

    def _make_room(self, images: int) -> None:
        """Raise DiskFullError when another model does not fit, however long one waits."""
        while True:
            owed = images + sum(hand.job.images_total for hand in self._hands.values())
            needed = int(owed * self._bytes_an_image)
            try:
                free_space.require(self._out, needed + _RESERVE_BYTES, f"Make room there. {_GO_ON}")
                if self._farm is not None:
                    _, (home, remedy) = self._places()
                    free_space.require(home, _COPIES * needed + _RESERVE_BYTES, remedy)
                return
            except DiskFullError:
                if not self._hands:
                    raise
                self.wait()  # what is in hand is saved first

    def _show(self) -> None:
        now = sum(hand.job.images_done for hand in self._hands.values())
        known = self._images + sum(hand.job.images_total for hand in self._hands.values())
        models = self._drawn + len(self._hands)
        left = (self.files_left or 0) * known / models if models else 0
        if self._bar is None:
            from farm.cli.reporting import progress_bar

            shown = self._open.enter_context(progress_bar())
            self._bar = shown, shown.add_task("images", total=None, trouble="")
        bar, task = self._bar
        bar.update(
            task,
            total=known + round(left),
            completed=self._images + now,
            description=f"{counted(self._drawn, 'model')}, images",
        )


def _spec_of(wanted: Wish) -> RenderSpec:
    """The specification with its backgrounds. On a farm for the purpose nobody has confirmed anything, whatever
    FARM_ANNOTATION says, so it says itself which annotations count.
    """
    ids = (normalise(path.read_bytes(), str(path)).id for path in tracked(wanted.backgrounds, "reading backgrounds"))
    # The same picture twice in the folder is one background.
    values = {**wanted.spec.model_dump(), "backgrounds": tuple(dict.fromkeys(ids))}
    return RenderSpec.model_validate(values)


def _check_disk(job: Job) -> None:
    """Raise DiskFullError when attempt after attempt finds no room: the farm would try for ever."""
    tries = [attempt for attempt in job.attempts if attempt.code in _DISK_CODES]
    if len(tries) >= _DISK_TRIES:
        raise DiskFullError(f"{job.name} cannot be drawn: {tries[-1].error} {_GO_ON}")


def _bytes_of(manifest: Manifest) -> int:
    return sum(shard.bytes for shard in manifest.shards) + sum(shard.bytes for shard in manifest.labels)
