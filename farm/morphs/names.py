"""Names of source morphs, made comparable."""

import unicodedata


def normalise(name: str) -> str:
    """`name` as names are compared: NFKC (half-width kana, full-width digits), without case and spaces.

    >>> normalise("ｳｨﾝｸ２右") == normalise("ウィンク2 右")
    True
    """
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())
