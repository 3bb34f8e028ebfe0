"""Exports of seven models of which one is withdrawn."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from farm.cli import main
from farm.dataset.splits import split_of
from farm.exports import running
from farm.exports.layouts import layout_named
from farm.exports.source import FolderSource
from farm.labels import LabelName
from farm.licences.tombstones import Tombstone
from farm.spec import RenderSpec
from farm.verification.exported import verify_export
from farm.verification.findings import Fault
from tests.support.rendered import hash_of, render, survey_of

SPEC = RenderSpec(styles=("ink", "flat"), labels=(LabelName.PARTS, LabelName.DEPTH, LabelName.LANDMARKS))
SAMPLES, SHARD_BYTES = 2, 12_000
"""A shard has rows of several models, and a unit several shards."""
SHARDS = ("webdataset", "huggingface")
WHO = ["--who", "Rin", "--why", "the creator wrote so"]


def labels_on(split: str, count: int) -> list[str]:
    found = (f"fox {n}" for n in range(9999))
    return [label for label in found if split_of(hash_of(label)) == split][:count]


LABELS = [*labels_on("train", 5), *labels_on("test", 2)]
GONE, TWIN = LABELS[1], LABELS[2]
"""The one is a near-duplicate of the other."""


def render_all(source: Path, labels: list[str], spec: RenderSpec = SPEC, samples: int = SAMPLES) -> Path:
    for label in labels:
        render(source, label, spec, samples, survey=survey_of(GONE if label == TWIN else label))
    return source


def export(source: Path, out: Path, layout: str, shard_bytes: int = SHARD_BYTES) -> running.Exported:
    return running.export(FolderSource(source), str(out), layout_named(layout), shard_bytes=shard_bytes)


def stone(label: str = GONE) -> Tombstone:
    return Tombstone(model=hash_of(label), who="Rin", when=datetime(2026, 11, 3, tzinfo=UTC), why="asked")


def farm(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


def folder_of(label: str) -> str:
    return f"{label.replace(' ', '-')}-{hash_of(label)[:8]}"


def findings(out: Path) -> list[tuple[Fault, str]]:
    return [(finding.fault, finding.where) for finding in verify_export(out, 2, lambda files: None)]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
