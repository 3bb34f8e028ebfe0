"""What a pose says of targets beyond the paper's 23: columns of their own, behind the 20."""

from collections.abc import Mapping, Sequence

from farm.morphs.vocabulary import Side, all_targets

_SIDES = (Side.LEFT, Side.RIGHT)


def columns_of(target: str) -> tuple[str, ...]:
    """The columns that the weight of an extended target sets; of both sides, those of either.

    >>> columns_of("mouth/smile/both")
    ('mouth_smile_left', 'mouth_smile_right')
    """
    semantic, _, side = target.rpartition("/")
    names = [f"{semantic}/{each}" for each in _SIDES] if side == Side.BOTH else [target]
    return tuple(name.replace("/", "_") for name in names)


def extended_targets() -> tuple[str, ...]:
    """The targets that a specification can switch on, in the vocabulary's order."""
    return tuple(name for name, target in all_targets().items() if not target.sampled)


def extra_columns(extended: Sequence[str]) -> tuple[str, ...]:
    """The columns of these targets, each once, in the vocabulary's order."""
    chosen = [target for target in extended_targets() if target in extended]
    return tuple(dict.fromkeys(column for target in chosen for column in columns_of(target)))


def extra_values(weights: Mapping[str, float], extended: Sequence[str]) -> tuple[float, ...]:
    """The values of `extra_columns` in a sample with these weights, in [0, 1]."""
    values = dict.fromkeys(extra_columns(extended), 0.0)
    for target, weight in weights.items():
        if target in extended:
            values.update(dict.fromkeys(columns_of(target), weight))
    return tuple(values.values())
