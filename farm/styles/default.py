"""S.1: lit and textured; the authors' files call it "default"."""

from farm.styles.expression import maximum
from farm.styles.style import BASE, FACING, LIGHT, Style

STYLE = Style(
    "default",
    "lit and textured",
    BASE * (0.50 + 0.62 * LIGHT * (0.25 + 0.75 * maximum(FACING, 0.0))),
)
