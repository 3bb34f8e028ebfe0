"""S.4: cel shading with outlines; ours, as the paper does not name its fourth style."""

from farm.styles.style import Style
from farm.styles.toon import cel

STYLE = Style("ink", "cel shading with outlines", cel(), outline=1.1)
