"""Numbers and times as people read them."""

from datetime import UTC, datetime

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


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
