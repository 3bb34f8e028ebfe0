"""Where commands print: results on stdout, everything else on stderr."""

import io
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from farm.wording import clean, clean_lines, json_text

_PIPE_WIDTH = 160
"""Columns where there is no terminal to ask: a table in a file should not be cut to 80."""

for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # a terminal without kana shows question marks, not a traceback


class _Clean(Console):
    """Prints nothing that is not printable, but for what rich makes itself: colours, bars, lines.

    Names of files, titles and answers of servers are strangers' words. Whoever prints one in a table cleans it before, since
    its width counts there; this is for all the rest.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is printed, in pieces of one style."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else clean_lines(text), style, control)


def say(text: str) -> None:
    """Print `text` on stdout, as it is and on one line."""
    stdout.print(clean(text), markup=False, soft_wrap=True)


def say_json(value: Any) -> None:
    """Print `value` on stdout as JSON, on one line."""
    click.echo(json_text(value))


stdout = _Clean(highlight=False, emoji=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
stderr = _Clean(stderr=True, highlight=False, emoji=False)


def note(word: str, colour: str, text: str) -> None:
    """Print ``word: text`` on stderr, the word coloured, the text as it is and on one line."""
    stderr.print(f"[{colour}]{word}[/{colour}] ", end="")
    stderr.print(clean(text), markup=False, soft_wrap=True)


def tracked(paths: Sequence[Path], what: str) -> Iterable[Path]:
    """The paths, with a bar on stderr that shows how far they are; without one when there are none."""
    from rich.progress import track

    return track(paths, what, console=stderr, transient=True) if paths else ()
