"""The `farm` command as a user types it, each time in a process of its own."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from farm.cli import main
from farm.client import FarmClient
from farm.dataset.output import COLUMNS, read_output
from farm.mascots.cast import MASCOTS
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_model
from farm.morphs.panels import Panel
from farm.morphs.refs import unpacked
from farm.morphs.vocabulary import target_morphs
from farm.process import spawn
from farm.spec import RenderSpec
from farm.stack import free_port
from tests.farm.inspection.swapping import Swap, package_of
from tests.farm.models import made_files as made
from tests.support import servers

SMALL = ["--samples", "2", "--size", "48", "--seed", "9"]


def farm(*arguments: str | Path, timeout: float = 3 * servers.PATIENCE_SECONDS) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "farm", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)


def ref_in(path: Path, name: str) -> dict[str, int | str]:
    """How JSON names the morph of this name, which the model has once."""
    (index,) = [morph.index for morph in read_model(path).inventory.morphs if morph.name == name]
    return {"index": index, "name": name}


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def processes_with(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                environment = (entry / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if text in line or text in environment:
                found.append(line)
    return found


@pytest.mark.blender
def test_rendering_twice_leaves_the_same_folder_to_the_byte(mascots: dict[str, Path], tmp_path: Path) -> None:
    folder = mascots["nagi"].parent.parent
    first = farm("render", folder, "--out", tmp_path / "one", *SMALL, "--workers", "2")
    second = farm("render", folder, "--out", tmp_path / "two", *SMALL, "--workers", "1")

    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    one, two = files_of(tmp_path / "one"), files_of(tmp_path / "two")
    assert one == two
    assert len([name for name in one if name.endswith(".png")]) == 2 * (2 * 2 * 4 + 4 + 1)
    with (tmp_path / "one" / "poses.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 2 * 4
    assert tuple(rows[0]) == COLUMNS
    for row in rows:
        with Image.open(tmp_path / "one" / row["file"]) as picture:
            assert picture.size == (48, 48)
    assert "contact sheet" in first.stdout
    assert str(tmp_path / "one" / "index.html") in first.stdout


@pytest.mark.blender
def test_bad_models_are_named_and_the_others_are_rendered(mascots: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(mascots["momo"].parent, folder)
    (folder / "tex" / "clothes.png").unlink()
    (folder / "notes.pmx").write_text("Remember the milk.")
    (folder / "cut.pmx").write_bytes(mascots["momo"].read_bytes()[:5000])

    done = farm("render", folder, "--out", tmp_path / "out", *SMALL)

    assert done.returncode == 1
    assert len(read_output(tmp_path / "out")) == 1
    assert "notes.pmx: This is not a PMX file" in done.stderr
    assert "cut.pmx: The PMX file is cut off or damaged" in done.stderr
    assert "momo.pmx: Texture" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.blender
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_running_however_it_ends(mascots: dict[str, Path], tmp_path: Path, how: signal.Signals) -> None:
    # Every process has its temporary folder there; that is all of this that Blender, which inherits nothing, knows.
    mark = f"TMPDIR={tmp_path}"
    command = [sys.executable, "-m", "farm", "render", str(mascots["nagi"]), "--out", str(tmp_path / "out")]
    command += ["--samples", "5000", "--size", "48"]
    environment = {"TMPDIR": str(tmp_path)}
    process = spawn(command, tmp_path / "log", environment)
    servers.wait_until(lambda: any("blender_worker" in line for line in processes_with(mark)), "Blender starting")
    time.sleep(1)

    os.kill(process.pid, how)

    process.wait(servers.PATIENCE_SECONDS)
    servers.wait_until(lambda: not processes_with(mark), "every process ending")
    if how is not signal.SIGKILL:
        assert process.returncode == 130
        assert "everything that was started is stopped" in (tmp_path / "log").read_text()


def test_inspect_shows_morphs_bones_materials_and_proposals(mascots: dict[str, Path]) -> None:
    done = farm("inspect", mascots["nagi"])

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


def test_the_report_tells_coverage_and_where_names_and_measures_differ(tmp_path: Path) -> None:
    # GIVEN a character whose winks have each other's names
    swap = {"ウィンク２": "ｳｨﾝｸ２右", "ｳｨﾝｸ２右": "ウィンク２"}
    nagi = MASCOTS["nagi"]().character
    morphs = tuple(replace(morph, name=swap.get(morph.name, morph.name)) for morph in nagi.morphs)
    model = tmp_path / "swapped.pmx"
    model.write_bytes(pmx_bytes(replace(nagi, morphs=morphs)))

    # THEN the report says so, as text and as JSON
    done = farm("annotate", model, "--report", "--out", tmp_path / "report.json")
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["render", "{empty}", "--out", "{out}"], "There is no model in"),
        (["render", "{nagi}", "--out", "{out}", "--samples", "many"], "--samples takes 'auto' or a number"),
        (["render", "{nagi}", "--out", "{out}", "--mapping", "{bad}"], "columns source_morph and target"),
        (["render", "{nagi}", "--out", "{out}", "--views", "3"], "several views need a range of yaw or elevation"),
        (["render", "{nagi}", "--out", "{out}", "--focal-length", "5"], "--focal-length 5, a field of view of 149"),
        (["render", "{nagi}", "--out", "{out}", "--backgrounds", "{empty}"], "There is no picture in"),
        (["render", "{nagi}", "--out", "{out}", "--backgrounds", "{pictures}"], "milk.png is no picture"),
        (["submit", "{nagi}", "--backgrounds", "{pictures}"], "milk.png is no picture"),
        (["annotate", "{empty}", "--out", "{out}"], "There is no model in"),
        (["export", "{empty}", "--out", "{out}"], "holds no rendered models"),
        (["submit", "{nagi}", "--api", "http://127.0.0.1:9"], "Start one with `farm up`"),
    ],
)
def test_a_mistake_gets_a_sentence_and_no_traceback(
    mascots: dict[str, Path], tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("a,b\n")
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "pictures" / "good.png")
    (tmp_path / "pictures" / "milk.png").write_text("Remember the milk.")
    places = {
        "empty": tmp_path / "empty",
        "out": tmp_path / "out",
        "bad": tmp_path / "bad.csv",
        "pictures": tmp_path / "pictures",
        "nagi": mascots["nagi"],
    }

    done = farm(*(argument.format(**places) for argument in arguments))

    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.blender
def test_views_and_backgrounds_are_in_the_pictures_and_in_the_tables(mascots: dict[str, Path], tmp_path: Path) -> None:
    # GIVEN two pictures, one of them twice
    pictures = tmp_path / "pictures"
    (pictures / "deep").mkdir(parents=True)
    Image.new("RGB", (90, 70), (250, 0, 0)).save(pictures / "red.png")
    Image.new("RGB", (90, 70), (250, 0, 0)).save(pictures / "red-again.bmp")
    Image.new("RGB", (70, 90), (0, 0, 250)).save(pictures / "deep" / "blue.png")

    # WHEN four samples are rendered over them from three views
    camera = ["--views", "3", "--yaw", "-40", "40", "--elevation", "-5", "20", "--style", "flat"]
    arguments: list[str | Path] = [*camera, "--samples", "4", "--size", "48", "--backgrounds", pictures]
    done = farm("render", mascots["momo"], "--out", tmp_path / "out", *arguments)
    assert done.returncode == 0, done.stderr

    # THEN every picture is there under the name of its view, over its background
    (model,) = read_output(tmp_path / "out")
    assert len(model.manifest.spec.backgrounds) == 2
    with (tmp_path / "out" / "poses.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({row["file"] for row in rows}) == 4 * 3 * 2
    views: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for row in rows:
        assert row["file"].endswith(f"_{int(row['sample']):05d}_v{int(row['view']):02d}.png")
        assert -40 <= float(row["yaw"]) <= 40
        assert -5 <= float(row["elevation"]) <= 20
        views.setdefault((row["sample"], row["view"]), set()).add((row["yaw"], row["elevation"]))
        with Image.open(tmp_path / "out" / row["file"]) as picture:
            assert picture.mode == "RGB"
            assert picture.getpixel((0, 0)) in ((250, 0, 0), (0, 0, 250))
    assert all(len(angles) == 1 for angles in views.values())
    assert len({row["background"] for row in rows}) == 2

    # AND the same command draws nothing again
    again = farm("render", mascots["momo"], "--out", tmp_path / "out", *arguments)
    assert "; 0 models came now" in again.stdout

    # AND the layout of the release cannot hold them
    done = farm("export", tmp_path / "out", "--out", tmp_path / "data")
    assert done.returncode == 1
    assert "render it again" in done.stderr


@pytest.mark.blender
def test_doctor_tells_what_works() -> None:
    done = farm("doctor")

    assert done.returncode == 0, done.stdout
    assert "Blender: 5.2" in done.stdout
    assert "Blender's confinement: " in done.stdout
    assert "embedded Valkey: " in done.stdout


def test_the_version_and_every_command_have_help() -> None:
    assert "farm, version" in farm("--version").stdout
    commands = re.findall(r"^  (\w+) +[A-Z]", farm("--help").stdout, re.MULTILINE)
    assert len(commands) == len(set(commands)) > 20
    for command in commands:
        done = CliRunner().invoke(main, [command, "--help"])  # here: two dozen processes take their time
        assert done.exit_code == 0, command
        assert "Usage:" in done.stdout


@pytest.mark.blender
def test_a_zip_of_several_models_is_rendered_whole_and_odd_names_do_no_harm(
    mascots: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "models [test] モデル"
    folder.mkdir()
    with zipfile.ZipFile(folder / "two.zip", "w") as archive:
        archive.writestr("a/momo.pmx", mascots["momo"].read_bytes())
        archive.writestr("b/broken.pmx", b"PMX ?")
        archive.writestr("c/nagi.pmx", mascots["nagi"].read_bytes())
    odd = os.fsencode(folder) + b"/bad\xff\xfename.pmx"
    Path(os.fsdecode(odd)).write_bytes(mascots["momo"].read_bytes())
    (folder / "[bold]twin.pmx").symlink_to(mascots["momo"])

    done = farm("render", folder / "two.zip", folder, "--out", tmp_path / "out", "--keep-unusable", *SMALL)

    assert done.returncode == 1
    assert "two.zip/b/broken.pmx: The PMX file is cut off" in done.stderr
    assert "Traceback" not in done.stderr
    shown = farm("inspect", "--json", folder / "two.zip")
    assert shown.returncode == 1
    assert "two.zip/b/broken.pmx: The PMX file is cut off" in shown.stderr
    found = {Path(record["path"]).name: record["id"] for record in map(json.loads, shown.stdout.splitlines())}
    drawn = {model.manifest.model.id for model in read_output(tmp_path / "out")}
    assert found.keys() == {"momo.pmx", "nagi.pmx"}
    assert set(found.values()) <= drawn, "what is shown is what is drawn"
    titles = sorted(model.folder.name.rsplit("-", 1)[0] for model in read_output(tmp_path / "out"))
    assert titles == ["bold-twin", "momo", "nagi"], "with its textures, the twin is another model than the bare one"


@pytest.mark.blender
def test_a_folder_with_earlier_results_stays_whole(mascots: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert farm("render", mascots["momo"], "--out", out, *SMALL, "--style", "flat").returncode == 0
    assert farm("render", mascots["momo"], "--out", out, *SMALL, "--style", "toon").returncode == 0
    assert farm("render", mascots["nagi"], "--out", out, *SMALL, "--style", "toon").returncode == 0

    models = read_output(out)

    assert len(models) == 2
    with (out / "poses.csv").open(newline="") as file:
        named = {row["file"] for row in csv.DictReader(file)}
    kept = {path.relative_to(out).as_posix() for model in models for path in model.folder.rglob("*_0*.png")}
    assert named == kept
    assert len(named) == 2 * 2 * 2
    assert not any("flat" in name for name in named)


@pytest.mark.blender
def test_two_renders_into_one_folder_do_not_mix(mascots: dict[str, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "farm", "render", str(mascots["nagi"]), "--out", str(tmp_path / "out")]
    first = spawn([*command, "--samples", "500", "--size", "48"], tmp_path / "log")
    try:
        servers.wait_until(lambda: (tmp_path / "out").exists(), "the first render starting")
        second = farm("render", mascots["momo"], "--out", tmp_path / "out", *SMALL)
    finally:
        servers.end(first)

    assert second.returncode == 1
    assert "Another farm is writing into" in second.stderr


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


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"FARM_REDIS_URL": "garbage"}, "FARM_REDIS_URL is no Redis address"),
        ({"FARM_SHUTDOWN_SECONDS": "abc"}, "shutdown_seconds"),
    ],
)
@pytest.mark.blender
def test_doctor_names_a_wrong_setting(environment: dict[str, str], words: str) -> None:
    command = [sys.executable, "-m", "farm", "doctor"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=servers.PATIENCE_SECONDS,
        env={**os.environ, **environment},
    )

    assert done.returncode == 1
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.blender
def test_a_full_disk_gets_a_sentence(mascots: dict[str, Path]) -> None:
    small = Path("/dev/full")
    done = farm("annotate", mascots["momo"], "--out", small)

    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.blender
def test_a_farm_that_comes_up_again_finishes_what_it_had_begun(mascots: dict[str, Path], tmp_path: Path) -> None:
    # GIVEN a farm that is killed in the middle of a model
    def up(port: int) -> tuple[subprocess.Popen[bytes], FarmClient]:
        command = [sys.executable, "-m", "farm", "up", "--home", str(tmp_path / "home"), "--port", str(port)]
        process = spawn([*command, "--workers", "1"], tmp_path / "log")
        url = f"http://127.0.0.1:{port}"
        servers.wait_until(lambda: "submit" in (tmp_path / "log").read_text(), "the farm coming up")
        return process, FarmClient(url)

    first, client = up(free_port())
    (model,), _ = client.upload(mascots["nagi"])
    batch = client.submit([model], RenderSpec(samples=100, size=48)).id
    servers.wait_until(lambda: client.batch(batch).images_done > 0, "the first image")
    servers.end(first)
    client.close()
    (tmp_path / "log").write_text("")

    # WHEN it comes up again, THEN the job is finished
    second, client = up(free_port())
    try:
        servers.wait_until(lambda: client.batch(batch).ended, "the batch ending")
        assert [job.state for job in client.jobs(batch)] == ["done"]
    finally:
        client.close()
        servers.end(second, signal.SIGTERM)
