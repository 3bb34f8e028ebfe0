"""Croissant metadata of an export: what its files are and how rows are read from them.

Format: MLCommons Croissant 1.0, https://docs.mlcommons.org/croissant/docs/croissant-spec.html. There is no date in it, as in
no output of the farm: equal exports are equal files.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from farm import __version__
from farm.dataset.splits import SPLITS
from farm.exports.layout import Described
from farm.exports.receipts import FileRecord
from farm.exports.roster import Roster
from farm.wording import counted

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_INTEGERS = ("sample", "view", "seed")
_REPEATED = ("pose", "pose_mask", "rotation")
_TEXTS = (
    "key",
    "model",
    "folder",
    "split",
    "partition",
    "background",
    "org_id",
    "folder_name",
    "png_name",
    "marks",
    "title",
    "creator",
    "format",
    "arrays",
)
PAPER = (
    "Kim et al., AnimeCeleb: Large-Scale Animation CelebHeads Dataset for Head Reenactment, ECCV 2022, arXiv:2111.07640"
)


_MODEL_COLUMNS = ("model", "org_id", "folder", "split", "title", "creator", "format")


def metadata(roster: Roster, described: Described, models: Mapping[str, FileRecord]) -> bytes:
    """The file ``croissant.json``; `models` is the table of models."""
    (table,) = models
    styles = ", ".join(dict.fromkeys(style for member in roster.members for style in member.spec.styles))
    whole = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": "facefarm-faces",
        "description": f"{counted(roster.images, 'picture')} of the faces of "
        f"{counted(len(roster.members), '3D anime character')}, with exact poses, in the styles {styles}; "
        f"layout {roster.layout}. README.md tells how they were made.",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "license": "README.md#licences",
        "url": "README.md",
        "version": "1.0.0",
        "creator": {"@type": "sc:Organization", "name": f"Facefarm {__version__}"},
        "citeAs": PAPER,
        "isLiveDataset": False,
        "distribution": file_objects(models, "application/jsonlines") + described.distribution,
        "recordSet": [
            splits(roster),
            records("models", "A row a model", {"fileObject": table}, _MODEL_COLUMNS),
            *described.record_sets,
        ],
    }
    return json.dumps(whole, ensure_ascii=False, indent=1).encode() + b"\n"


def file_set(name: str, includes: str | list[str], encoding: str, within: Sequence[str] = ()) -> dict[str, Any]:
    """Files by patterns: below the export's root, or in archives."""
    found: dict[str, Any] = {
        "@type": "cr:FileSet",
        "@id": name,
        "name": name,
        "encodingFormat": encoding,
        "includes": includes,
    }
    if within:
        found["containedIn"] = [{"@id": archive} for archive in within]
    return found


def file_objects(files: Mapping[str, FileRecord], encoding: str) -> list[dict[str, Any]]:
    """Files with their hashes."""
    return [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "contentSize": f"{record.bytes} B",
            "encodingFormat": encoding,
            "sha256": record.sha256,
        }
        for name, record in files.items()
    ]


def records(name: str, description: str, source: Mapping[str, str], columns: Sequence[str]) -> dict[str, Any]:
    """A record set with a field for each column; `source` is where they are."""
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": description,
        "field": [_field(name, column, source) for column in columns],
    }


def _field(record_set: str, column: str, source: Mapping[str, str]) -> dict[str, Any]:
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{record_set}/{column}",
        "name": column,
        "dataType": _type_of(column),
        "source": {**{kind: {"@id": name} for kind, name in source.items()}, "extract": {"column": column}},
    }
    if column in _REPEATED:
        field["repeated"] = True
    if field["dataType"] == "sc:ImageObject":
        field["source"]["transform"] = {"jsonPath": "bytes"}
    return field


def _type_of(column: str) -> str:
    if column == "pose_mask":
        return "sc:Boolean"
    if column in _INTEGERS:
        return "sc:Integer"
    if column in _TEXTS or column.endswith("file_name"):
        return "sc:Text"
    if column.startswith("image_") or column in ("parts", "layers"):
        return "sc:ImageObject"
    return "sc:Float"


def splits(roster: Roster) -> dict[str, Any]:
    """The record set that says what splits there are."""
    meaning = {"train": "cr:TrainingSplit", "test": "cr:TestSplit"}
    there = [split for split in SPLITS if roster.of_split(split)]
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            {"@type": "cr:Field", "@id": f"splits/{field}", "name": field, "dataType": kind}
            for field, kind in (("name", "sc:Text"), ("url", "sc:URL"))
        ],
        "data": [{"splits/name": split, "splits/url": meaning[split]} for split in there],
    }
