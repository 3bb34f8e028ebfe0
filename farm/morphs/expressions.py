"""The rules by which VRM expressions limit each other, so that a label says what the picture shows.

Source: VRMC_vrm-1.0, expressions: isBinary, overrideBlink, overrideMouth, overrideLookAt; VRM 0.x has isBinary alone.
"""

from collections.abc import Mapping

from pydantic import BaseModel

from farm.morphs.refs import MorphRef

GROUPS = {
    "blink": ("blink", "blinkLeft", "blinkRight"),
    "mouth": ("aa", "ih", "ou", "ee", "oh"),
    "lookAt": ("lookUp", "lookDown", "lookLeft", "lookRight"),
}
"""The names of the procedural expressions that another expression can override, by kind."""


class Rule(BaseModel):
    """What an expression asks for besides its own effect."""

    binary: bool = False
    """It is either off or on: weights over 0.5 count as 1."""
    overrides: dict[str, str] = {}
    """Kind of `GROUPS` to "block" (turn those off while this shows) or "blend" (weaken them by this one's weight)."""


def effective(weights: Mapping[MorphRef, float], rules: Mapping[int, Rule]) -> dict[MorphRef, float]:
    """The weights that show, by expression, when `weights` are asked for. `rules` are by the expressions' indices."""
    ruled = {morph: rules.get(morph.index, Rule()) for morph in weights}
    shown = {morph: float(weight > 0.5) if ruled[morph].binary else weight for morph, weight in weights.items()}
    kept = dict(shown)
    for kind, members in GROUPS.items():
        share = 1.0
        for morph, weight in shown.items():
            mode = ruled[morph].overrides.get(kind)
            if mode == "block" and weight > 0:
                share = 0.0
            elif mode == "blend":
                share -= float(weight > 0) if ruled[morph].binary else weight
        for morph in shown:
            if morph.name in members:
                kept[morph] = shown[morph] * max(0.0, share)
    return kept
