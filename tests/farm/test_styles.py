"""Formulas say what they mean, in GLSL too."""

import pytest

from farm.spec import RenderSpec
from farm.styles import PAPER_STYLES, STYLES
from farm.styles.expression import Node, clamp, colour, glsl, mix, ramp, term

LIGHT, BASE = term("light"), term("base", is_colour=True)


@pytest.mark.parametrize(
    ("formula", "written"),
    [
        (1 - LIGHT, "(1.00000000 - light)"),
        (BASE * LIGHT, "(base * vec3(light))"),
        (2 * BASE + 0.5, "((vec3(2.00000000) * base) + vec3(0.50000000))"),
        (clamp(LIGHT), "min(max(light, 0.00000000), 1.00000000)"),
        (mix(BASE, 0.5, LIGHT), "mix(base, vec3(0.50000000), light)"),
        (ramp(LIGHT) / colour(1, 2, 4), "(shade_ramp(light) / vec3(1.00000000, 2.00000000, 4.00000000))"),
    ],
)
def test_a_number_beside_a_colour_counts_for_every_channel(formula: Node, written: str) -> None:
    assert glsl(formula) == written


def test_the_papers_four_styles_come_first_and_are_the_default() -> None:
    assert tuple(STYLES)[:4] == PAPER_STYLES == RenderSpec().styles


def test_only_ink_has_outlines() -> None:
    assert [name for name in PAPER_STYLES if STYLES[name].outline] == ["ink"]


def test_an_unknown_style_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no style 'oil'; there are default, toon, flat, ink"):
        RenderSpec(styles=("oil",))
