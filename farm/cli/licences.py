"""The commands about what may be done with the models of a rendered folder."""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from farm.cli.console import note, say, say_json
from farm.errors import StorageError
from farm.licences.credits import credits_text
from farm.licences.decisions import DECISIONS, Decisions, LicenceDecision
from farm.licences.forgetting import Forgotten, find_model
from farm.licences.forgetting import forget as forget_in_folder
from farm.licences.ledger import LedgerRow, ledger
from farm.licences.terms import Permission, Ruling
from farm.licences.tombstones import Tombstone
from farm.morphs.cells import defused
from farm.wording import counted

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
_PERMISSION = click.Choice([permission.value for permission in Permission])
_DECISIONS = click.option(
    "--decisions",
    type=_FILE,
    metavar="FILE",
    help=f"Where people's decisions stand. Default: {DECISIONS} in DIRECTORY.",
)
_WHO = click.option("--who", required=True, help="Who decides: a name that others know.")
_WHY = click.option("--why", required=True, help="Why, for whoever asks later.")
_PLAIN = {Ruling.YES: "yes", Ruling.NO: "no", Ruling.UNSAID: "-"}


@click.command()
@click.argument("directory", type=_FOLDER)
@click.option(
    "--require",
    multiple=True,
    type=_PERMISSION,
    help="Name the models that may not be used like this, with the reason, and end with 1 if there are any; repeat for "
    "several.",
)
@_DECISIONS
@click.option("--credits", "credits_file", type=_FILE, metavar="FILE", help="Write the creators' names into this file.")
@click.option("--csv", "table", type=_FILE, metavar="FILE", help="Write the ledger as a table, a row a model.")
@click.option("--json", "as_json", is_flag=True, help="An object a line for each model.")
def licences(
    directory: Path,
    require: tuple[str, ...],
    decisions: Path | None,
    credits_file: Path | None,
    table: Path | None,
    as_json: bool,
) -> None:
    """Say who made the models in DIRECTORY, which `farm render` made, and what may be done with them.

    What a VRM's fields say counts; of a text only what it forbids. `farm permit` records what a person decided.
    """
    required = [Permission(name) for name in require]
    standing = Decisions(decisions or directory / DECISIONS)
    if credits_file is not None:
        credits_file.write_text(
            credits_text(row for row in ledger(directory, standing) if not row.lacks(required)), encoding="utf-8"
        )
    if table is not None:
        _write_table(ledger(directory, standing), table)
    lacking = models = 0
    for row in ledger(directory, standing):
        models += 1
        lacks = row.lacks(required)
        lacking += bool(lacks)
        if as_json:
            say_json(_as_json(row, required))
        elif not require:
            say(_line(row))
        for said in () if as_json else lacks:
            say(f"{row.folder}: {said.permission} is {said.answer} ({said.source or 'nobody says anything'})")
    if require:
        note(
            "licences",
            "red" if lacking else "green",
            f"{models - lacking} of {counted(models, 'model allows', 'models allow')} {', '.join(require)}",
        )
    if lacking:
        raise SystemExit(1)


def _line(row: LedgerRow) -> str:
    answers = ", ".join(f"{permission} {_PLAIN[said.answer]}" for permission, said in row.answers.items())
    return (
        f"{row.folder}: {row.title} by {row.creator or 'nobody named'}; {row.licence or 'no licence named'}; {answers}"
    )


def _as_json(row: LedgerRow, required: Sequence[Permission]) -> dict[str, object]:
    return {
        "model": row.model,
        "folder": row.folder,
        "format": row.format,
        "title": row.title,
        "creator": row.creator,
        "contact": row.contact,
        "licence": row.licence,
        "credit": row.credit,
        "texts": row.texts,
        **{permission: {"answer": said.answer, "source": said.source} for permission, said in row.answers.items()},
        "satisfies": not row.lacks(required),
    }


