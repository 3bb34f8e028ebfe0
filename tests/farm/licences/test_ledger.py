"""The ledger of a rendered folder, a person's decisions, and a model that is taken back, by the commands themselves."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from farm.cli import main
from farm.cli.growing import Growth
from farm.cli.wishes import Wish
from farm.dataset.output import POSES
from farm.errors import StorageError, WithdrawnModelError
from farm.exports.animeceleb import AnimeCelebLayout
from farm.exports.folder import FolderLayout
from farm.exports.running import export
from farm.exports.source import FolderSource
from farm.exports.webdataset import WebDatasetLayout
from farm.licences.ledger import ledger
from farm.licences.tombstones import check_admitted
from farm.models.package import read_model
from farm.spec import RenderSpec
from farm.verification.exported import verify_export
from farm.verification.findings import Fault
from farm.verification.verify import verify
from tests.support.packed import model_id, with_licence, write_model, write_table

SPEC = RenderSpec(samples=2, size=256, styles=("flat",))
WHO = ["--who", "Rin", "--why", "the creator wrote so"]


@pytest.fixture(scope="module")
def whole(mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four models under different licences, and their table."""
    out = tmp_path_factory.mktemp("whole")
    nagi = read_model(mascots["nagi"]).inventory.model_copy(update={"comment": "再配布禁止"})
    free = with_licence(nagi, licenseName="CC_BY", author="=Aoi", title="Aoi", allowedUserName="Everyone")
    write_model(out, "Free", free.model_copy(update={"comment": ""}), SPEC)
    write_model(out, "Silent", nagi.model_copy(update={"comment": ""}), SPEC)
    write_model(out, "Banned", nagi, SPEC)
    write_model(out, "Strict", with_licence(nagi, licenseName="Redistribution_Prohibited"), SPEC)
    write_table(out)
    return out


@pytest.fixture
def out(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "out"))


