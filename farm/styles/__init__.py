"""The shader styles. Each module here with a `STYLE` is one: a new file is a new style, and nothing else changes."""

from importlib import import_module
from pkgutil import iter_modules

from farm.styles.style import Style

PAPER_STYLES = ("default", "toon", "flat", "ink")
"""S.1 to S.4. Names "default" and "toon" follow the authors' files; the paper names S.3 flat colours; S.4 is ours."""


def _discovered() -> dict[str, Style]:
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    styles = {module.STYLE.name: module.STYLE for module in modules if hasattr(module, "STYLE")}
    return {name: styles[name] for name in sorted(styles, key=lambda n: (*(n != p for p in PAPER_STYLES), n))}


STYLES: dict[str, Style] = _discovered()
"""Every style by name, the paper's four first."""
