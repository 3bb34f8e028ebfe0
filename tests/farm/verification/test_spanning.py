"""What spans all models of a rendered folder, its tables, pages and split, is whole, or what is wrong is found and named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from farm.cli import main
from farm.dataset.output import POSES, POSES_PARQUET
from farm.dataset.reading import models_in
from farm.dataset.summary import summarise
from farm.dataset.tables import pose_tables
from farm.verification.findings import Fault
from tests.farm.verification.damaged import faults, folder, found
from tests.support.packed import model_id, write_table


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: [*lines[:9], *lines[10:]], "poses.csv has no row for it"),
        (lambda lines: [*lines[:9], lines[9], *lines[9:]], "poses.csv has 2 rows for it"),
        (lambda lines: [*lines[:9], lines[9].replace(",5,", ",6,", 1), *lines[10:]], "says seed 6, the manifest 5"),
    ],
)
def test_a_removed_a_doubled_and_a_changed_row_are_found(
    out: Path, change: Callable[[list[str]], list[str]], says: str
) -> None:
    path = out / POSES
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))

    (finding,) = found(out)
    assert finding.fault is Fault.ROW
    assert says in finding.sentence
    assert finding.where.startswith(folder(out, "Aoi").name)


def test_both_tables_as_a_run_writes_them_are_held_against_each_other(out: Path) -> None:
    with pose_tables(out) as add:
        for model in models_in(out):
            add(model)
    assert found(out) == []

    whole = (out / POSES).read_text()
    (out / POSES).write_text(whole.replace(",perspective,", ",orthographic,", 1))
    by_row = found(out)
    assert [(each.fault, each.where.partition("/")[0]) for each in by_row] == [
        (Fault.ROW, POSES_PARQUET),
        (Fault.ROW, folder(out, "Aoi").name),
    ]
    assert by_row[0].sentence == "From row 1 on it says something else than poses.csv."

    lines = whole.splitlines(keepends=True)
    (out / POSES).write_text("".join(lines[:-1]))
    assert found(out)[0].sentence == f"From row {len(lines) - 1} on it says something else than poses.csv."

    (out / POSES).write_text(whole)
    (out / POSES_PARQUET).write_bytes((out / POSES_PARQUET).read_bytes()[:-10])
    (finding,) = found(out)
    assert finding.where == POSES_PARQUET
    assert "It cannot be read beside poses.csv" in finding.sentence


@pytest.mark.parametrize("name", [POSES, POSES_PARQUET, "index.html", "index-3.html"])
def test_what_spans_all_models_and_is_missing_is_named_and_made_anew(
    out: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.dataset.gallery.MODELS_A_PAGE", 1)
    summarise(models_in(out), out)
    assert found(out) == []
    whole = (out / name).read_bytes()
    (out / name).unlink()

    (finding,) = found(out)
    assert finding.fault is Fault.MISSING
    assert "`farm verify DIR --rebuild` makes it anew" in finding.sentence
    assert name == finding.where or f"The page {name} of the gallery" in finding.sentence

    answer = CliRunner().invoke(main, ["verify", str(out), "--processes", "1", "--rebuild"])
    assert (answer.exit_code, answer.stdout) == (0, "3 models, 42 pictures: nothing is wrong\n"), answer.output
    assert (out / name).read_bytes() == whole


def test_a_page_that_is_a_link_is_named_and_a_link_beside_it_is_not_written_through(out: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (out / "index.html").unlink()
    (out / "index.html").symlink_to(tmp_path / "secret")
    assert [(finding.fault, finding.where) for finding in found(out)] == [(Fault.LINK, "index.html")]

    (out / ".index.html.part").symlink_to(tmp_path / "secret")
    (out / ".poses.csv.part").symlink_to(tmp_path / "secret")
    assert CliRunner().invoke(main, ["verify", str(out), "--processes", "1", "--rebuild"]).exit_code == 0

    assert (tmp_path / "secret").read_text() == "secret"
    assert not (out / "index.html").is_symlink()


def test_rows_of_a_model_that_is_not_here_are_found(out: Path) -> None:
    shutil.rmtree(folder(out, "Beni"))

    (finding,) = found(out)
    assert (finding.fault, finding.where) == (Fault.ROW, POSES)
    assert f"12 rows are of '{folder(out, 'Beni').name}'" in finding.sentence


def test_a_model_in_two_splits_is_found(out: Path) -> None:
    path = out / POSES
    lines = path.read_text().splitlines(keepends=True)
    lines[3] = lines[3].replace(",train\n", ",test\n")
    path.write_text("".join(lines))

    (finding,) = found(out)
    assert (finding.fault, finding.where) == (Fault.SPLIT, folder(out, "Aoi").name)
    assert "1 row in 'test', 11 rows in 'train'" in finding.sentence


def test_a_model_on_the_side_that_its_hash_does_not_say_is_found(out: Path) -> None:
    path = out / POSES
    text = path.read_text()
    mine = [line for line in text.splitlines(keepends=True) if f",{folder(out, 'Beni').name}," in line]
    for line in mine:
        text = text.replace(line, line.replace(",train\n", ",test\n"))
    path.write_text(text)

    assert [finding.where for finding in found(out) if finding.fault is Fault.SPLIT] == [folder(out, "Beni").name]


def test_a_link_in_the_place_of_a_model_is_named(out: Path, tmp_path: Path) -> None:
    folder(out, "Beni").rename(tmp_path / "elsewhere")
    folder(out, "Beni").symlink_to(tmp_path / "elsewhere")

    assert (Fault.LINK, folder(out, "Beni").name) in faults(out)


def test_a_model_under_two_names_on_two_sides_is_found(out: Path) -> None:
    twin = out / f"Twin-{model_id('Beni')[:8]}"
    shutil.copytree(folder(out, "Beni"), twin)
    for path in sorted(twin.rglob("Beni-*.png")):
        path.rename(path.with_name(path.name.replace("Beni", "Twin")))
    write_table(out, {twin.name: "test"})

    assert faults(out) == {(Fault.TWICE, twin.name), (Fault.SPLIT, twin.name)}
