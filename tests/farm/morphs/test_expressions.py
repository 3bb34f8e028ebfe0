"""VRM's rules between expressions."""

from collections.abc import Mapping

import pytest

from farm.morphs.expressions import Rule, effective
from farm.morphs.refs import MorphRef

BLOCK_MOUTH = Rule(overrides={"mouth": "block"})
BLEND_BLINK = Rule(overrides={"blink": "blend"})
NAMES = ("aa", "blink", "blinkLeft", "happy", "sad", "custom", "wow")


def _shown(weights: Mapping[str, float], rules: Mapping[str, Rule]) -> dict[str, float]:
    """`effective` in a file whose expressions have `NAMES`."""
    index = {name: place for place, name in enumerate(NAMES)}
    asked = {MorphRef(index=index[name], name=name): weight for name, weight in weights.items()}
    shown = effective(asked, {index[name]: rule for name, rule in rules.items()})
    return {morph.name: weight for morph, weight in shown.items()}


@pytest.mark.parametrize(
    ("weights", "rules", "shown"),
    [
        ({"aa": 0.4, "blink": 0.7}, {}, {"aa": 0.4, "blink": 0.7}),
        ({"blink": 0.5}, {"blink": Rule(binary=True)}, {"blink": 0.0}),
        ({"blink": 0.51}, {"blink": Rule(binary=True)}, {"blink": 1.0}),
        ({"happy": 0.1, "aa": 0.8}, {"happy": BLOCK_MOUTH}, {"happy": 0.1, "aa": 0.0}),
        ({"happy": 0.0, "aa": 0.8}, {"happy": BLOCK_MOUTH}, {"happy": 0.0, "aa": 0.8}),
        ({"happy": 0.25, "blinkLeft": 0.8}, {"happy": BLEND_BLINK}, {"happy": 0.25, "blinkLeft": 0.6}),
        ({"happy": 0.7, "sad": 0.6, "blink": 1.0}, {"happy": BLEND_BLINK, "sad": BLEND_BLINK}, {"blink": 0.0}),
        ({"happy": 0.3, "aa": 0.8, "custom": 0.5}, {"happy": BLEND_BLINK}, {"aa": 0.8, "custom": 0.5}),
    ],
)
def test_what_shows(weights: dict[str, float], rules: dict[str, Rule], shown: dict[str, float]) -> None:
    assert _shown(weights, rules) | shown == pytest.approx(_shown(weights, rules))


def test_a_binary_expression_that_blends_blocks_when_it_is_on() -> None:
    rule = Rule(binary=True, overrides={"blink": "blend"})

    assert _shown({"wow": 0.9, "blink": 0.5}, {"wow": rule}) == {"wow": 1.0, "blink": 0.0}


def test_of_two_expressions_with_one_name_each_has_its_own_rule() -> None:
    first, second = MorphRef(index=0, name="blink"), MorphRef(index=1, name="blink")

    assert effective({first: 0.4, second: 0.4}, {1: Rule(binary=True)}) == {first: 0.4, second: 0.0}
    assert effective({first: 0.5, second: 0.8}, {0: BLEND_BLINK}) == {first: 0.25, second: 0.4}
