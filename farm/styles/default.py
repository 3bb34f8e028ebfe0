"""S.1: lit and textured; the authors' files call it "default"."""

from farm.styles.expression import maximum
from farm.styles.style import BASE, FACING, LIGHT, Style

STYLE = Style(
    "default",
    "lit and textured",
    BASE * (0.42 + 0.68 * LIGHT * (0.15 + 0.85 * maximum(FACING, 0.0))),
)
