"""VRM's rules between expressions."""

import pytest

from farm.morphs.expressions import Rule, effective

BLOCK_MOUTH = Rule(overrides={"mouth": "block"})
BLEND_BLINK = Rule(overrides={"blink": "blend"})


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
    assert effective(weights, rules) | shown == pytest.approx(effective(weights, rules))


def test_a_binary_expression_that_blends_blocks_when_it_is_on() -> None:
    rule = Rule(binary=True, overrides={"blink": "blend"})

    assert effective({"wow": 0.9, "blink": 0.5}, {"wow": rule}) == {"wow": 1.0, "blink": 0.0}
