"""`farm render` as a user types it: what comes out, again, beside others, and what is left running."""

import csv
import json
import os
import shutil
import signal
import sys
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from farm.dataset.output import COLUMNS, read_output
from farm.process import spawn
from tests.farm.cli.command import SMALL, farm, farm_from_nothing
from tests.support import servers


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
    first = farm_from_nothing("render", folder, "--out", tmp_path / "one", *SMALL, "--workers", "2")
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


def test_where_blender_does_not_start_the_command_ends_and_says_so(
    mascots: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "libXi.so.6").touch()  # a library of Blender's, as a broken machine has it
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))

    done = farm_from_nothing("render", mascots["nagi"], "--out", tmp_path / "out", *SMALL)

    assert done.returncode == 1
    assert "Nothing can be drawn on this machine. Blender does not start" in done.stderr
    assert "`farm doctor` tells which library or driver is missing" in done.stderr


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
    done = farm_from_nothing("export", tmp_path / "out", "--out", tmp_path / "data")
    assert done.returncode == 1
    assert "render it again" in done.stderr


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
