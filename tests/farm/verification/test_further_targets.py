"""Folders with combinations and targets beyond the 23: their columns are checked as the 20 are."""

from pathlib import Path

import pytest

from farm.dataset.output import POSES, RenderedModel
from farm.dataset.reading import models_in
from farm.dataset.summary import summarise
from farm.models.package import read_model
from farm.verification.findings import Fault, Finding
from farm.verification.verify import verify
from tests.support.packed import SPEC, rewritten, write_model

WIDE = SPEC.model_copy(update={"samples": 8, "combinations": True, "extended": ("eye/happy", "mouth/smile/both")})


@pytest.fixture
def out(mascots: dict[str, Path], tmp_path: Path) -> Path:
    """One model that plays targets beyond the 23, and one that does not."""
    inventory = read_model(mascots["momo"]).inventory
    write_model(tmp_path / "out", "Aoi", inventory, WIDE)
    write_model(tmp_path / "out", "Beni", inventory)
    summarise(models_in(tmp_path / "out"), tmp_path / "out")
    return tmp_path / "out"


def found(out: Path) -> list[Finding]:
    return list(verify(out, 1, lambda report: None))


def _wide(out: Path) -> RenderedModel:
    return next(model for model in models_in(out) if model.manifest.extra_columns)


def test_a_whole_folder_has_no_findings(out: Path) -> None:
    manifest = _wide(out).manifest
    assert manifest.combinations
    assert any(image.pose[20:] != (0.0,) * len(manifest.extra_columns) for image in manifest.images)
    assert found(out) == []


def test_a_changed_value_in_the_table_is_found(out: Path) -> None:
    lines = [line.split(",") for line in (out / POSES).read_text().splitlines()]
    row, column = next(
        (row, column)
        for row in range(1, len(lines))
        for column in range(lines[0].index("field_of_view") + 1, len(lines[0]))
        if lines[row][column] not in ("", "0.0")
    )
    lines[row][column] = "0.125"
    (out / POSES).write_text("".join(",".join(line) + "\n" for line in lines))

    faults = found(out)
    assert {finding.fault for finding in faults} == {Fault.ROW}
    assert any("0.125" in finding.sentence for finding in faults)
    assert any(finding.where == "poses.parquet" for finding in faults)


def test_a_changed_pose_in_the_manifest_is_found(out: Path) -> None:
    model = _wide(out)
    first = model.manifest.images[0]
    rewritten(model, images=(first.model_copy(update={"pose": (*first.pose[:-1], 0.5)}), *model.manifest.images[1:]))

    assert Fault.POSE in {finding.fault for finding in found(out)}
