"""Cells of a CSV that a spreadsheet would run as formulas: defused on the way out, read back on the way in.

A creator may name a morph ``=△=`` or ``@_@``, and somebody hostile ``=HYPERLINK(...)``. Spreadsheets show a cell with an
apostrophe before it as text. Source of the characters: OWASP, CSV injection; full-width ones, since Japanese spreadsheets
take them for the others.
"""

import re

_RUN = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_DEFUSED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


def defused(text: str) -> str:
    """`text` as a cell that no spreadsheet runs.

    >>> defused("=1+1"), defused("まばたき")
    ("'=1+1", 'まばたき')
    """
    return "'" + text if _RUN.match(text) else text


def as_written(cell: str) -> str:
    """The inverse of `defused`; a cell that nobody defused stays as it is.

    >>> as_written(defused("'=1")) == "'=1" and as_written("'quoted'") == "'quoted'"
    True
    """
    return cell[1:] if _DEFUSED.match(cell) else cell
