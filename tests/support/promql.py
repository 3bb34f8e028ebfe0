"""What a Prometheus query asks for."""

import re

from farm import metrics

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(r"\{[^}]*\}")
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_DURATION = re.compile(r"\[[^\]]*\]|\boffset\s+\S+")
_NAME = re.compile(r"\b[a-zA-Z_:][a-zA-Z0-9_:]*\b(?!\s*\()")
_WORDS = {"and", "or", "unless", "bool", "inf", "nan", "Inf", "NaN"}


def names_in(query: str) -> set[str]:
    """The names of the series that a query reads."""
    for part in (_STRING, _SELECTOR, _GROUPING, _DURATION):
        query = part.sub(" ", query)
    return set(_NAME.findall(query)) - _WORDS


def series_of(metric: metrics.Metric) -> set[str]:
    """The names of a metric's series."""
    if metric.kind == "histogram":
        return {f"{metric.name}_{part}" for part in ("bucket", "sum", "count")}
    return {metric.name}


def unknown_metrics(query: str) -> set[str]:
    """The names in a query that are no series of the farm's."""
    return names_in(query) - {name for metric in metrics.ALL for name in series_of(metric)}
