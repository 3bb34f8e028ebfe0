"""The static page for inspection: a folder that a browser opens from the disk, without a farm and without a network.

A page from `file://` may load scripts and pictures but not fetch: so the data are scripts that hand over JSON.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from farm.errors import FarmError
from farm.inspection.record import DrawnInspection, Inspection, picture_version
from farm.models.inventory import Inventory, MorphEntry
from farm.morphs.names import normalise
from farm.morphs.readings import reading
from farm.morphs.vocabulary import all_targets
from farm.poses import MANY_TARGETS, SAMPLES_FEW, SAMPLES_MANY

ASSETS = (
    "palette.css", "inspection.css", "model.js", "store.js", "export.js", "list.js", "pictures.js", "picker.js", "saving.js",
    "conflict.js", "keys.js", "inspection.js", "icon.svg",
)  # fmt: skip
"""What index.html loads, beside the data; scripts in the order in which they stand on each other."""
_DATA, _PICTURES = "data", "pictures"


@dataclass(frozen=True, slots=True)
class Inspected:
    """A model and its pictures."""

    name: str
    inventory: Inventory
    inspection: Inspection


class InspectionPage:
    """The folder of a page. Pictures that are there are kept, so that what was interrupted goes on."""

    def __init__(self, out: Path) -> None:
        """Raises FarmError when `out` is another thing than an empty folder or a page's."""
        self._out = out
        if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / _PICTURES).is_dir())):
            raise FarmError(f"'{out}' is no folder of an earlier page, and not empty; name a new folder.")
        for folder in (_DATA, _PICTURES, "assets"):
            (out / folder).mkdir(parents=True, exist_ok=True)

    def kept(self, model: str) -> Inspection | None:
        """The record of the model of this content hash, if its pictures are there and would be drawn the same today."""
        try:
            inspection = Inspection.model_validate_json(self._file(model, ".json").read_bytes())
        except (OSError, ValueError):
            return None
        whole = inspection.version == picture_version() and self._file(model, ".webp").exists()
        return inspection if whole else None

    def keep(self, pictures: DrawnInspection) -> None:
        """Keep the pictures of a model: the sprite, then the record, which says that both are whole."""
        inspection = pictures.inspection
        _write(self._file(inspection.model, ".webp"), pictures.sprite)
        _write(self._file(inspection.model, ".json"), inspection.model_dump_json(indent=1).encode())

    def write(self, models: Iterable[Inspected]) -> Path:
        """Write the data of these models and the page over them; the path of index.html."""
        index = Index()
        for model in models:
            index.add(model)
            self._hand_over(f"{_DATA}/{model.inspection.model}.js", "pictures", pictures_of(model))
        self._hand_over(f"{_DATA}/index.js", "collection", index.collection())
        home = files("farm.inspection").joinpath("assets")
        for name in ASSETS:
            _write(self._out / "assets" / name, home.joinpath(name).read_bytes())
        _write(self._out / "index.html", home.joinpath("index.html").read_bytes())
        return self._out / "index.html"

    def _file(self, model: str, suffix: str) -> Path:
        return self._out / _PICTURES / f"{model}{suffix}"

    def _hand_over(self, path: str, what: str, value: Any) -> None:
        _write(self._out / path, script(what, value).encode())


def script(what: str, value: Any) -> str:
    """A script that hands `value` over to the page. JSON in a string is read several times faster than as a program."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"inspection.receive({json.dumps(what)}, {json.dumps(text)});\n"


class Index:
    """What the page knows of all models at once; numbers instead of repeated words, for a hundred thousand morphs."""

    def __init__(self) -> None:
        self._targets = {name: number for number, name in enumerate(all_targets())}
        self._names: dict[tuple[str, str], int] = {}
        self._shown: list[list[Any]] = []
        self._models: list[dict[str, Any]] = []

    def add(self, model: Inspected) -> None:
        """Add a model; those without a picture have no morphs to decide about."""
        drawn = {picture.index for picture in model.inspection.morphs}
        morphs = [
            [
                morph.index,
                self._name(morph),
                -1 if morph.proposal is None else self._targets[morph.proposal],
                *_judged(morph).values(),
            ]
            for morph in model.inventory.morphs
            if morph.index in drawn
        ]
        self._models.append({"id": model.inspection.model, "name": model.name, "morphs": morphs})

    def collection(self) -> dict[str, Any]:
        """All of it, as JSON. The collection's id is that of its models: decisions belong to it."""
        ids = "\n".join(sorted(model["id"] for model in self._models))
        return {
            "id": hashlib.sha256(ids.encode()).hexdigest()[:16],
            "targets": [[name, target.part, target.sampled] for name, target in all_targets().items()],
            "names": self._shown,
            "models": self._models,
            "rule": {"many": MANY_TARGETS, "samples_many": SAMPLES_MANY, "samples_few": SAMPLES_FEW},
        }

    def _name(self, morph: MorphEntry) -> int:
        """The number of the morph's name in its panel, as the rows of a mapping table tell them apart."""
        key = normalise(morph.name), morph.panel
        if key not in self._names:
            self._names[key] = len(self._shown)
            self._shown.append([morph.name, morph.panel, reading(morph.name), key[0]])
        return self._names[key]


def pictures_of(model: Inspected) -> dict[str, Any]:
    """What the page needs to show one model's pictures, as JSON."""
    inspection = model.inspection
    entries = {morph.index: morph for morph in model.inventory.morphs}
    return {
        "id": inspection.model,
        "src": f"{_PICTURES}/{inspection.model}.webp",
        "size": inspection.size,
        "head": inspection.head,
        "sprite": inspection.sprite,
        "left_out": inspection.left_out,
        "unusable": list(inspection.unusable),
        "morphs": [
            {
                "index": picture.index,
                "kind": entries[picture.index].kind,
                "effect": picture.effect,
                "pixels": picture.change.count,
                "box": picture.box,
                "place": picture.place,
                "scale": picture.scale,
                "reasons": entries[picture.index].reasons,
                "proposal": entries[picture.index].proposal or "",
                **_judged(entries[picture.index]),
            }
            for picture in inspection.morphs
        ],
    }


def _judged(morph: MorphEntry) -> dict[str, Any]:
    """What the evidence lets a morph play, as the page takes it: `side` is "" for what shows nothing, "?" for not known."""
    judgement = morph.judgement()
    return {
        "side": "" if not judgement.shows else judgement.side.value if judgement.side else "?",
        "confidence": morph.confidence,
        "parts": judgement.parts,
        "denied": dict(judgement.denied),
        "sides": dict(judgement.sides),
    }


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)
