"""Verifies a whole rendered folder: model by model, on all cores, in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

from farm.dataset.gallery import GALLERY
from farm.dataset.output import POSES, POSES_PARQUET
from farm.dataset.reading import model_folders
from farm.errors import StorageError
from farm.licences.tombstones import WITHDRAWN, Tombstone, tombstones
from farm.verification.columns import check_columns
from farm.verification.findings import Fault, Finding, FindingList
from farm.verification.model import ModelReport, verify_model
from farm.verification.pages import check_pages
from farm.verification.rows import survey_table

_AHEAD = 4
"""Models in hand for each process."""


def verify(directory: Path, processes: int, on_model: Callable[[ModelReport], None]) -> Iterator[Finding]:
    """What is wrong with the rendered folder `directory`, as it is found.

    `on_model` is called after each of its `model_folders`. Raises StorageError when there is no model at all.
    """
    folders = model_folders(directory)
    if not folders:
        raise StorageError(f"{directory} holds no rendered models; name the folder that `farm render --out` left.")
    for path in sorted(path for path in directory.iterdir() if path.is_symlink()):
        yield Finding(Fault.LINK, path.name, "A link, which is not followed.")
    of_table = FindingList(POSES)
    table = survey_table(directory, {folder.name for folder in folders}, of_table)
    yield from of_table.all()
    of_columns = FindingList(POSES_PARQUET)
    if table is not None:
        check_columns(directory, table.columns, of_columns)
    yield from of_columns.all()
    of_pages = FindingList(GALLERY)
    check_pages(directory, of_pages)
    yield from of_pages.all()
    withdrawn: Mapping[str, Tombstone] = {}
    try:
        withdrawn = tombstones(directory)
    except StorageError as error:
        yield Finding(Fault.MANIFEST, WITHDRAWN, str(error))
    across = _Across()
    with ExitStack() as stack:
        columns = table.columns if table else ()
        jobs = ((folder, columns, table.runs.get(folder.name, []) if table else None) for folder in folders)
        if processes == 1 or len(folders) == 1:
            reports: Iterator[ModelReport] = (verify_model(*job) for job in jobs)
        else:
            # Spawned: a fork of a process with threads, such as those of a progress bar, may hang.
            pool = stack.enter_context(ProcessPoolExecutor(processes, get_context("spawn")))
            stack.callback(pool.shutdown, wait=True, cancel_futures=True)
            reports = _in_order(pool, jobs, processes * _AHEAD)
        for report in reports:
            if (stone := withdrawn.get(report.model)) is not None:
                # All else about it, such as that no table has its rows, follows from that.
                yield Finding(
                    Fault.WITHDRAWN,
                    report.folder,
                    f"{stone.error()} `farm forget {report.folder} --from {directory}` takes it out again.",
                )
            else:
                yield from report.findings
                yield from across.take(report)
            on_model(report)


def _in_order(pool: ProcessPoolExecutor, jobs: Iterator[tuple[object, ...]], most: int) -> Iterator[ModelReport]:
    """The reports in the order of the jobs, with at most so many in hand."""
    waiting: deque[Future[ModelReport]] = deque()
    for job in jobs:
        waiting.append(pool.submit(verify_model, *job))  # type: ignore[arg-type]
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class _Across:
    """What only shows when models are seen together."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, frozenset[str]]] = {}
        """Model to its folder and the splits that its rows name."""

    def take(self, report: ModelReport) -> Iterator[Finding]:
        """What is wrong between this model and those before it."""
        if not report.model:
            return
        splits = frozenset(report.splits)
        before = self._seen.setdefault(report.model, (report.folder, splits))
        if before[0] != report.folder:
            yield Finding(Fault.TWICE, report.folder, f"It holds the same model as {before[0]}.")
            if splits and before[1] and splits != before[1]:
                sides = f"{_words(before[1])} there, {_words(splits)} here"
                yield Finding(
                    Fault.SPLIT, report.folder, f"The model of {before[0]} is on both sides of the split: {sides}."
                )


def _words(splits: frozenset[str]) -> str:
    return " and ".join(sorted(splits))
