"""Runs an export: surveys the models, writes the units that are missing, several at a time, and puts the whole in place."""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from farm.dataset.manifest import Manifest
from farm.dataset.output import RenderedModel
from farm.dataset.splits import Split
from farm.dataset.sums import SUMS, sum_line
from farm.errors import StorageError
from farm.exports.describing import describing_files
from farm.exports.destination import Destination, destination_at
from farm.exports.duplicates import near_duplicates
from farm.exports.layout import Layout
from farm.exports.members import common_space, survey
from farm.exports.plan import SHARD_BYTES, ExportPlan, Unit
from farm.exports.receipts import FileRecord, Receipt, record_of
from farm.exports.sides import Sides, sides_of
from farm.exports.source import Source

_POLL_SECONDS = 0.2

type Progress = Callable[[str, int, int], None]
"""Gets a step ("models" or "images"), how much of it is done, and how much there is; several times a second."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds."""

    styles: tuple[str, ...]
    models: int
    images: int
    """Pictures of all styles and both partitions, without the neutral faces."""
    copied: int
    """Files that could not be hard-linked and take space of their own."""
    train: int
    """Models for training."""
    test: int
    sides: Sides
    already: bool = False
    """It stood there, whole, and nothing was written."""


class _Stopped(Exception):
    """Another unit failed, or the user wants no more."""


def export(
    source: Source,
    out: str,
    layout: Layout,
    *,
    shard_bytes: int = SHARD_BYTES,
    lists: Mapping[str, Split] | None = None,
    threads: int = 2,
    progress: Progress = lambda step, done, total: None,
    admits: Callable[[Manifest], bool] = lambda manifest: True,
) -> Exported:
    """Make a data set of the models of `source` that `admits` takes at `out`, a folder or ``s3://bucket/prefix``.

    Every picture is compared with its manifest's hash. Equal sources and options give equal bytes, whatever `threads`. An
    export that was interrupted goes on where it was. In a folder an earlier export is replaced when the new one is ready.

    Raises SpecError for what the layout cannot hold, StorageError for what is damaged and for an `out` that is not ours,
    ServiceError when a store does not answer.
    """
    members = survey(source, threads, lambda done, total: progress("models", done, total), admits)
    common_space(members)
    layout.check(members)
    sides = sides_of(members, near_duplicates(members), lists)
    plan = ExportPlan(layout.name, tuple(members), sides, shard_bytes)
    train = len(plan.of_split("train"))
    styles = tuple(dict.fromkeys(style for member in members for style in member.spec.styles))
    with destination_at(out, layout.name, plan.fingerprint) as target:
        copied = 0 if target is None else _run(source, layout, plan, target, threads, progress)
        return Exported(
            styles, len(members), plan.images, copied, train, len(members) - train, sides, already=target is None
        )


def _run(
    source: Source, layout: Layout, plan: ExportPlan, target: Destination, threads: int, progress: Progress
) -> int:
    """Write all; how many files had to be copied."""
    units = list(layout.units(plan))
    written = {unit.name: found.images for unit in units if (found := target.receipt(unit.name)) is not None}
    left = [unit for unit in units if unit.name not in written]
    done = _Count(sum(written.values()))
    stop = threading.Event()

    def tell(images: int) -> None:
        if stop.is_set():
            raise _Stopped
        done.add(images)

    def write(unit: Unit) -> None:
        with source.at_hand([member.entry for member in unit.members]) as models:
            target.add_receipt(layout.write(unit, _unchanged(unit, models), target, tell))

    progress("images", done.value, plan.images)
    with ThreadPoolExecutor(threads) as pool:
        try:
            waiting: set[Future[None]] = {pool.submit(write, unit) for unit in left}
            while waiting:
                ended, waiting = wait(waiting, _POLL_SECONDS, FIRST_EXCEPTION)
                for future in ended:
                    future.result()
                progress("images", done.value, plan.images)
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)

    def receipts() -> Iterable[Receipt]:
        # One at a time: together they hold a line for every row.
        return (found for unit in units if (found := target.receipt(unit.name)) is not None)

    tables = layout.tables(plan, target, receipts)
    files = {name: record for receipt in receipts() for name, record in receipt.files.items()}
    last = describing_files(plan, layout.describe(plan, files, tables, target.links))
    _write_sums(target, receipts, tables, last)
    copied = sum(receipt.copied for receipt in receipts())
    target.finish(layout.name, {name: record.bytes for name, record in files.items()}, last)
    return copied


def _write_sums(
    target: Destination,
    receipts: Callable[[], Iterable[Receipt]],
    tables: Mapping[str, FileRecord],
    last: Mapping[str, bytes],
) -> None:
    """Write the hashes of all files but the marker and second names."""
    path = target.scratch / SUMS
    with path.open("w", encoding="utf-8", errors="surrogateescape") as file:
        for receipt in receipts():
            file.writelines(sum_line(name, record.sha256) for name, record in receipt.files.items())
            file.write(receipt.notes.get(SUMS, ""))
        file.writelines(sum_line(name, record.sha256) for name, record in tables.items())
        file.writelines(sum_line(name, record_of(data).sha256) for name, data in last.items())
    target.place(SUMS, path)


def _unchanged(unit: Unit, models: Iterable[RenderedModel]) -> Iterable[RenderedModel]:
    for member, model in zip(unit.members, models, strict=True):
        if (model.manifest.model.id, model.manifest.spec) != (member.model, member.spec):
            raise StorageError(f"{member.folder} was changed while it was exported; export again.")
        yield model


class _Count:
    """A number that several threads add to."""

    def __init__(self, value: int) -> None:
        self.value = value
        self._lock = threading.Lock()

    def add(self, more: int) -> None:
        with self._lock:
            self.value += more
