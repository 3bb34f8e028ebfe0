"""Values of untrusted JSON, each by the type that it must have: what is of another type counts as absent."""

from typing import Any, cast

from farm.errors import ModelFormatError

type Json = dict[str, Any]

_MAX_ENTRIES = 2**16
"""Of any list of a glTF file: nodes, accessors, materials, expressions."""
_LARGEST = 1e6


def member(value: Any, key: str) -> Json:
    """The object `value[key]`, or an empty one."""
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def members(value: Any, key: str) -> list[Json]:
    """The list `value[key]`, with an empty object for each entry that is none, so that indices stay what they are.

    Raises ModelFormatError for a list beyond all measure.
    """
    found = entries(value, key)
    return [item if isinstance(item, dict) else {} for item in found]


def entries(value: Any, key: str) -> list[Any]:
    """The list `value[key]`, or an empty one. Raises ModelFormatError for a list beyond all measure."""
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, list):
        return []
    if len(found) > _MAX_ENTRIES:
        raise ModelFormatError(
            f"The file lists {len(found)} {key}, over the limit of {_MAX_ENTRIES}. Reduce it in an editor and export again."
        )
    return found


def text(value: Any) -> str:
    """`value` as a text; JSON can spell halves of surrogate pairs, which no file and no answer could hold."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def index(value: Any, count: int) -> int | None:
    """`value` as an index into a list of `count` entries."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count else None


def whole(value: Any) -> int | None:
    """`value` as a whole number, which some exporters write as 1.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: Any, default: float) -> float:
    """`value` as a number of ordinary size."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST:
        return float(value)
    return default


def vector[T: tuple[float, ...]](value: Any, default: T) -> T:
    """`value` as numbers, as many as `default` has; what is absent or odd is taken from `default`."""
    given = value if isinstance(value, list) else []
    padded = [*given[: len(default)], *[None] * (len(default) - len(given))]
    return cast(T, tuple(number(item, rest) for item, rest in zip(padded, default, strict=True)))
