"""How Japanese names are read, in Latin letters: for whoever decides about them and does not read Japanese."""

import unicodedata
from functools import cache
from typing import Any


@cache
def _converter() -> Any:
    from pykakasi import kakasi  # a dictionary of 10 MB, read in a second: only where readings are shown

    make: Any = kakasi  # without types
    return make()


def reading(name: str) -> str:
    """`name` in Hepburn romaji, such as "uinku 2 migi" for "ウィンク２右"; "" when it has nothing to read.

    A dictionary's reading, not a person's: of several that a character has, one. Chinese and Korean have none.
    """
    plain = unicodedata.normalize("NFKC", name)
    if plain.isascii() or not any(_is_japanese(letter) for letter in plain):
        return ""
    words = [word["hepburn"].strip() for word in _converter().convert(plain)]
    return " ".join(word for word in words if word)


def _is_japanese(letter: str) -> bool:
    return "\u3040" <= letter <= "\u30ff" or "\u4e00" <= letter <= "\u9fff"
