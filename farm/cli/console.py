"""Where commands print: results on stdout, everything else on stderr."""

from rich.console import Console

stdout = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)
