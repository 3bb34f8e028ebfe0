"""Texture lookup: forgiving about spelling and places as artists are, and never outside what the user gave."""

import os
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from farm.models import textures
from farm.models.textures import TextureFolder


def find_texture(folder: Path, reference: str, within: Path | None = None) -> Path | None:
    found = TextureFolder(folder, within).find(reference)
    return found and found[0]


def is_stray(folder: Path, reference: str, within: Path | None = None) -> bool:
    found = TextureFolder(folder, within).find(reference)
    assert found is not None
    return found[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with textures, beside files that are none of its business."""
    model = tmp_path / "around" / "model"
    (model / "tex" / "Sub").mkdir(parents=True)
    for name in (
        "face.png",
        "tex/Hair.PNG",
        "tex/Sub/a.bmp",
        "tex/顔.png",
        "tex/空 白.png",
        "波〜線.png",
        "tex/波～線.png",
    ):
        (model / name).write_bytes(b"inside")
    (model / "tex" / unicodedata.normalize("NFD", "ガラス.png")).write_bytes(b"inside")
    (model / unicodedata.normalize("NFC", "パ.png")).write_bytes(b"inside")
    for outside in (tmp_path / "secret.png", tmp_path / "around" / "face.png", tmp_path / "around" / "secret.png"):
        outside.write_bytes(b"outside")
    (model / "link.png").symlink_to("../secret.png")
    (model / "linked").symlink_to("..")
    (model / "inner.png").symlink_to("face.png")
    (model / "gone.png").symlink_to("nowhere")
    return model


@pytest.mark.parametrize(
    ("reference", "file"),
    [
        ("face.png", "face.png"),
        ("FACE.PNG", "face.png"),
        ("./face.png", "face.png"),
        (".\\face.png", "face.png"),
        ("tex/Hair.PNG", "tex/Hair.PNG"),
        ("tex\\hair.png", "tex/Hair.PNG"),
        ("TEX\\SUB\\A.BMP", "tex/Sub/a.bmp"),
        ("tex//Sub\\\\a.bmp", "tex/Sub/a.bmp"),
        ("tex\\顔.png", "tex/顔.png"),
        ("tex/空 白.png", "tex/空 白.png"),
        (unicodedata.normalize("NFC", "tex/ガラス.png"), unicodedata.normalize("NFD", "tex/ガラス.png")),
        (unicodedata.normalize("NFD", "tex/ガラス.png"), unicodedata.normalize("NFD", "tex/ガラス.png")),
        (unicodedata.normalize("NFD", "パ.png"), unicodedata.normalize("NFC", "パ.png")),
        ("波～線.png", "波〜線.png"),
        ("TEX\\波〜線.png", "tex/波～線.png"),
        ("face.png ", "face.png"),
        ("face.png.", "face.png"),
        ("tex \\hair.png", "tex/Hair.PNG"),
        ("Tex.\\Sub. .\\A.bmp. .", "tex/Sub/a.bmp"),
        ("\\face.png", "face.png"),
        ("\\tex\\hair.png", "tex/Hair.PNG"),
        ("/tex/Sub/a.bmp", "tex/Sub/a.bmp"),
        ("tex\\..\\face.png", "face.png"),
        ("tex/../face.png", "face.png"),
        ("no folder\\..\\tex\\hair.png", "tex/Hair.PNG"),
        ("tex\\sub\\..\\hair.png", "tex/Hair.PNG"),
    ],
)
def test_a_texture_is_found_however_it_is_spelt(folder: Path, reference: str, file: str) -> None:
    assert find_texture(folder, reference) == folder / file


def test_of_names_that_differ_only_in_case_the_exact_one_is_taken(folder: Path) -> None:
    (folder / "Face.png").write_bytes(b"other")

    assert find_texture(folder, "face.png") == folder / "face.png"
    assert find_texture(folder, "Face.png") == folder / "Face.png"
    assert find_texture(folder, "FACE.png") == folder / "Face.png"  # neither: always the same one


@pytest.mark.parametrize(
    ("reference", "file"),
    [
        ("{folder}/face.png", "face.png"),
        ("//server/share/face.png", "face.png"),
        ("\\\\server\\model\\tex\\hair.png", "tex/Hair.PNG"),
        ("\\\\?\\C:\\face.png", "face.png"),
        ("C:\\face.png", "face.png"),
        ("c:/Users/me/model/TEX/sub/a.bmp", "tex/Sub/a.bmp"),
        ("C:face.png", "face.png"),
        ("C:\\a.bmp", "tex/Sub/a.bmp"),
        ("tex/C:/face.png", "face.png"),
        ("../model/face.png", "face.png"),
        ("..\\..\\tex\\hair.png", "tex/Hair.PNG"),
        ("textures\\hair.png", "tex/Hair.PNG"),
        ("hair.png", "tex/Hair.PNG"),
        ("linked/model/face.png", "face.png"),
        ("LINKED\\face.png", "face.png"),
    ],
)
def test_a_texture_that_is_not_where_the_model_says_is_found_in_its_folder_by_name(
    folder: Path, reference: str, file: str
) -> None:
    assert find_texture(folder, reference.format(folder=folder)) == folder / file
    assert is_stray(folder, reference.format(folder=folder))


@pytest.mark.parametrize(
    "reference", ["face.png", "TEX\\hair.png ", "\\tex\\hair.png", "tex\\..\\face.png", "./face.png."]
)
def test_a_path_that_leads_to_its_file_is_no_stray(folder: Path, reference: str) -> None:
    assert not is_stray(folder, reference)


def test_a_name_that_several_files_have_tells_nothing(folder: Path) -> None:
    (folder / "tex" / "face.png").write_bytes(b"another")

    assert find_texture(folder, "textures\\face.png") is None
    assert find_texture(folder, "D:\\work\\tex\\face.png") == folder / "tex/face.png"
    assert find_texture(folder, "tex/FACE.png") == folder / "tex/face.png"


def test_a_path_may_leave_the_model_s_folder_where_the_user_gave_the_one_above(folder: Path) -> None:
    above = folder.parent

    assert find_texture(folder, "..\\secret.png", above) == above / "secret.png"
    assert not is_stray(folder, "..\\secret.png", above)
    assert find_texture(folder, "..\\face.png", above) == above / "face.png"
    assert find_texture(folder, "..\\..\\secret.png", above) is None
    assert find_texture(folder, "..\\model\\tex\\hair.png", above) == folder / "tex/Hair.PNG"
    assert find_texture(folder, "..\\model\\linked\\secret.png", above) is None
    assert find_texture(folder, "C:\\secret.png", above) is None  # by its name alone, only below the model
    assert find_texture(folder, "..\\face.png") == folder / "face.png"
    assert find_texture(folder, "..\\face.png", above / "elsewhere") == folder / "face.png"


def test_a_thousand_textures_cost_one_listing_of_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tex").mkdir()
    for number in range(1000):
        (tmp_path / "tex" / f"{number}.png").write_bytes(b"")
    listed: list[Path] = []
    scandir = os.scandir

    def counted(path: Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        listed.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    place = TextureFolder(tmp_path)

    found = [place.find(f"{folder}{number}.PNG") for number in range(1000) for folder in ("tex\\", "C:\\")]

    assert all(found)
    assert len(listed) == 2


@pytest.mark.parametrize(
    "reference",
    [
        "../secret.png",
        "..\\secret.png",
        "tex/../../secret.png",
        "..",
        "/etc/passwd",
        "\\etc\\passwd",
        "\\\\server\\x",
        "face.png:stream",
        "file:///etc/passwd",
        "link.png",
        "linked/secret.png",
        "inner.png",
        "gone.png",
        "tex",
        "tex/",
        "tex/Sub",
        "face.png/",
        "face.png/x",
        "face.png\0",
        "\0",
        "",
        ".",
        "/",
        "\\",
        "absent.png",
        "x" * 5000,
        "/".join(["tex"] * 5000),
        "~/secret.png",
        "%2e%2e/secret.png",
        "．．/secret.png",
    ],
)
def test_nothing_else_is_ever_found(folder: Path, reference: str) -> None:
    found = find_texture(folder, reference.format(folder=folder) if "{" in reference else reference)

    if reference == "face.png/":
        assert found == folder / "face.png"  # a stray separator at the end names the same file
    else:
        assert found is None


def test_a_link_that_has_the_wanted_name_in_another_case_is_not_followed(folder: Path) -> None:
    assert find_texture(folder, "LINK.png") is None


def test_a_folder_that_the_user_named_through_a_link_is_used(folder: Path, tmp_path: Path) -> None:
    shortcut = tmp_path / "shortcut"
    shortcut.symlink_to(folder)

    assert find_texture(shortcut, "tex\\hair.png") == shortcut / "tex/Hair.PNG"
    assert find_texture(shortcut, "link.png") is None


def test_a_file_over_the_size_limit_counts_as_absent(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textures, "MAX_TEXTURE_BYTES", 5)

    assert find_texture(folder, "face.png") is None


def test_a_model_folder_that_is_gone_has_no_textures(tmp_path: Path) -> None:
    assert find_texture(tmp_path / "gone", "face.png") is None
