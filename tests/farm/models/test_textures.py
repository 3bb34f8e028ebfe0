"""Texture lookup: forgiving about spelling as Windows is, and never outside the model's folder."""

import unicodedata
from pathlib import Path

import pytest

from farm.models import textures
from farm.models.textures import find_texture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with textures, beside files that are none of its business."""
    model = tmp_path / "around" / "model"
    (model / "tex" / "Sub").mkdir(parents=True)
    for name in ("face.png", "tex/Hair.PNG", "tex/Sub/a.bmp", "tex/顔.png", "tex/空 白.png"):
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
    "reference",
    [
        "../secret.png",
        "..\\secret.png",
        "tex/../../secret.png",
        "tex\\..\\face.png",
        "tex/../face.png",
        "..",
        "../model/face.png",
        "{folder}/face.png",
        "/etc/passwd",
        "\\etc\\passwd",
        "//server/share/face.png",
        "\\\\server\\x",
        "\\\\?\\C:\\face.png",
        "C:\\face.png",
        "c:/face.png",
        "C:face.png",
        "tex/C:/face.png",
        "face.png:stream",
        "file:///etc/passwd",
        "link.png",
        "linked/secret.png",
        "linked/model/face.png",
        "LINKED\\face.png",
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
