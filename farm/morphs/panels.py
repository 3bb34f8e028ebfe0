"""The panels that MikuMikuDance shows morphs in."""

from enum import IntEnum


class Panel(IntEnum):
    """Where MikuMikuDance shows a morph; names like 上 mean eyebrows only in the panel EYEBROW. Source: PMX 2.1."""

    SYSTEM = 0
    EYEBROW = 1
    EYE = 2
    MOUTH = 3
    OTHER = 4
