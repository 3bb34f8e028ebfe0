"""Results, tables, exports and data sets of another pose space: the names of the entries, and what a model can play."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from farm.dataset.manifest import Manifest, read_manifest
from farm.dataset.output import COLUMNS, POSES, RenderedModel, rendered_models
from farm.dataset.tables import pose_tables
from farm.drawing.assignment import Assignment
from farm.drawing.plan import plan
from farm.errors import SpecError, StorageError
from farm.exports import running
from farm.exports.animeceleb import AnimeCelebLayout
from farm.exports.folder import FolderLayout
from farm.exports.huggingface import HuggingFaceLayout
from farm.exports.layout import Layout
from farm.exports.rows import rows_of
from farm.exports.source import FolderSource
from farm.exports.webdataset import WebDatasetLayout
from farm.labels import LabelName
from farm.poses import Partition
from farm.spaces.space import space_named
from farm.spec import RenderSpec, render_key
from farm.statistics.counts import Counts
from farm.verification.columns import check_columns
from farm.verification.derivation import check_counts, check_poses
from farm.verification.findings import Fault, FindingList
from farm.verification.rows import check_rows, survey_table
from tests.support.fixtures import read_mascot
from tests.support.packed import write_model

FACE = space_named("face-45")
SPEC = RenderSpec(seed=3, samples=4, size=256, styles=("flat",), pose_space="face-45")
LAYOUTS: list[Layout] = [AnimeCelebLayout(), WebDatasetLayout(), HuggingFaceLayout(), FolderLayout()]


@pytest.fixture(scope="module")
def model(mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> RenderedModel:
    return write_model(tmp_path_factory.mktemp("rendered"), "nagi", read_mascot(mascots, "nagi").inventory, SPEC)


def _pairs(model: RenderedModel) -> list[tuple[dict[str, float], Any]]:
    return [(dict(zip(FACE.entries, image.pose, strict=True)), image) for image in model.manifest.images]


def test_a_manifest_names_the_entries_and_says_which_can_be_played(model: RenderedModel) -> None:
    space = model.manifest.space

    assert space is not None
    assert (space.name, space.digest, space.entries) == ("face-45", FACE.digest, FACE.entries)
    mask = dict(zip(space.entries, space.mask, strict=True))
    assert mask["eye_wink_left"]
    assert mask["head_x"]
    assert mask["body_y"]
    assert not mask["eye_relaxed_left"]
    for pose, image in _pairs(model):
        assert all(value == 0 for entry, value in pose.items() if not mask[entry])
        assert (image.partition is Partition.ROTATED) == bool(pose["head_x"])
    assert read_manifest(model.manifest.to_bytes(), "it") == model.manifest
    assert "space" not in json.loads(replace_space(model.manifest).to_bytes())


def replace_space(manifest: Manifest) -> Manifest:
    """The same as if it were of the paper's space."""
    return manifest.model_copy(update={"space": None, "spec": RenderSpec()})


def test_what_was_made_is_derived_again_and_what_was_changed_is_found(model: RenderedModel) -> None:
    findings = FindingList("nagi")
    check_counts(model.manifest, findings)
    check_poses(model.manifest, findings)
    assert findings.all() == ()

    first = model.manifest.images[0]
    for changed in (
        {"pose": (*first.pose[:3], 0.987654, *first.pose[4:])},
        {"pose": first.pose[:-1]},
        {"rotation": ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0))},
    ):
        images = (first.model_copy(update=changed), *model.manifest.images[1:])
        findings = FindingList("nagi")
        check_poses(model.manifest.model_copy(update={"images": images}), findings)
        assert [finding.fault for finding in findings.all()] == [Fault.POSE], changed


@pytest.mark.parametrize("what", ["mask", "entries", "cast", "bones"])
def test_a_space_record_that_is_none_is_found(model: RenderedModel, what: str) -> None:
    space = model.manifest.space
    assert space is not None
    key, played = next(iter(space.cast.items()))
    changed: dict[str, Any] = {
        "mask": {"mask": tuple(not can for can in space.mask)},
        "entries": {"entries": tuple(reversed(space.entries))},
        "cast": {"cast": {**space.cast, "nose/long": played}},
        "bones": {"cast": {**space.cast, key: played.model_copy(update={"moves": True})}},
    }
    findings = FindingList("nagi")

    odd = space.model_copy(update=changed[what])
    check_poses(model.manifest.model_copy(update={"space": odd}), findings)

    assert {finding.fault for finding in findings.all()} == {Fault.MANIFEST}


@pytest.mark.parametrize(
    "change",
    [
        {"entries": ["a"]},
        {"mask": [True]},
        {"entries": ["=1+1"] * 45},
        {"name": "arkit-52"},
        {"cast": {"eye/wink/left": {"of": 1}}},
    ],
)
def test_a_manifest_whose_space_contradicts_itself_is_none(model: RenderedModel, change: dict[str, Any]) -> None:
    told = json.loads(model.manifest.to_bytes())
    told["space"] |= change

    with pytest.raises(StorageError, match="is no manifest"):
        read_manifest(json.dumps(told).encode(), "it")


