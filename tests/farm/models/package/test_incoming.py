"""What people send or name: models by themselves, zips of several, and what is none."""

from pathlib import Path

import pytest

from farm.errors import ArchiveError, NoNeckBoneError
from farm.models.files import find_models
from farm.models.mmd.pmx_writer import pmx_bytes
from tests.farm.models import made_files as made
from tests.farm.models import packed
from tests.farm.models.package.zipped import HEADLESS, PMX, folder_of, only_model, zip_of
from tests.support.received import receive


def test_an_upload_of_good_and_bad_models_gives_both() -> None:
    upload = {
        "good/a.pmx": PMX,
        "good/b.pmd": packed.pack_pmd(),
        "good/c.VRM": made.vrm("1.0").to_bytes(),
        "bad/cut.pmx": PMX[:-100][:200],
        "bad/neckless.pmx": HEADLESS,
        "bad/text.pmx": "テキスト".encode(),
        "bad/note.txt": b"no model",
    }

    packages, refusals = receive("models.zip", zip_of(upload))

    assert [(one.name, one.suffix) for one in packages] == [("a", ".pmx"), ("b", ".pmd"), ("c", ".vrm")]
    assert [(one.name, one.error.code) for one in refusals] == [
        ("bad/cut.pmx", "model-truncated"),
        ("bad/neckless.pmx", "no-neck-bone"),
        ("bad/text.pmx", "model-format"),
    ]


def test_a_model_by_itself_can_be_uploaded() -> None:
    assert only_model("狐.vrm", made.vrm("0.x").to_bytes()).name == "狐"
    assert only_model("m.PMX", PMX).textures == {}
    packages, refusals = receive("m.pmx", HEADLESS)
    assert packages == []
    assert isinstance(refusals[0].error, NoNeckBoneError)


@pytest.mark.parametrize(
    "name",
    [
        "../../m.pmx",
        "/etc/m.pmx",
        "..\\..\\m.pmx",
        "C:\\models\\m.pmx",
        "a/../m.pmx",
        "m\0.pmx",
        "x" * 400 + ".pmx",
        "顔" * 200 + ".pmx",
        "\ud800.pmx",
    ],
)
def test_a_file_name_leads_nowhere_else(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    one = only_model(name, PMX)

    assert one.data == PMX
    assert "/" not in one.name
    assert "\\" not in one.name
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["..", ".", "", "/", "a/..", "m.txt", "pmx", "m.pmx/", "m.zip.txt"])
def test_an_upload_that_is_no_model_is_refused_as_a_whole(name: str) -> None:
    with pytest.raises(ArchiveError, match="holds no model"):
        receive(name, PMX)


def test_a_zip_without_models_is_refused_as_a_whole() -> None:
    with pytest.raises(ArchiveError, match="holds no model"):
        receive("a.zip", zip_of({"readme.txt": b"x"}))


@pytest.mark.parametrize("inside", [{"in/M.PMX": PMX}, {"deeper.zip": b"PK"}])
def test_a_zip_in_a_zip_is_named_where_models_are_in_there(inside: dict[str, bytes]) -> None:
    inner = zip_of(inside)

    with pytest.raises(
        ArchiveError, match=r"'a\.zip' holds zips .*: 'x/1\.zip', 'x/2\.zip'\. A zip in a zip is not opened"
    ):
        receive("a.zip", zip_of({"x/1.zip": inner, "x/2.zip": inner, "motions.zip": zip_of({"dance.vmd": b"x"})}))
    packages, refusals = receive("a.zip", zip_of({"m.pmx": PMX, "x/1.zip": inner}))
    assert [one.name for one in packages] == ["m"]
    assert [(one.name, one.error.code) for one in refusals] == [("x/1.zip", "archive-refused")]
    assert receive("a.zip", zip_of({"m.pmx": PMX, "motions.zip": zip_of({"dance.vmd": b"x"})}))[1] == []


def test_a_broken_zip_is_refused_as_a_whole() -> None:
    with pytest.raises(ArchiveError, match="no usable zip"):
        receive("a.zip", b"no zip")


def test_textures_are_never_taken_from_outside_the_model_s_folder() -> None:
    thief = pmx_bytes(made.small_character(textures=("..\\..\\other\\secret.png", "/etc/hostname", "secret.png")))

    packages, _ = receive("a.zip", zip_of({"thief/m.pmx": thief, "other/secret.png": b"s", "secret.png": b"s"}))

    assert packages[0].textures == {}
    assert len(packages[0].inventory.textures_absent) == 3


def test_models_are_found_below_a_folder_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder_of(tmp_path, {"b/z.vrm": b"", "b/a.PMX": b"", "a.pmd": b"", "c.png": b"", "d.pmx.txt": b""})
    folder_of(tmp_path, {"__MACOSX/b/._a.PMX": b"", "b/.hidden.pmx": b""})
    (tmp_path / "link.pmd").symlink_to("a.pmd")
    (tmp_path / "dangling.pmx").symlink_to("nowhere")
    (tmp_path / "folder.pmx").mkdir()

    found = [path.relative_to(tmp_path).as_posix() for path in find_models(tmp_path)]

    assert found == ["a.pmd", "b/a.PMX", "b/z.vrm", "link.pmd"]
    assert list(find_models(tmp_path / "a.pmd")) == [tmp_path / "a.pmd"]
