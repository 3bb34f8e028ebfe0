"""The readme and licence files beside models."""

import hashlib
import os
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.notices import MAX_CHARACTERS, MAX_NOTICES, Notice
from farm.models.package import read_model, receive, upload_form
from farm.models.vrm.writer import vrm_bytes
from tests.farm.models import made_files as made


def model_in(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "child.pmx"
    path.write_bytes(pmx_bytes(made.small_character()))
    return path


def notices_of(path: Path, within: Path | None = None) -> list[Notice]:
    return read_model(path, within).inventory.notices


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("readme.txt", "cp932"), ("りどみ.txt", "utf-8"), ("利用規約.TXT", "utf-16"), ("モデル_ReadMe.md", "utf-8-sig"),
        ("はじめにお読みください.txt", "cp932"), ("LICENSE", "utf-8"), ("Terms of use.txt", "utf-8"),
    ],
)  # fmt: skip
def test_they_are_known_by_their_names_and_read_in_their_encoding(tmp_path: Path, name: str, encoding: str) -> None:
    data = "二次配布は\r\n禁止です".encode(encoding)
    model = model_in(tmp_path)
    (tmp_path / name).write_bytes(data)
    (tmp_path / "notes on my holiday.txt").write_text("sun")
    (tmp_path / "readme.pmx.bak").write_text("no")

    assert notices_of(model) == [
        Notice(name=name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), text="二次配布は\n禁止です")
    ]


def test_nearer_ones_come_first_and_none_from_outside_what_was_given(tmp_path: Path) -> None:
    model = model_in(tmp_path / "given" / "pack" / "child")
    for place in (tmp_path, tmp_path / "given", tmp_path / "given" / "pack", model.parent):
        (place / f"readme of {place.name}.txt").write_text(place.name)
    (model.parent / "license.txt").symlink_to(tmp_path / "given" / "readme of given.txt")

    found = [notice.name for notice in notices_of(model, tmp_path / "given")]

    assert found == ["readme of child.txt", "readme of pack.txt", "readme of given.txt"]
    assert [notice.name for notice in notices_of(model)] == ["readme of child.txt"]


def test_long_large_and_many_ones_are_bounded(tmp_path: Path) -> None:
    model = model_in(tmp_path)
    (tmp_path / "a readme.txt").write_text("x" * (MAX_CHARACTERS + 1))
    (tmp_path / "b readme.pdf").write_bytes(b"%PDF")
    os.truncate(os.open(tmp_path / "c readme.txt", os.O_CREAT | os.O_RDWR), 2**33)
    for number in range(MAX_NOTICES):
        (tmp_path / f"d readme {number}.txt").write_text("")

    found = notices_of(model)

    assert len(found) == MAX_NOTICES
    assert (len(found[0].text), found[0].cut) == (MAX_CHARACTERS, True)
    assert (found[1].name, found[1].text) == ("b readme.pdf", "")
    assert found[2].name == "d readme 0.txt"


@pytest.mark.parametrize("suffix", [".pmx", ".vrm"])
def test_an_upload_takes_them_along(tmp_path: Path, suffix: str) -> None:
    character = made.small_character()
    model = tmp_path / f"child{suffix}"
    model.write_bytes(pmx_bytes(character) if suffix == ".pmx" else vrm_bytes(character))
    (tmp_path / "readme.txt").write_text("Be kind.")

    name, data = upload_form(model)
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert sorted(archive.namelist()) == [model.name, "readme.txt"]
    (package,), refused = receive(name, data)

    assert refused == []
    assert package.id == read_model(model).id, "a notice is no part of the content"
    assert package.inventory == read_model(model).inventory
    assert [notice.text for notice in package.inventory.notices] == ["Be kind."]
    if suffix == ".vrm":
        assert package.inventory.creator == package.inventory.licence["authors"] == "unknown"
