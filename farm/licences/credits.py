"""The file that names the creators, to be passed on with the pictures."""

from collections.abc import Iterable

from farm.licences.ledger import LedgerRow
from farm.licences.terms import Ruling
from farm.wording import clean

_MOST = 300
"""Characters of a name that a creator chose."""
_HEAD = """Characters of this data set
===========================

The pictures were made from 3D characters by the people named here. What their files say of the use of the characters
stands beside their names, as it was found there; where nothing stands, nothing was found, which permits nothing.
"""


def credits_text(rows: Iterable[LedgerRow]) -> str:
    """The file's text, a paragraph for each model, by its title."""
    paragraphs = sorted((_paragraph(row) for row in rows), key=str.casefold)
    return "\n".join([_HEAD, *paragraphs])


def _paragraph(row: LedgerRow) -> str:
    lines = [f"{_plain(row.title) or row.folder} ({row.model[:8]})"]
    lines.append(f"  by {_plain(row.creator)}" if row.creator else "  creator: not said in the file")
    for word, text in (("contact", row.contact), ("licence", row.licence)):
        if text:
            lines.append(f"  {word}: {_plain(text)}")
    if row.credit is Ruling.YES:
        lines.append("  the creator asks to be named")
    lines += [
        f"  {permission}: {said.answer} ({_plain(said.source)})"
        for permission, said in row.answers.items()
        if said.answer is not Ruling.UNSAID
    ]
    if row.texts:
        lines.append(f"  texts beside the model: {', '.join(map(_plain, row.texts))}")
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """On one line, without what could command a terminal."""
    return clean(" ".join(text.split())[:_MOST])
