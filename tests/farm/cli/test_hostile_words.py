"""What strangers write (names of files, models, morphs and batches) commands no terminal, whatever command prints it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from farm.cli import main
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_model
from tests.farm.cli.command import farm
from tests.support.characters import mascot
from tests.support.packed import with_licence, write_model, write_table

EVIL = "e\x1b[2J\x1b]0;taken\x07\u202egnp\u2066\u200b\x9b31m\u2028\u00ad\U000e0041\ue000[red]x"
"""Control sequences of both kinds, bidirectional and invisible characters, another line, private use, and rich's markup."""


WORDS = f"{EVIL}[/red][/]"
"""What no file can be called, as it has a slash."""


def assert_harmless(*printed: str) -> None:
    for text in printed:
        bad = {letter for letter in text if not letter.isprintable() and letter != "\n"}
        assert not bad, [f"U+{ord(letter):04X}" for letter in bad]


@pytest.fixture(scope="module")
def crafted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose every word is hostile, its file's name as well, and beside it one that cannot be read."""
    made = mascot("momo")
    evil = replace(
        made,
        name=WORDS, name_en=WORDS, comment=f"{WORDS}\n{WORDS}", comment_en=WORDS,
        textures=tuple(f"{EVIL}{index}.png" for index, _ in enumerate(made.textures)),
        materials=tuple(replace(one, name=f"{WORDS}{one.name}") for one in made.materials),
        morphs=tuple(replace(one, name=f"{one.name}{WORDS}") for one in made.morphs),
        bones=tuple(replace(one, name_en=WORDS) for one in made.bones),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("crafted") / EVIL
    folder.mkdir()
    (folder / f"{EVIL}.pmx").write_bytes(pmx_bytes(evil))
    (folder / f"{EVIL}-broken.pmx").write_bytes(b"PMX " + EVIL.encode())
    (folder / f"{EVIL}-readme.txt").write_text(WORDS)
    return folder


@pytest.fixture(scope="module")
def rendered(crafted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results of that model."""
    inventory = read_model(crafted / f"{EVIL}.pmx").inventory
    out = tmp_path_factory.mktemp("rendered") / EVIL
    write_model(out, EVIL, with_licence(inventory, author=WORDS, contactInformation=WORDS, licenseName=WORDS))
    write_table(out)
    return out


def run(*arguments: str | Path) -> Result:
    """The program; what it prints is harmless."""
    done = CliRunner().invoke(main, [*map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert_harmless(done.stdout, done.stderr)
    return done


def test_a_model_is_told_of(crafted: Path, tmp_path: Path) -> None:
    model = crafted / f"{EVIL}.pmx"
    assert "gnp" in run("inspect", model).stdout
    both = run("inspect", crafted)
    assert both.exit_code == 1
    assert "-broken.pmx" in both.stderr
    (told,) = map(json.loads, run("inspect", "--json", model).stdout.splitlines())
    assert (told["title"], told["path"]) == (WORDS, str(model))
    assert all(WORDS in one["name"] for one in told["materials"])

    table, applied, report = tmp_path / "table.csv", tmp_path / "applied.json", tmp_path / "report.json"
    run("annotate", model, "--out", table)
    run("annotate", model, "--out", applied, "--apply", table)
    run("annotate", model, "--report", "--out", report)
    assert_harmless(applied.read_text(), report.read_text())
    assert json.loads(applied.read_text())[0]["name"] == model.stem
    run("annotate", crafted, "--report")


def test_a_folder_is_told_of(rendered: Path, tmp_path: Path) -> None:
    (row,) = map(json.loads, run("licences", rendered, "--json").stdout.splitlines())
    assert row["title"] == WORDS
    run("licences", rendered, "--require", "redistribution")
    run("licences", rendered, "--credits", tmp_path / "credits.txt")
    run("stats", rendered, "--out", tmp_path / "page.html")
    json.loads(run("stats", rendered, "--json").stdout)
    folder = next(path.parent for path in rendered.glob("*/manifest.json"))
    (folder / f"{EVIL}.png").write_bytes(b"")
    next(folder.glob("*/*/*.png")).write_bytes(EVIL.encode())
    assert run("verify", rendered, "--processes", "1").exit_code == 1
    for line in run("verify", rendered, "--processes", "1", "--json").stdout.splitlines():
        json.loads(line)
    run("export", rendered, "--format", "folder", "--out", tmp_path / EVIL)


@pytest.mark.parametrize(
    "arguments",
    [
        [EVIL], ["inspect", EVIL], ["inspect", ".", EVIL], [f"--{EVIL}"], ["inspect", f"--{EVIL}", "."],
        ["render", ".", "--out", EVIL, "--samples", EVIL], ["render", ".", "--out", EVIL, "--style", EVIL],
        ["verify", EVIL], ["stats", EVIL], ["licences", EVIL], ["export", EVIL, "--format", "folder", "--out", EVIL],
        ["status", "--api", f"http://127.0.0.1:1/{EVIL}"], ["keys", "new", EVIL, "--role", "read"], ["schema", EVIL],
        ["inspect", ".", "--html", f"{EVIL}/{EVIL}"], ["annotate", ".", "--out", f"/{EVIL}/{EVIL}"], ["workers", EVIL],
    ],
)  # fmt: skip
def test_a_mistake_is_told_of(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments).exit_code


@pytest.mark.parametrize("variable", ["FARM_REDIS_URL", "FARM_STORAGE_URL", "FARM_ANNOTATION", "FARM_API_KEYS"])
def test_a_setting_is_told_of(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, EVIL)
    for command in (["reconcile"], ["doctor"]) if variable == "FARM_STORAGE_URL" else (["reconcile"], ["keys", "list"]):
        done = farm(*command)
        assert_harmless(done.stdout, done.stderr)
