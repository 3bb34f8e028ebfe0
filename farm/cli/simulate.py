"""`farm simulate`: how many workers a cluster should have for what comes, before anybody pays for it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.progress import track
from rich.table import Table

from farm.cli.console import note, stderr, stdout
from farm.simulation import report
from farm.simulation.constants import MACHINES, constants, machine, value
from farm.simulation.control import ControlSettings
from farm.simulation.engine import Cluster
from farm.simulation.fleet import Outcome
from farm.simulation.policies import PolicyName
from farm.simulation.study import Question, Study, collection
from farm.simulation.work import ARRIVALS

type Answers = Sequence[tuple[Question, Outcome]]

_MODELS = round(value("collection", "models"))
_POLICIES = tuple(name.value for name in PolicyName)
_SECONDS = click.FloatRange(0, 86_400)


@click.command()
@click.option("--machine", "where", type=click.Choice(MACHINES), default="gpu", show_default=True, help="Of a worker.")
@click.option("--models", type=click.IntRange(1, 1_000_000), default=_MODELS, show_default=True)
@click.option(
    "--arrivals",
    type=click.Choice(list(ARRIVALS)),
    multiple=True,
    default=tuple(ARRIVALS),
    show_default=True,
    help="All in one batch; twelve batches in a day; a few models with 20,000 samples each.",
)
@click.option("--policy", type=click.Choice(_POLICIES), multiple=True, default=_POLICIES, show_default=True)
@click.option(
    "--cold-start", type=_SECONDS, multiple=True, default=(60, 300), show_default=True, help="Until a machine stands."
)
@click.option(
    "--losses",
    type=click.FloatRange(0, 60),
    multiple=True,
    default=(0, 2),
    show_default=True,
    help="How often an hour the cloud takes a spot machine away.",
)
@click.option(
    "--notice", type=_SECONDS, default=value("cluster", "spot_notice_seconds"), show_default=True, help="It gives then."
)
@click.option("--drain", type=_SECONDS, default=value("chart", "drain_seconds"), show_default=True)
@click.option("--shutdown", type=_SECONDS, default=value("chart", "shutdown_seconds"), show_default=True)
@click.option("--cooldown", type=_SECONDS, default=value("chart", "cooldown_seconds"), show_default=True)
@click.option(
    "--target", type=click.FloatRange(1, 30 * 86_400), default=value("chart", "target_seconds"), show_default=True
)
@click.option(
    "--assumed-rate", type=click.FloatRange(0.001, 1e6), default=value("chart", "assumed_rate"), show_default=True
)
@click.option("--min", "least", type=click.IntRange(0, 10_000), default=0, show_default=True, help="Workers.")
@click.option("--max", "most", type=click.IntRange(1, 10_000), default=64, show_default=True, help="Workers.")
@click.option("--fixed", type=click.IntRange(1, 10_000), default=8, show_default=True, help="Workers of that policy.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--plots", type=click.Path(file_okay=False, path_type=Path), help="Leave pictures in this folder.")
@click.option("--format", "suffix", type=click.Choice(["svg", "png"]), default="svg", show_default=True)
@click.option("--json", "numbers", type=click.Path(dir_okay=False, path_type=Path), help="Leave all numbers here.")
@click.option("--constants", "sources", is_flag=True, help="Print the numbers that this stands on, and their sources.")
def simulate(
    where: str,
    models: int,
    arrivals: tuple[str, ...],
    policy: tuple[str, ...],
    cold_start: tuple[float, ...],
    losses: tuple[float, ...],
    notice: float,
    drain: float,
    shutdown: float,
    cooldown: float,
    target: float,
    assumed_rate: float,
    least: int,
    most: int,
    fixed: int,
    seed: int,
    plots: Path | None,
    suffix: str,
    numbers: Path | None,
    sources: bool,
) -> None:
    """Simulate a farm on a cluster: arrivals, cold starts, spot losses, and who says how many workers there are.

    Policies: the farm's own, a fixed number, and the length of the queue's list. Nothing is started, and no farm is asked.
    Of workers that draw as fast as was measured; the same seed gives the same numbers.
    """
    if sources:
        for known in constants():
            stdout.print(
                f"{known.section}.{known.name} = {known.value:g} ({known.kind}: {known.source})",
                markup=False,
                soft_wrap=True,
            )
        return
    control = ControlSettings(least=min(least, most), most=most, cooldown_seconds=cooldown)
    cluster = Cluster(
        machine(where),
        notice_seconds=notice,
        drain_seconds=drain,
        shutdown_seconds=shutdown,
        assumed_rate=assumed_rate,
        control=control,
    )
    study = Study(
        cluster, models, target, fixed, seed, arrivals, cold_start, losses, tuple(PolicyName(name) for name in policy)
    )
    questions = list(study.questions())
    answers = [
        (question, study.answer(question))
        for question in track(questions, "runs", console=stderr, transient=True, disable=not stderr.is_terminal)
    ]
    fleets = collection(cluster, models, seed)
    title = f"{models:,} models; a worker: {cluster.machine.name}; seed {seed}"
    _print(title, report.COLUMNS, (report.row(*each) for each in answers))
    _print(
        f"The same {models:,} models at once, on as many workers all the time",
        ("workers", "hours until done", "hours of all workers", "idle"),
        (report.collection_row(count, outcome) for count, outcome in fleets.items()),
    )
    if numbers is not None:
        numbers.write_text(report.as_json(study, answers, fleets))
    if plots is not None:
        _plot(answers, plots, suffix)


def _print(title: str, columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        words = place == 0 or column == "policy"
        table.add_column(column, justify="left" if words else "right", no_wrap=words)
    for each in rows:
        table.add_row(*each)
    stdout.print(table)


def _plot(answers: Answers, folder: Path, suffix: str) -> None:
    try:
        from farm.simulation.plots import plot
    except ModuleNotFoundError as error:
        raise click.UsageError("--plots needs matplotlib: pip install 'facefarm[plots]'.") from error
    for path in plot(answers, folder, suffix):
        note("plot", "green", str(path))
