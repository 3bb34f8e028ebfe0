"""The command that turns rendered models into a data set for training."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from farm.cli.console import note, stdout
from farm.cli.ending import stopped_by_sigterm
from farm.cli.following import brought
from farm.cli.remote import batch_id, connect
from farm.cli.reporting import progress_bar
from farm.client import FarmClient
from farm.dataset.manifest import Manifest, basis_file
from farm.dataset.output import RenderedModel, folder_name
from farm.errors import ServiceError, StorageError
from farm.exports.layouts import LAYOUTS, layout_named
from farm.exports.running import Exported
from farm.exports.running import export as run_export
from farm.exports.sides import read_lists
from farm.exports.source import FolderSource, Source, plainest
from farm.jobs.states import State
from farm.licences.decisions import DECISIONS, Decisions
from farm.licences.ledger import permits
from farm.licences.terms import Permission
from farm.licences.tombstones import Tombstone, tombstones
from farm.settings import Settings
from farm.wording import counted

_MIB = 2**20
_THREADS = max(2, min(4, os.cpu_count() or 1))


class BatchSource:
    """The results of a batch on a farm that is up: models are brought when their turn comes, and dropped after it."""

    def __init__(self, client: FarmClient, batch: str) -> None:
        self._client = client
        self._jobs = {job.id: job for job in client.jobs(batch, [State.DONE])}
        if not self._jobs:
            raise StorageError(f"No job of batch {batch} is done yet; `farm watch {batch}` shows when.")

    def entries(self) -> Sequence[str]:
        return list(self._jobs)

    def surveyed(self, entry: str) -> tuple[RenderedModel, bytes | None]:
        manifest = self._client.manifest(entry)
        style = plainest(manifest.spec.styles)
        model = RenderedModel(Path(folder_name(self._jobs[entry].name, manifest.model.id)), manifest)
        hashes = {basis.style: basis.sha256 for basis in manifest.basis}
        if style not in hashes:
            return model, None
        with TemporaryDirectory(prefix="facefarm-export-") as room:
            path = Path(room) / "basis.png"
            self._client.fetch(entry, basis_file(style), path, None, hashes[style])
            return model, path.read_bytes()

    @contextmanager
    def at_hand(self, entries: Sequence[str]) -> Iterator[Iterator[RenderedModel]]:
        with TemporaryDirectory(prefix="facefarm-export-") as room:
            yield (brought(self._client, self._jobs[entry], Path(room)) for entry in entries)


@click.command()
@click.argument("what", metavar="DIR|BATCH")
@click.option("--format", "layout", type=click.Choice(LAYOUTS), default="animeceleb", show_default=True)
@click.option("--out", required=True, metavar="DIR|s3://BUCKET/PREFIX", help="Where the data set goes.")
@click.option(
    "--shard-size", type=click.IntRange(1, 4096), default=128, show_default=True, metavar="MIB",
    help="Of webdataset and huggingface: about how much a file has.",
)  # fmt: skip
@click.option(
    "--lists", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with train_list.txt and test_list.txt, which decide instead of the models' hashes.",
)  # fmt: skip
@click.option(
    "--threads", type=click.IntRange(1, 64), default=_THREADS, show_default=True, help="Files written at a time."
)
@click.option(
    "--require", type=click.Choice([permission.value for permission in Permission]), multiple=True,
    help="Only models that may be used so, by their licence or a person's decision; may be repeated.",
)  # fmt: skip
@click.option(
    "--decisions", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Those of `farm permit`, for --require; by default what stands in DIR.",
)  # fmt: skip
@click.option("--api", "url", default=lambda: Settings().api_url, show_default="FARM_API_URL", help="Where BATCH is.")
def export(
    what: str,
    layout: str,
    out: str,
    shard_size: int,
    lists: Path | None,
    threads: int,
    require: tuple[str, ...],
    decisions: Path | None,
    url: str,
) -> None:
    """Make a data set for training: of the folder DIR that `farm render` made, or of what is done of BATCH.

    Every picture is checked against its manifest. Type the same again to go on after an interruption.
    """
    places = [Path(place) for place in (what, out) if Path(place).is_dir()]
    withdrawn = {model: stone for place in places for model, stone in tombstones(place).items()}
    required, decided = [Permission(name) for name in require], Decisions(decisions or Path(what) / DECISIONS)
    with stopped_by_sigterm(), _source(what, url) as source, progress_bar() as bar:
        tasks = {
            step: bar.add_task(step, total=None, visible=False, trouble="", unit=step) for step in ("models", "images")
        }
        result = run_export(
            source,
            out,
            layout_named(layout),
            shard_bytes=shard_size * _MIB,
            lists=read_lists(lists) if lists else None,
            threads=threads,
            progress=lambda step, done, total: bar.update(tasks[step], completed=done, total=total, visible=True),
            admits=lambda manifest: not _is_out(manifest, withdrawn) and permits(manifest, required, decided),
        )
    _report(result, out)


def _is_out(manifest: Manifest, withdrawn: Mapping[str, Tombstone]) -> bool:
    if (stone := withdrawn.get(manifest.model.id)) is None:
        return False
    note("withdrawn", "yellow", str(stone.error()))
    return True


@contextmanager
def _source(what: str, url: str) -> Iterator[Source]:
    if Path(what).is_dir():
        yield FolderSource(Path(what))
        return
    if os.sep in what:
        raise StorageError(f"{what} is no folder; name one that `farm render` made, or a batch of the farm at {url}.")
    try:
        with connect(url) as client:
            found = batch_id(client, what)
            yield BatchSource(client, found)
    except ServiceError as error:
        raise ServiceError(f"There is no folder '{what}', and no farm was to be asked for a batch: {error}") from error


def _report(result: Exported, out: str) -> None:
    if pairs := set(result.sides.pairs) - set(result.sides.parted):
        note(
            "alike",
            "yellow",
            f"Pairs of near-duplicates, kept on one side: {len(pairs)}. The data set's README lists them.",
        )
    if parted := result.sides.parted:
        note("leak", "red", f"Pairs of near-duplicates that the lists put on both sides: {len(parted)}.")
    if unknown := result.sides.unknown:
        note("unknown", "yellow", f"Ids of the lists that name no model here: {len(unknown)}, such as '{unknown[0]}'.")
    stdout.print(
        f"{counted(result.images, 'image')} of {counted(result.models, 'model')} in {counted(len(result.styles), 'style')} "
        f"{'stood there already, whole: ' if result.already else 'written: '}{out} "
        f"({counted(result.train, 'model')} to train, {result.test} to test)",
        markup=False,
        soft_wrap=True,
    )
