"""The ledger: who made each model of a rendered folder, and what may be done with it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from farm.dataset.manifest import Manifest
from farm.dataset.reading import models_in
from farm.licences.decisions import DECISIONS, Decisions
from farm.licences.terms import Permission, Ruling, Said, Terms, terms_of
from farm.licences.tombstones import admitted

_COMMENT = "comment in the model"
_CONTACTS = ("contactInformation", "reference")


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One model."""

    model: str
    """Its id."""
    folder: str
    format: str
    title: str
    creator: str
    """As its file says; empty for MMD models, which have no place for it but the comment."""
    contact: str
    licence: str
    """Name or address; empty where the file names none."""
    credit: Ruling
    answers: dict[Permission, Said]
    """What holds, and by whose word: a person's decision goes before the file."""
    texts: tuple[str, ...]
    """Names of the readme and licence files that were beside the model."""

    def lacks(self, required: Sequence[Permission]) -> list[Said]:
        """Which of these are not permitted."""
        return [self.answers[each] for each in required if self.answers[each].answer is not Ruling.YES]


def ledger(directory: Path, decisions: Decisions | None = None) -> Iterator[LedgerRow]:
    """The models of a rendered folder, one after another, each once.

    `decisions`: by default those that stand in the folder itself. Raises StorageError for a damaged manifest, or none.
    """
    decided = Decisions(directory / DECISIONS) if decisions is None else decisions
    seen: set[str] = set()
    for model in admitted(directory, models_in(directory)):
        if model.manifest.model.id not in seen:
            seen.add(model.manifest.model.id)
            yield _row(model.folder.name, model.manifest, decided)


def permits(manifest: Manifest, required: Sequence[Permission], decisions: Decisions) -> bool:
    """Whether the model of a manifest may be used in all of these ways."""
    return not _row("", manifest, decisions).lacks(required)


def terms_in(manifest: Manifest) -> Terms:
    """What the model's file and the texts beside it say."""
    record = manifest.model
    texts = [(_COMMENT, record.comment), (_COMMENT, record.comment_en)]
    texts += [(notice.name, notice.text) for notice in record.notices]
    return terms_of(record.format.startswith("VRM 1"), record.licence, texts)


def _row(folder: str, manifest: Manifest, decisions: Decisions) -> LedgerRow:
    record, terms = manifest.model, terms_in(manifest)
    answers = {permission: terms.answer(permission) for permission in Permission}
    for permission, (allowed, decision) in decisions.of(record.id).items():
        answers[permission] = Said(permission, Ruling.YES if allowed else Ruling.NO, decision.source())
    return LedgerRow(
        model=record.id,
        folder=folder,
        format=record.format,
        title=record.title,
        creator=record.creator or record.licence.get("author") or record.licence.get("authors") or "",
        contact=next((record.licence[name] for name in _CONTACTS if record.licence.get(name)), ""),
        licence=terms.licence,
        credit=terms.credit,
        answers=answers,
        texts=tuple(notice.name for notice in record.notices),
    )
