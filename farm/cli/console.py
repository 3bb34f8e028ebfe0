"""Where commands print: results on stdout, everything else on stderr."""

import io
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

_PIPE_WIDTH = 160
"""Columns where there is no terminal to ask: a table in a file should not be cut to 80."""

for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # a terminal without kana shows question marks, not a traceback

stdout = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
stderr = Console(stderr=True, highlight=False, emoji=False)


def clean(text: str) -> str:
    """`text` on one line, without the control characters by which a file's name or title could command the terminal."""
    return "".join(letter if letter.isprintable() else " " if letter == "\n" else "\ufffd" for letter in text)


def clean_lines(text: str) -> str:
    """The same for a text that has lines."""
    return "\n".join(map(clean, text.split("\n")))


def note(word: str, colour: str, text: str) -> None:
    """Print ``word: text`` on stderr, the word coloured, the text as it is and on one line."""
    stderr.print(f"[{colour}]{word}[/{colour}] ", end="")
    stderr.print(clean(text), markup=False, soft_wrap=True)


def tracked(paths: Sequence[Path], what: str) -> Iterable[Path]:
    """The paths, with a bar on stderr that shows how far they are; without one when there are none."""
    from rich.progress import track

    return track(paths, what, console=stderr, transient=True) if paths else ()
