"""Where commands print: results on stdout, everything else on stderr."""

from rich.console import Console

stdout = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)


def note(word: str, colour: str, text: str) -> None:
    """Print ``word: text`` on stderr, the word coloured, the text as it is and on one line."""
    stderr.print(f"[{colour}]{word}[/{colour}] ", end="")
    stderr.print(text, markup=False, soft_wrap=True)