def _write_table(rows: Iterator[LedgerRow], path: Path) -> None:
    heads = ("model", "folder", "format", "title", "creator", "contact", "licence", "credit", "texts")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*heads, *(name for each in Permission for name in (each.value, f"{each.value}_source"))])
        for row in rows:
            said = [text for each in Permission for text in (row.answers[each].answer, row.answers[each].source)]
            cells = [row.model, row.folder, row.format, row.title, row.creator, row.contact, row.licence, row.credit]
            writer.writerow([defused(str(cell)) for cell in (*cells, "; ".join(row.texts), *said)])


@click.command()
@click.argument("directory", type=_FOLDER)
@click.argument("models", nargs=-1, required=True)
@click.option("--allow", multiple=True, type=_PERMISSION, help="What may be done with MODELS; repeat for several.")
@click.option("--deny", multiple=True, type=_PERMISSION, help="What may not be done with them; repeat for several.")
@_WHO
@_WHY
@_DECISIONS
def permit(
    directory: Path,
    models: tuple[str, ...],
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    who: str,
    why: str,
    decisions: Path | None,
) -> None:
    """Record what a person decided about MODELS of DIRECTORY: names of their folders, or digits of their hashes.

    It goes before what the models' files say. Nothing is overwritten: the last decision counts.
    """
    if not allow and not deny:
        raise click.UsageError("Say what is decided, with --allow or --deny.")
    if both := set(allow) & set(deny):
        raise click.UsageError(f"{both.pop()} is both allowed and denied.")
    standing = Decisions(decisions or directory / DECISIONS)
    now = datetime.now(UTC).replace(microsecond=0)
    for model in [find_model(directory, named) for named in models]:  # all are known before any is decided
        standing.add(
            LicenceDecision(
                model=model,
                allows=tuple(map(Permission, allow)),
                denies=tuple(map(Permission, deny)),
                who=who,
                when=now,
                why=why,
            )
        )
    say(f"{counted(len(models), 'decision')} recorded: {standing.path}")


@click.command()
@click.argument("model")
@click.option(
    "--from",
    "places",
    multiple=True,
    type=_FOLDER,
    metavar="DIR",
    help="A rendered folder or an export; repeat for several.",
)
@click.option(
    "--api", "url", metavar="URL", help="A farm that is up, to withdraw it there too; needs an operator's key."
)
@_WHO
@_WHY
def forget(model: str, places: tuple[Path, ...], url: str | None, who: str, why: str) -> None:
    """Take a withdrawn MODEL out of folders and farms, with all that was made of it, and keep it out.

    MODEL is its hash, or, with --from, the name of its folder. What was copied elsewhere is beyond reach: the line that is
    printed for each place says what was removed there.
    """
    from farm.dataset.lock import locked
    from farm.exports.destination import is_export
    from farm.exports.forgetting import check_export, forget_in_export

    if not places and url is None:
        raise click.UsageError("Say where to take it out: --from DIR, or --api URL of a farm.")
    found = _meant(model, places)
    for place in filter(is_export, places):
        check_export(place)  # raises before anything is changed anywhere
    stone = Tombstone(model=found, who=who, when=datetime.now(UTC).replace(microsecond=0), why=why)
    for place in places:
        with locked(place):
            _say_gone(place, forget_in_export(place, stone) if is_export(place) else forget_in_folder(place, stone))
    if url is not None:
        from farm.cli.remote import connect

        with connect(url) as client:
            cancelled, results = client.withdraw_model(found, why)
        say(f"{url}: {counted(results, 'result')} removed, {counted(cancelled, 'job')} cancelled; it is kept out")


def _meant(named: str, places: Sequence[Path]) -> str:
    """The id of the model that somebody means, by the first place that knows it."""
    from farm.exports.destination import is_export
    from farm.exports.forgetting import find_in_export

    refused: StorageError | None = None
    for place in places:
        try:
            return find_in_export(place, named) if is_export(place) else find_model(place, named)
        except StorageError as error:
            refused = refused or error
    if refused is not None:
        raise refused
    return named


def _say_gone(place: Path, gone: Forgotten) -> None:
    if not gone.folders and not gone.rows:
        say(f"{place}: nothing of it is there; it is kept out")
        return
    removed = [counted(count, what) for count, what in ((gone.folders, "folder"), (gone.rows, "row")) if count]
    say(f"{place}: {' and '.join(removed)} removed")
