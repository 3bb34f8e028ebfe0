"""Which models a command finds: in files, in zips, in folders, and in folders that grow."""

import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from farm.cli import sources as module
from farm.cli.options import models_at
from farm.cli.sources import Candidate, Checked, Sources, Unreadable, Watched
from farm.models.mmd.pmx_writer import pmx_bytes
from tests.farm.models import made_files as made


def child(name: str) -> bytes:
    return pmx_bytes(replace(made.small_character(), name=name))


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return path


def read(*paths: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Label by where each model was found, relative to the first path, and the sentences on what cannot be used."""
    taken, refused = dict[str, str](), dict[str, str]()
    sources = Sources(models_at(paths), paths)
    for path in sources.files:
        for found in sources.read(path):
            where = os.path.relpath(found.where, paths[0])
            match found:
                case Candidate():
                    taken[where] = found.label
                case Unreadable():
                    refused[where] = str(found.error)
    assert sum(isinstance(found, Checked) for found in sources) == len(taken)
    return taken, refused


def test_zips_in_folders_are_models_under_their_own_names(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "Gene.pmx").write_bytes(child("1"))
    zipped(tmp_path / "deep" / "alone.zip", **{"x/whatever__pmx": child("2")})
    zipped(tmp_path / "two.zip", a__pmx=child("3"), b__pmx=child("4"), c__pmx=b"PMX ?")
    zipped(tmp_path / "Gene.zip", other__pmx=child("5"))

    taken, refused = read(tmp_path)

    assert taken == {
        "Gene.pmx": "Gene.pmx",  # beside Gene.zip, the name has to say which
        "Gene.zip": "Gene.zip",
        "deep/alone.zip": "alone",
        "two.zip/a.pmx": "a",
        "two.zip/b.pmx": "b",
    }
    assert list(refused) == ["two.zip/c.pmx"]


def test_a_model_is_called_the_same_whatever_other_folders_are_given(tmp_path: Path) -> None:
    for place, number in (("a", "1"), ("b", "2")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "momo.pmx").write_bytes(child(number))

    assert read(tmp_path / "a") == ({"momo.pmx": "momo"}, {})
    assert read(tmp_path) == ({"a/momo.pmx": "momo", "b/momo.pmx": "momo"}, {})


def test_a_zip_without_a_model_is_refused_only_where_a_person_named_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    motions = zipped(tmp_path / "motions.zip", dance__vmd=b"Vocaloid Motion Data 0002")
    (tmp_path / "a.pmx").write_bytes(child("1"))

    assert read(tmp_path) == ({"a.pmx": "a"}, {})
    taken, refused = read(motions)

    assert taken == {}
    assert "holds no model" in refused["."]


def test_a_zip_of_zips_with_models_is_named_wherever_it_lies(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", a__pmx=child("1"))
    zipped(tmp_path / "outer.zip", inner__zip=inner.read_bytes())

    taken, refused = read(tmp_path)

    assert taken == {"inner.zip": "inner"}
    assert "A zip in a zip is not opened: unpack the outer one" in refused["outer.zip"]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks without a pause between them."""
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(module, "_LOOK_SHARE", 1e9)


@pytest.mark.usefixtures("hasty")
def test_what_grows_is_taken_when_it_is_still_and_again_when_it_changed(tmp_path: Path) -> None:
    watched = Watched((tmp_path,))

    def look() -> list[str]:
        return [path.relative_to(tmp_path).as_posix() for path, _ in watched.look()]

    (tmp_path / "nagi").mkdir()
    (tmp_path / "nagi" / "nagi.pmx").write_bytes(b"1")
    (tmp_path / "all.zip").write_bytes(b"2")
    assert look() == []
    assert not watched.settled
    (tmp_path / "nagi" / "face.png").write_bytes(b"3")  # its textures come behind it
    assert look() == ["all.zip"]
    assert look() == ["nagi/nagi.pmx"]
    assert look() == []
    assert watched.settled

    (tmp_path / "nagi" / "face.png").write_bytes(b"4 others")
    assert look() == []
    assert look() == ["nagi/nagi.pmx"]
