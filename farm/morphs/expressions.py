"""The rules by which VRM expressions limit each other, so that a label says what the picture shows.

Source: VRMC_vrm-1.0, expressions: isBinary, overrideBlink, overrideMouth, overrideLookAt; VRM 0.x has isBinary alone.
"""

from collections.abc import Mapping

from pydantic import BaseModel

GROUPS = {
    "blink": ("blink", "blinkLeft", "blinkRight"),
    "mouth": ("aa", "ih", "ou", "ee", "oh"),
    "lookAt": ("lookUp", "lookDown", "lookLeft", "lookRight"),
}
"""The procedural expressions that another expression can override, by kind."""


class Rule(BaseModel):
    """What an expression asks for besides its own effect."""

    binary: bool = False
    """It is either off or on: weights over 0.5 count as 1."""
    overrides: dict[str, str] = {}
    """Kind of `GROUPS` to "block" (turn those off while this shows) or "blend" (weaken them by this one's weight)."""


def effective(weights: Mapping[str, float], rules: Mapping[str, Rule]) -> dict[str, float]:
    """The weights that show, by expression, when `weights` are asked for."""
    shown = {
        name: float(weight > 0.5) if name in rules and rules[name].binary else weight
        for name, weight in weights.items()
    }
    kept = dict(shown)
    for kind, members in GROUPS.items():
        share = 1.0
        for name, weight in shown.items():
            mode = rules[name].overrides.get(kind) if name in rules else None
            if mode == "block" and weight > 0:
                share = 0.0
            elif mode == "blend":
                share -= float(weight > 0) if rules[name].binary else weight
        for member in members:
            if member in kept:
                kept[member] = shown[member] * max(0.0, share)
    return kept
