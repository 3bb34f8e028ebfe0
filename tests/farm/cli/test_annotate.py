"""`farm annotate` as a user types it: the table of a collection, edited and taken back, and the report on it."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from farm.dataset.output import read_output
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.morphs.refs import unpacked
from farm.morphs.vocabulary import target_morphs
from tests.farm.cli.command import SMALL, farm, farm_from_nothing, ref_in
from tests.farm.inspection.hiding import Hidden, hiding
from tests.farm.models import made_files as made
from tests.support.characters import mascot


def test_the_report_tells_coverage_and_where_names_and_measures_differ(tmp_path: Path) -> None:
    # GIVEN a character whose winks have each other's names
    swap = {"ウィンク２": "ｳｨﾝｸ２右", "ｳｨﾝｸ２右": "ウィンク２"}
    nagi = mascot("nagi")
    morphs = tuple(replace(morph, name=swap.get(morph.name, morph.name)) for morph in nagi.morphs)
    model = tmp_path / "swapped.pmx"
    model.write_bytes(pmx_bytes(replace(nagi, morphs=morphs)))

    # THEN the report says so, as text and as JSON
    done = farm_from_nothing("annotate", model, "--report", "--out", tmp_path / "report.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert (found["models"], found["targets"]["eye/closed/left"], found["targets"]["mouth/a"]) == (1, 1, 1)
    differing = {(one["name"], one["said"], one["plays"]) for one in found["differing"]}
    assert ("ウィンク２", "eye/closed/left", "eye/closed/right") in differing
    for words in ("swapped", "ウィンク２", "eye/closed/right", "never seen"):
        assert words in done.stdout, words

    # AND so does the look at the model itself, with reasons
    shown = farm("inspect", model)
    assert "taken as left" in shown.stdout
    assert "'ウィンク２' is no eye/closed/left: it plays eye/closed/right" in shown.stderr

    # AND a table that goes by the names is overruled
    table = tmp_path / "mapping.csv"
    table.write_text("source_morph,target\nウィンク２,eye/closed/left\nｳｨﾝｸ２右,eye/closed/right\n", "utf-8")
    assert farm("annotate", model, "--apply", table, "--out", tmp_path / "annotations.json").returncode == 0
    (record,) = json.loads((tmp_path / "annotations.json").read_text("utf-8"))
    assert record["annotation"]["eye/closed/left"]["name"] == "ｳｨﾝｸ２右"
    assert len(record["exceptions"]) == 2

    assert farm("annotate", model, "--report", "--apply", table).returncode == 2
    assert farm("annotate", model).returncode == 2


@pytest.mark.blender
def test_an_edited_mapping_is_taken_back(mascots: dict[str, Path], tmp_path: Path) -> None:
    # GIVEN the proposals of a collection
    table = tmp_path / "mapping.csv"
    done = farm("annotate", mascots["nagi"].parent.parent, "--out", table)
    assert done.returncode == 0, done.stderr
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    by_name = {(row["source_morph"], row["panel"]): row for row in rows}
    assert by_name["まばたき", "eye"] | {"types": ""} == {
        "source_morph": "まばたき", "panel": "eye", "types": "", "models": "2", "target": "eye/closed/both",
        "exceptions": "0",
    }  # fmt: skip
    assert {row["target"] for row in rows} >= {target.name for target in target_morphs()}

    # WHEN a person rejects the eyebrows and gives あ to にやり
    for row in rows:
        if row["target"].startswith("eyebrow/"):
            row["target"] = ""
        if row["source_morph"] == "あ":
            row["target"] = ""
        if row["source_morph"] == "にやり":
            row["target"] = "mouth/a"
        if row["source_morph"] == "笑い":
            row["target"] = "mouth/o"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

    # THEN --apply shows it, and a render records it
    done = farm("annotate", mascots["nagi"], "--apply", table, "--out", tmp_path / "annotations.json")
    assert done.returncode == 0, done.stderr
    (record,) = json.loads((tmp_path / "annotations.json").read_text("utf-8"))
    assert record["target_morphs"] == 14
    assert record["annotation"]["mouth/a"] == ref_in(mascots["nagi"], "にやり")

    done = farm("render", mascots["nagi"], "--out", tmp_path / "out", "--mapping", table, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "'笑い' is no mouth/o: it plays nothing, as what it moves is not the mouth." in done.stderr
    (model,) = read_output(tmp_path / "out")
    assert model.manifest.annotation == unpacked(record["annotation"])
    assert all(sum(image.pose[6:12]) == 0 for image in model.manifest.images)
    # AND is known again by its table
    again = farm("render", mascots["nagi"], "--out", tmp_path / "out", "--mapping", table, *SMALL)
    assert "; 0 models came now" in again.stdout

    done = farm("export", tmp_path / "out", "--format", "animeceleb", "--out", tmp_path / "data")
    assert done.returncode == 1
    assert "256" in done.stderr


def test_of_morphs_with_one_name_the_one_that_plays_is_shown_and_annotated(tmp_path: Path) -> None:
    model, table = tmp_path / "twice.pmx", tmp_path / "mapping.csv"
    model.write_bytes(pmx_bytes(made.names_twice()))
    table.write_text(made.BARE_NAMES, "utf-8")

    shown = farm("inspect", "--json", model)
    applied = farm("annotate", model, "--apply", table, "--out", tmp_path / "a.json")

    assert (shown.returncode, applied.returncode) == (0, 0), shown.stderr + applied.stderr
    assert unpacked(json.loads(shown.stdout)["annotation"]) == made.NAMES_TWICE
    (record,) = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert record["annotation"]["mouth/u"] == {"index": 1, "name": "上"}
    assert unpacked(record["annotation"]) == made.BARE_NAMES_GIVE


def test_tables_from_any_spreadsheet_are_read(mascots: dict[str, Path], tmp_path: Path) -> None:
    text = "source_morph,target\nにやり,mouth/a\n"
    for encoding in ("utf-8-sig", "utf-16", "cp932"):
        (tmp_path / "mapping.csv").write_bytes(text.encode(encoding))
        done = farm("annotate", mascots["nagi"], "--apply", tmp_path / "mapping.csv", "--out", tmp_path / "a.json")
        assert done.returncode == 0, (encoding, done.stderr)
        (record,) = json.loads((tmp_path / "a.json").read_text("utf-8"))
        assert record["annotation"]["mouth/a"] == ref_in(mascots["nagi"], "にやり"), encoding


@pytest.mark.blender
def test_a_full_disk_gets_a_sentence(mascots: dict[str, Path]) -> None:
    small = Path("/dev/full")
    done = farm("annotate", mascots["momo"], "--out", small)

    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.blender
def test_the_report_with_pictures_says_what_a_render_would_play_and_without_that_nothing_was_drawn(
    mascots: dict[str, Path], tmp_path: Path
) -> None:
    # GIVEN a blink that moves what is inside the head, before one that shows; and a vowel that nobody sees
    hiding(
        mascots,
        tmp_path / "model",
        (Hidden("まばたき", "まばたき"), Hidden("い", "い")),
        {"まばたき": "まばたき２", "い": "ω"},
    )
    paths = {which: tmp_path / f"{which}.json" for which in ("file", "pictures")}

    # WHEN it is reported on by the file alone, and with pictures
    by_file = farm("annotate", tmp_path / "model", "--report", "--out", paths["file"])
    by_pictures = farm("annotate", tmp_path / "model", "--report", "--pictures", "--out", paths["pictures"])

    # THEN only the second knows
    assert (by_file.returncode, by_pictures.returncode) == (0, 0), by_pictures.stderr
    assert "1 model: decided by the file alone" in by_file.stderr
    assert "decided by the file alone" not in by_pictures.stderr
    file, pictures = (json.loads(path.read_text("utf-8")) for path in paths.values())
    assert (file["targets"]["mouth/i"], pictures["targets"]["mouth/i"]) == (1, 0)
    assert "mouth/i" in pictures["never"]
    assert file["targets"]["eye/closed/both"] == pictures["targets"]["eye/closed/both"] == 1
    unseen = {
        one["name"]: one["plays"] for one in pictures["differing"] if one["reason"] == "it changes nothing that shows"
    }
    assert unseen == {"まばたき": None, "い": None}

    # AND the table that is edited is the same one
    table = tmp_path / "mapping.csv"
    assert farm("annotate", tmp_path / "model", "--out", table, "--pictures").returncode == 0
    rows = {row["source_morph"]: row["target"] for row in csv.DictReader(table.read_text("utf-8-sig").splitlines())}
    assert (rows["まばたき"], rows["まばたき２"], rows["い"]) == ("", "eye/closed/both", "")
    assert farm("annotate", tmp_path / "model", "--html", tmp_path / "page", "--pictures").returncode == 2
