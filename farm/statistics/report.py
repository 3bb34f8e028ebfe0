"""The report over a rendered folder: numbers for programs, and a page for people that needs no network and no other file."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from farm.dataset.reading import models_in
from farm.labels import PART_COLOURS, Part
from farm.licences.tombstones import admitted
from farm.morphs.vocabulary import target_morphs
from farm.statistics.counts import ANGLES, Counts, Histogram
from farm.statistics.looks import Looks, Lots, look_at
from farm.wording import counted

_BOXES = 400
"""Head boxes that the page draws over each other."""
_TABLE = 5000
"""Models that the page lists; the JSON has all."""


class Progress:
    """Is told how far the work is; what it does with it is up to whoever shows it."""

    def models(self) -> None:
        """Another model was counted."""

    def pictures(self, total: int) -> None:
        """Another of `total` pictures was looked at."""


def statistics(directory: Path, seed: int, pictures: int, tiles: int, progress: Progress) -> tuple[Counts, Looks]:
    """Count all models under `directory` and look at `pictures` pictures, chosen by lot; `tiles` of them for the sheet.

    Raises StorageError for a damaged manifest, and when there is no model.
    """
    counts, lots = Counts(), Lots(seed, pictures)
    for model in admitted(directory, models_in(directory)):
        counts.add(model.folder.name, model.manifest)
        lots.offer(model)
        progress.models()
    chosen = lots.chosen()

    def told() -> Iterator[Any]:
        for each in chosen:
            yield each
            progress.pictures(len(chosen))

    return counts, look_at(told(), tiles)


def as_json(counts: Counts, looks: Looks) -> dict[str, Any]:
    """The numbers, without the pictures. Field names are stable."""
    return {
        "models": counts.models,
        "pictures": counts.pictures,
        "samples": counts.samples,
        "samples_a_model": {str(count): models for count, models in sorted(counts.samples_a_model.items())},
        "formats": _sorted(counts.formats),
        "styles": _sorted(counts.styles),
        "renderers": {str(version): models for version, models in sorted(counts.renderers.items())},
        "models_with_warnings": counts.warned,
        "models_with_target": {target.name: counts.models_with[target.name] for target in target_morphs()},
        "pose": {
            name: {**_histogram(histogram), **({"zero": counts.still[name]} if name not in ANGLES else {})}
            for name, histogram in counts.poses.items()
        },
        "light": _histogram(counts.light),
        "yaw": _histogram(counts.yaw),
        "elevation": _histogram(counts.elevation),
        "pictures_over_backgrounds": counts.backgrounds,
        "head_height": _histogram(counts.head_heights),
        "head_box_mean": [round(sum(edges) / len(edges), 4) for edges in zip(*counts.head_boxes, strict=True)],
        "licences": _sorted(counts.licences),
        "permissions": {name: _sorted(answers) for name, answers in counts.permissions.items()},
        "looked_at": sum(looks.counts.values()),
        "unreadable": looks.unreadable,
        "coverage": {style: round(looks.coverage[style] / looks.counts[style], 4) for style in sorted(looks.counts)},
        "part_pictures": looks.part_pictures,
        "parts": {part.name.lower(): area for part, area in _areas(looks).items()},
        "by_model": [
            {
                "folder": line.folder,
                "title": line.title,
                "format": line.format,
                "targets": line.targets,
                "samples": line.samples,
                "pictures": line.pictures,
            }
            for line in counts.lines
        ],
    }


def page(name: str, counts: Counts, looks: Looks) -> str:
    """The page's HTML; `name` is what the data set is called."""
    environment = Environment(
        loader=PackageLoader("farm.statistics", "assets"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    areas = _areas(looks)
    environment.filters["counted"] = counted
    return environment.get_template("report.html").render(
        name=name,
        counts=counts,
        numbers=as_json(counts, looks),
        weights=[(name, histogram) for name, histogram in counts.poses.items() if name not in ANGLES],
        angles=[(name, histogram) for name, histogram in counts.poses.items() if name in ANGLES],
        targets=[(target.name, counts.models_with[target.name]) for target in target_morphs()],
        boxes=counts.head_boxes[:: max(1, len(counts.head_boxes) // _BOXES)],
        means={style: _uri(data, "png") for style, data in looks.means().items()},
        coverage={style: looks.coverage[style] / looks.counts[style] for style in looks.counts},
        looks=looks,
        parts=[(part.name.lower().replace("_", " "), _colour(part), area) for part, area in areas.items()],
        tiles=[_uri(data, "jpeg") for data in looks.tiles],
        lines=counts.lines[:_TABLE],
        left_out=max(0, len(counts.lines) - _TABLE),
    )


def _colour(part: Part) -> str:
    return "#" + bytes(PART_COLOURS[part]).hex()


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _histogram(histogram: Histogram) -> dict[str, Any]:
    return {"low": histogram.low, "high": histogram.high, "counts": histogram.counts.tolist()}


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _areas(looks: Looks) -> dict[Part, dict[str, float]]:
    """Of each part: its mean share in the pictures that show it, and in how many of all it shows."""
    return {
        part: {
            "mean_area": round(float(np.mean(shares)), 5),
            "shown_in": round(len(shares) / looks.part_pictures, 4),
        }
        for part, shares in sorted(looks.areas.items())
    }
