"""`farm inspect` as a user types it: texts, JSON, tables, pages."""

import json
from pathlib import Path

import pytest

from farm.morphs.panels import Panel
from tests.farm.cli.command import farm, farm_from_nothing
from tests.farm.inspection.swapping import Swap, package_of


def test_inspect_shows_morphs_bones_materials_and_proposals(mascots: dict[str, Path]) -> None:
    done = farm_from_nothing("inspect", mascots["nagi"])

    assert done.returncode == 0, done.stderr
    for words in ("首, 頭 (rule: MMD)", "ｳｨﾝｸ２右", "eye/closed/right", "23 of the 23", "tex/"):
        assert words in done.stdout, words


@pytest.mark.blender
def test_inspect_with_pictures_tells_what_is_seen_and_decides_by_it(mascots: dict[str, Path], tmp_path: Path) -> None:
    swaps = (Swap("ウィンク２右", Panel.EYE, {"ウィンク２": 1}), Swap("じと目", Panel.EYE, {"まばたき": 1}))
    package_of(mascots, tmp_path / "model", swaps, kept=("お",))
    model = next((tmp_path / "model").glob("*.pmx"))

    plain = json.loads(farm("inspect", model, "--json").stdout)
    seen = json.loads(farm("inspect", model, "--json", "--pictures").stdout)
    shown = farm("inspect", model, "--pictures")

    assert set(plain["annotation"]) == {"eye/closed/right", "eye/half_closed/both", "mouth/o"}
    assert set(seen["annotation"]) == {"eye/closed/left", "mouth/o"}
    assert "picture" not in plain["morphs"][2]["evidence"]
    assert seen["morphs"][0]["evidence"]["picture"]["looks"]["left_eye"]["open"] < 0.3
    assert seen["morphs"][2]["evidence"]["picture"]["looks"]["mouth"]["height"] > 0
    assert shown.returncode == 0, shown.stderr
    words = " ".join(shown.stdout.split())
    assert all(word in words for word in ("closes", "both", "opens"))


def test_inspect_json_is_one_object_a_model(mascots: dict[str, Path]) -> None:
    done = farm("inspect", mascots["nagi"].parent.parent, "--json")

    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(Path(r["path"]).stem, r["target_morphs"], r["samples"]) for r in records} == {
        ("nagi", 23, 100),
        ("momo", 4, 20),
    }
    assert all(record["neck"] == "首" and record["textures_absent"] == [] for record in records)


def test_inspect_writes_a_page_that_trusts_no_name(mascots: dict[str, Path], tmp_path: Path) -> None:
    evil = tmp_path / "<script>alert(1)<script>.pmx"
    evil.write_bytes(mascots["momo"].read_bytes())
    (tmp_path / "[bad].pmd").write_bytes(b"&")

    farm("inspect", tmp_path, "--html", tmp_path / "page.html")

    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "[bad].pmd" in page
    assert "まばたき" in page
    assert "1 model, 0 of them with more than 5 target morphs; 1 file refused." in page


def test_inspect_of_a_folder_is_a_table_and_bad_files_make_the_exit_code_1(
    mascots: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "bad.vrm").write_bytes(b"glTF")
    (tmp_path / "momo.pmx").write_bytes(mascots["momo"].read_bytes())

    done = farm("inspect", tmp_path, mascots["nagi"])

    assert done.returncode == 1
    assert "momo.pmx" in done.stdout
    assert "nagi.pmx" in done.stdout
    assert "bad.vrm" in done.stderr
