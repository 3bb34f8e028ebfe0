"""S.3: the surface's own colours without light, as the paper's colorization and harmonization use them."""

from farm.styles.style import BASE, Style

STYLE = Style("flat", "unlit colours", BASE)