def farm(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


def folder(label: str) -> str:
    return f"{label}-{model_id(label)[:8]}"


def test_the_ledger_has_a_row_a_model_that_no_spreadsheet_runs(out: Path, tmp_path: Path) -> None:
    answer = farm("licences", out, "--csv", tmp_path / "ledger.csv", "--json")

    assert answer.exit_code == 0, answer.output
    rows = {row["folder"]: row for row in map(json.loads, answer.stdout.splitlines())}
    assert rows.keys() == {folder(label) for label in ("Free", "Silent", "Banned", "Strict")}
    assert rows[folder("Free")]["creator"] == "=Aoi"
    assert rows[folder("Free")]["commercial"] == {"answer": "yes", "source": "licenseName CC_BY"}
    assert rows[folder("Banned")]["redistribution"] == {"answer": "no", "source": "comment in the model: 再配布禁止"}
    with (tmp_path / "ledger.csv").open(newline="", encoding="utf-8") as file:
        table = {row["folder"]: row for row in csv.DictReader(file)}
    assert table[folder("Free")]["creator"] == "'=Aoi"
    assert table[folder("Silent")]["redistribution"] == "unsaid"


def test_what_is_required_is_met_by_fields_or_by_a_persons_decision(out: Path, tmp_path: Path) -> None:
    before = farm("licences", out, "--require", "redistribution")
    assert before.exit_code == 1
    assert f"{folder('Silent')}: redistribution is unsaid" in before.stdout
    assert f"{folder('Strict')}: redistribution is no (licenseName Redistribution_Prohibited)" in before.stdout
    assert folder("Free") not in before.stdout
    assert "1 of 4 models allow redistribution" in before.stderr

    decided = farm("permit", out, folder("Silent"), model_id("Strict")[:8], "--allow", "redistribution", *WHO)
    assert decided.exit_code == 0, decided.output
    farm("permit", out, folder("Free"), "--deny", "redistribution", *WHO)

    exported = farm("export", out, "--format", "folder", "--require", "redistribution", "--out", tmp_path / "shared")
    assert exported.exit_code == 0, exported.output
    told = [json.loads(line) for line in (tmp_path / "shared" / "models.jsonl").read_text().splitlines()]
    assert {model["model"] for model in told} == {model_id("Silent"), model_id("Strict")}
    after = farm("licences", out, "--require", "redistribution")
    assert f"{folder('Free')}: redistribution is no (Rin, 2" in after.stdout
    lines = (out / "licence-decisions.jsonl").read_text().splitlines()
    assert [json.loads(line)["why"] for line in lines] == ["the creator wrote so"] * 3


def test_a_decision_about_a_model_that_is_not_here_is_refused(out: Path) -> None:
    answer = farm("permit", out, folder("Silent"), "Nobody-00000000", "--allow", "use", *WHO)

    assert answer.exit_code == 1
    assert "holds no models 'Nobody-00000000'" in answer.stderr
    assert not (out / "licence-decisions.jsonl").exists()


def test_a_damaged_decision_is_named_with_its_line(out: Path) -> None:
    (out / "licence-decisions.jsonl").write_text('{"model": "none"}\n')

    with pytest.raises(StorageError, match=r"Line 1 of .*licence-decisions\.jsonl is damaged"):
        list(ledger(out))


def test_an_export_of_nothing_that_is_permitted_says_so(out: Path, tmp_path: Path) -> None:
    farm("permit", out, folder("Free"), "--deny", "redistribution", *WHO)
    denied = farm("export", out, "--require", "redistribution", "--out", tmp_path / "none")

    assert denied.exit_code == 1
    assert "None of the 4 models is permitted" in denied.stderr
    assert not (tmp_path / "none").exists()


def test_the_credits_name_creator_and_licence(out: Path, tmp_path: Path) -> None:
    farm("licences", out, "--credits", tmp_path / "CREDITS.txt")

    text = (tmp_path / "CREDITS.txt").read_text()
    assert "  by =Aoi\n  licence: CC_BY\n  the creator asks to be named\n" in text
    assert text.count("creator: not said in the file") == 3


def test_a_model_that_is_taken_back_is_gone_from_folder_and_export_and_kept_out(out: Path, tmp_path: Path) -> None:
    export(FolderSource(out), str(tmp_path / "export"), AnimeCelebLayout())

    places: list[str | Path] = ["--from", out, "--from", tmp_path / "export"]
    answer = farm("forget", folder("Banned"), *places, *WHO)

    assert answer.exit_code == 0, answer.output
    gone = model_id("Banned")
    assert f"{out}: 1 folder and 4 rows removed" in answer.stdout
    assert gone not in (out / POSES).read_text()
    assert folder("Banned") not in (out / "index.html").read_text()
    assert list(verify(out, 1, lambda report: None)) == []
    kept = [path for path in (tmp_path / "export").rglob("*") if gone[:8] in path.name]
    assert kept == []
    assert gone[:8] not in (tmp_path / "export/combined_flat/combined_pose.csv").read_text()
    lists = [(tmp_path / "export" / name).read_text().split() for name in ("train_list.txt", "test_list.txt")]
    assert len(lists[0]) + len(lists[1]) == 3
    cached = json.loads((tmp_path / "export/combined_flat/cached.json").read_text())
    assert sorted(cached) == sorted(lists[0] + lists[1])
    listed = [json.loads(line)["model"] for line in (tmp_path / "export/models.jsonl").read_text().splitlines()]
    assert len(listed) == 3
    assert gone not in listed
    assert list(verify_export(tmp_path / "export", 1, lambda files: None)) == []
    with pytest.raises(
        WithdrawnModelError, match=r"was withdrawn on 20.* by Rin .the creator wrote so., and is kept out"
    ):
        check_admitted(out, gone)
    check_admitted(out, model_id("Free"))
    assert farm("forget", gone, *places, *WHO).exit_code == 0  # again: nothing is left to do


def test_a_model_that_is_taken_back_is_gone_from_an_export_of_plain_files(out: Path, tmp_path: Path) -> None:
    place = tmp_path / "export"
    export(FolderSource(out), str(place), FolderLayout())

    def rows() -> list[str]:
        return [line for table in place.glob("*/metadata.jsonl") for line in table.read_text().splitlines()]

    before = len(rows())

    answer = farm("forget", folder("Banned"), "--from", out, "--from", place, *WHO)

    assert answer.exit_code == 0, answer.output
    assert f"{place}: 1 folder and 4 rows removed" in answer.stdout
    gone = model_id("Banned")
    assert [path for path in place.rglob("*") if gone[:8] in path.name] == []
    assert len(rows()) == before - 4
    assert gone not in "".join(rows())
    assert gone not in (place / "models.jsonl").read_text()
    assert list(verify_export(place, 1, lambda files: None)) == []
    # AND the next export says the same
    export(FolderSource(out), str(place), FolderLayout())
    assert list(verify_export(place, 1, lambda files: None)) == []
    assert gone[:8] not in (place / "README.md").read_text()


def test_where_one_place_cannot_be_done_none_is_changed(out: Path, tmp_path: Path) -> None:
    export(FolderSource(out), str(tmp_path / "export"), WebDatasetLayout())
    (tmp_path / "export" / "making.json").unlink()  # as in those of earlier versions

    answer = farm("forget", folder("Banned"), "--from", out, "--from", tmp_path / "export", *WHO)

    assert answer.exit_code == 1
    assert "Export again" in answer.stderr
    assert (out / folder("Banned")).is_dir()
    assert not (out / "withdrawn.jsonl").exists()


def test_a_withdrawn_model_whose_folder_comes_back_is_left_out_and_named(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out / folder("Banned"), tmp_path / "backup")
    assert farm("forget", folder("Banned"), "--from", out, *WHO).exit_code == 0
    shutil.copytree(tmp_path / "backup", out / folder("Banned"))

    exported = farm("export", out, "--format", "folder", "--out", tmp_path / "export")

    assert exported.exit_code == 0, exported.output
    assert "was withdrawn" in exported.stderr
    assert len((tmp_path / "export" / "models.jsonl").read_text().splitlines()) == 3
    assert model_id("Banned") not in (tmp_path / "export" / "models.jsonl").read_text()
    (finding,) = verify(out, 1, lambda report: None)  # no more, though no table has its rows
    assert (finding.fault, finding.where) == (Fault.WITHDRAWN, folder("Banned"))
    # AND a tombstone file that cannot be read is named, not passed over
    (out / "withdrawn.jsonl").write_text("{")
    assert any(finding.where == "withdrawn.jsonl" for finding in verify(out, 1, lambda report: None))
    # AND what is gone already is said to be
    (out / "withdrawn.jsonl").unlink()
    assert farm("forget", folder("Banned"), "--from", out, *WHO).exit_code == 0
    assert "nothing of it is there" in farm("forget", model_id("Banned"), "--from", out, *WHO).stdout


def test_a_withdrawn_model_that_came_back_is_in_no_table_page_ledger_or_number(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out / folder("Banned"), tmp_path / "backup")
    assert farm("forget", folder("Banned"), "--from", out, *WHO).exit_code == 0
    shutil.copytree(tmp_path / "backup", out / folder("Banned"))

    with Growth(out, Wish(SPEC), 1) as growth:
        found = growth.rebuild()

    assert found is not None
    assert found.models == 3
    assert model_id("Banned") not in (out / POSES).read_text()
    assert folder("Banned") not in (out / "index.html").read_text()
    assert folder("Banned") not in farm("licences", out).stdout
    assert json.loads(farm("stats", out, "--json").stdout)["models"] == 3
    # AND so where another one is taken out afterwards
    assert farm("forget", folder("Strict"), "--from", out, *WHO).exit_code == 0
    assert model_id("Banned") not in (out / POSES).read_text()


def test_forgetting_follows_no_link_out_of_the_folder(out: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(out / folder("Banned"), other)
    shutil.rmtree(out / folder("Banned") / "flat")
    (out / folder("Banned") / "flat").symlink_to(other)

    assert farm("forget", model_id("Banned"), "--from", out, *WHO).exit_code == 0

    assert not (out / folder("Banned")).exists()
    assert (other / "manifest.json").exists()
