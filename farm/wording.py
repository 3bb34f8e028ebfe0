"""Numbers, times, strangers' words and many sentences of one kind as people read them."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from farm.errors import FarmError

_SHOWN = 3
_REASON = 200
"""Characters of what a library says."""
_OBJECT = re.compile(r"<class |<[\w.]+ object|\b0x[0-9a-f]{6}")
_QUOTED = re.compile(r"'([^']*)'")
_NUMBER = re.compile(r"\d+")
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def clean(text: str) -> str:
    """`text` on one line, with U+FFFD for what no terminal or page should get of a stranger: control characters, which
    command it, and such as turn the direction of reading, hide, or are no characters at all.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " if letter == "\n" else "\ufffd" for letter in text)


def clean_lines(text: str) -> str:
    """The same for a text that has lines."""
    return "\n".join(map(clean, text.split("\n")))


def json_text(value: Any, indent: int | None = None) -> str:
    """`value` as JSON: what `clean` takes out of a text is an escape here, so that programs read what was there."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1] for letter in text)


_CODE = re.compile(r"[<>{}\[\]\\]|\w_|_\w|\b0x|[A-Za-z]\.[A-Za-z]|\b[A-Z]?[a-z]+[A-Z]|\b[a-z]{0,2}'|\(\)")
"""What sentences for people do not have: addresses, names of classes, modules and constants, bytes, calls."""
_EXPECTED = {
    "model_type": "an object is expected here",
    "model_attributes_type": "an object is expected here",
    "dataclass_type": "an object is expected here",
    "is_instance_of": "something else is expected here",
    "is_subclass_of": "something else is expected here",
    "callable_type": "something else is expected here",
}


def reason(error: Exception, unsaid: str = "its bytes are damaged") -> str:
    """Why a library gave up on a stranger's file, for a sentence of ours; `unsaid` where it speaks of its own insides only.

    Without paths: an error of the operating system says what went wrong, and not where.
    """
    if isinstance(error, FarmError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error)
    return unsaid if not text or _CODE.search(text) else clean(text)[:_REASON]


def mistake(found: Mapping[str, Any]) -> str:
    """What pydantic says is wrong with a value (`found` is one of its `errors()`), without the names of our classes."""
    if found["type"] in _EXPECTED:
        return _EXPECTED[found["type"]]
    text = str(found["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return "something else is expected here" if _OBJECT.search(text) else text


def duration(seconds: float) -> str:
    """A length of time in its two largest units: ``2 h 5 min``."""
    left = max(0, round(seconds))
    if left < 1:
        return "under 1 s"
    counts = []
    for size, unit in _UNITS:
        counts.append((left // size, unit))
        left %= size
    first = next(place for place, (count, _) in enumerate(counts) if count)
    return " ".join(f"{count} {unit}" for count, unit in counts[first : first + 2] if count)


def number(value: float) -> str:
    """With separators between thousands; with one decimal below 10 unless it is a whole number."""
    if value == round(value) or value >= 10:
        return f"{round(value):,}"
    return f"{value:.1f}"


def moment(at: float | str) -> datetime:
    """A time in UTC, from seconds since the epoch or from ISO 8601."""
    if isinstance(at, str):
        return datetime.fromisoformat(at).astimezone(UTC)
    return datetime.fromtimestamp(round(at), UTC)


def counted(count: int, one: str, many: str = "") -> str:
    """How many there are of something: ``1 model``, ``2 models``; `many` where it is more than `one` and an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def gathered(sentences: Iterable[str]) -> list[str]:
    """The sentences, each once. Of those that differ only in quotes and numbers the first stays, and names others."""
    kinds: dict[str, dict[str, None]] = {}
    for sentence in sentences:
        kind = _NUMBER.sub("", _QUOTED.sub("", sentence)) if _QUOTED.search(sentence) else sentence
        kinds.setdefault(kind, {})[sentence] = None
    return [_in_one(list(alike)) for alike in kinds.values()]


def _in_one(alike: list[str]) -> str:
    others = [_QUOTED.findall(sentence)[0] for sentence in alike[1:]]
    if not others:
        return alike[0]
    return f"{alike[0]} So it is with {counted(len(others), 'other')}: {few(others)}."


def few(names: Sequence[str]) -> str:
    """The first of some names, quoted, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN]) + more
