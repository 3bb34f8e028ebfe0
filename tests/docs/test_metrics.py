"""The page of metrics is what the code shows: names, types, labels with their values, who shows them, meanings."""

import re
from pathlib import Path

from farm import metrics

PAGE = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text()
ROWS = re.findall(r"^\| `(farm_\w+)` \| (.+?) \| (.+?) \| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)


def row(metric: metrics.Metric) -> tuple[str, str, str, str, str]:
    labels = [f"`{label.name}`" + (f" ({', '.join(label.known)})" if label.known else "") for label in metric.labels]
    return metric.name, metric.kind, ", ".join(labels) or "none", ", ".join(metric.roles), metric.meaning


def test_the_table_and_the_code_say_the_same() -> None:
    assert [row(metric) for metric in metrics.ALL] == ROWS


def test_every_metric_that_a_page_mentions_exists() -> None:
    known = {metric.name for metric in metrics.ALL}
    for path in (*Path(__file__).parents[2].glob("docs/**/*.md"), Path(__file__).parents[2] / "README.md"):
        named = set(re.findall(r"\bfarm_[a-z_]+_(?:total|seconds|bytes|usable|info|ratio|share)\b", path.read_text()))
        assert named <= known, path
