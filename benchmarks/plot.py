"""The bench's figures as a picture."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

_STAGES = ("fetch", "load", "evaluate", "draw", "label", "upload")
_COLOURS = ("#6c7a89", "#4b7bec", "#20bf6b", "#fa8231")


def plot(results: dict[str, Any], path: Path) -> None:
    """Write an SVG: images a second of every way of drawing on a logarithmic scale, and where a job's time goes."""
    ways = {
        "bpy.ops.render.render": results["plain"]["images_per_second"]["all"],
        "Eevee canvas": results["eevee"]["images_per_second"]["all"],
        "forward canvas": results["forward"]["images_per_second"]["all"],
        "... with all labels": results["labels"]["images_per_second"],
        "... two processes": results["processes"]["2"],
        "whole job, farm render": results["job"]["images_per_second"],
    }
    pyplot.rcParams["svg.hashsalt"] = "facefarm"
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 3.6), width_ratios=(3, 2), layout="constrained")
    bars = left.barh(list(ways), list(ways.values()), color=[_COLOURS[0], _COLOURS[1], *[_COLOURS[2]] * 3, _COLOURS[3]])
    left.bar_label(bars, labels=[f"{value:.3g}" for value in ways.values()], padding=3)
    left.set_xscale("log")
    left.set_xlim(right=max(ways.values()) * 4)
    left.invert_yaxis()
    left.set_title(f"images a second, four styles; {results['model']}", fontsize=10)
    spent = results["stages"]["stages"]
    names = [name for name in _STAGES if spent.get(name)]
    right.barh(names, [spent[name] for name in names], color=_COLOURS[1])
    right.barh(["encode (beside it)"], [spent["encode"]], color="#a5b1c2")
    right.invert_yaxis()
    right.set_title(f"seconds of a job of {results['stages']['images']} images", fontsize=10)
    for side in (left, right):
        side.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