def test_tables_have_a_column_for_each_entry_and_are_empty_where_nothing_can_play(
    model: RenderedModel, mascots: dict[str, Path], tmp_path: Path
) -> None:
    # GIVEN models of two pose spaces in one folder
    out = tmp_path / "both"
    inventory = read_mascot(mascots, "momo").inventory
    write_model(out, "paper", inventory, SPEC.model_copy(update={"pose_space": "animeceleb-20"}))
    write_model(out, "talks", read_mascot(mascots, "nagi").inventory, SPEC)

    # WHEN the tables are made
    with pose_tables(out) as add:
        for each in rendered_models(out):
            add(each)

    # THEN each has its own cells, and a name that both have is one column
    with (out / POSES).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [*COLUMNS, *(entry for entry in FACE.entries if entry not in COLUMNS)]
    for row in rows:
        talks = row["folder"].startswith("talks")
        assert (row["rotation_x"] == "", row["head_x"] == "") == (talks, not talks)
        assert row["eyebrow_angry_left"] != ("" if talks else None)
        assert row["eye_relaxed_left"] == ""
    findings = FindingList("poses.parquet")
    check_columns(out, list(rows[0]), findings)
    for each in rendered_models(out):
        table = survey_table(out, {each.folder.name for each in rendered_models(out)}, findings)
        assert table is not None
        check_rows(each, table.columns, table.runs[each.folder.name], findings)
    assert findings.all() == ()


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_layout_carries_names_and_mask(model: RenderedModel, tmp_path: Path, layout: Layout) -> None:
    out = tmp_path / "out"
    running.export(FolderSource(model.folder.parent), str(out), layout, threads=1)

    assert model.manifest.space is not None
    mask = list(model.manifest.space.mask)
    expected = {row.key: list(row.pose) for row in rows_of(model)}
    assert json.loads((out / "pose_space.json").read_bytes())["entries"] == list(FACE.entries)
    assert set(re.findall(r"(\S+) numbers\b", (out / "README.md").read_text("utf-8"))) == {str(len(FACE.entries))}
    assert "36 `mouth_smirk`" in (out / "README.md").read_text("utf-8")
    (line,) = (out / "models.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["pose_mask"] == mask
    assert "pose_space.json" in (out / "SHA256SUMS").read_text("utf-8")
    rows: list[dict[str, Any]]
    if layout.name == "huggingface":
        (path,) = out.glob("data/*.parquet")
        rows = pq.read_table(path).to_pylist()
    else:
        (path,) = (*out.glob("*/rows.jsonl"), *out.glob("*/metadata.jsonl"))
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert {row["key"]: list(row["pose"]) for row in rows} == expected
    assert all(list(row["pose_mask"]) == mask for row in rows)
    if layout.name == "animeceleb":
        table = csv.reader(io.StringIO((out / "combined_flat" / "combined_pose.csv").read_text("utf-8")))
        assert next(table) == ["org_id", "folder_name", "png_name", *FACE.entries]
        assert [len(row) for row in table] == [48] * 4


def test_spaces_do_not_mix_in_an_export(model: RenderedModel, mascots: dict[str, Path], tmp_path: Path) -> None:
    write_model(tmp_path / "in", "talks", read_mascot(mascots, "nagi").inventory, SPEC)
    plain = SPEC.model_copy(update={"pose_space": "animeceleb-20"})
    write_model(tmp_path / "in", "paper", read_mascot(mascots, "momo").inventory, plain)

    for layout in LAYOUTS:
        with pytest.raises(SpecError, match="export them apart"):
            running.export(FolderSource(tmp_path / "in"), str(tmp_path / "out"), layout, threads=1)


def test_statistics_count_every_entry(model: RenderedModel) -> None:
    counts = Counts()
    counts.add("nagi", model.manifest)

    assert set(FACE.entries) <= counts.poses.keys()
    assert counts.poses["head_x"].low == -1
    assert int(counts.poses["head_x"].counts.sum()) == 4
    assert counts.still["eye_relaxed_left"] == 4


def test_data_sets_of_pytorch_have_names_and_mask(
    model: RenderedModel, mascots: dict[str, Path], tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    from farm import torch as sets

    write_model(tmp_path, "nagi", read_mascot(mascots, "nagi").inventory, SPEC)
    write_model(tmp_path, "momo", read_mascot(mascots, "momo").inventory, SPEC)
    faces = sets.Faces(tmp_path)

    item = sets.Reenactment(faces, "train", style="flat")[0]

    assert faces.pose_names == FACE.entries
    assert item["source_pose"].shape == item["pose_mask"].shape == (45,)
    assert not np.asarray(item["target_pose"])[~np.asarray(item["pose_mask"])].any()
    plain = SPEC.model_copy(update={"pose_space": "animeceleb-20"})
    write_model(tmp_path, "other", read_mascot(mascots, "momo").inventory, plain)
    with pytest.raises(SpecError, match="one pose space"):
        sets.Faces(tmp_path)


def test_flow_leads_to_where_the_body_stands_still(mascots: dict[str, Path]) -> None:
    inventory = read_mascot(mascots, "nagi").inventory
    spec = SPEC.model_copy(update={"labels": (LabelName.FLOW,)})
    assignment = Assignment("a" * 64, inventory.annotation, 4, render_key("a" * 64, inventory.annotation, spec), spec)

    for shot in plan(assignment, {}).shots[1:]:
        body = FACE.movement_of["body/y"]
        moving, still = shot.weights, shot.other_weights
        assert still is not None
        if shot.partition is Partition.FRONTAL:
            moving, still = still, moving
        assert body in moving
        assert body not in still
        assert {n: w for n, w in moving.items() if n in still} == still


def test_the_file_of_a_space_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    key = render_key("a" * 64, {}, SPEC)

    changed = replace(FACE, digest="0" * 64)
    monkeypatch.setattr("farm.spec.space_named", lambda name: changed)

    assert render_key("a" * 64, {}, SPEC) != key
