"""A model as the farm keeps it: its identity, its textures by number, its bytes."""

import dataclasses
import io
import zipfile
from pathlib import Path

import pytest

from farm.errors import ModelFormatError
from farm.models import package
from farm.models.description import VertexMorph
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_model, to_bytes, unfold, upload_form
from tests.farm.models import made_files as made
from tests.farm.models.package.zipped import MODEL, PMX, folder_of, only_model, zip_of


def test_a_model_comes_with_the_textures_that_are_there(tmp_path: Path) -> None:
    read = read_model(folder_of(tmp_path, MODEL) / "m.pmx")

    assert (read.name, read.suffix, read.data) == ("m", ".pmx", PMX)
    assert read.textures == {0: b"face", 2: b"hair"}
    assert read.inventory.textures_found == ["hair.png", "tex/face.PNG"]
    assert read.inventory.textures_absent == ["missing.bmp"]
    assert any("'missing.bmp'" in warning for warning in read.inventory.warnings)


def test_many_textures_that_are_missing_are_one_warning(tmp_path: Path) -> None:
    textures = ("tex\\Face.png", *(f"lost{n}.bmp" for n in range(28)))
    data = pmx_bytes(made.small_character(textures=textures))

    held = read_model(folder_of(tmp_path, {"m.pmx": data, "tex/face.PNG": b"face"}) / "m.pmx").inventory

    assert held.textures_absent == list(textures[1:])
    (warning,) = [warning for warning in held.warnings if "lost" in warning]
    assert warning.startswith("Texture 'lost0.bmp' is not in the model's folder; its material is drawn plain.")
    assert warning.endswith("So it is with 27 others: 'lost1.bmp', 'lost2.bmp', 'lost3.bmp' and 24 more.")


def test_the_inventory_says_what_the_model_holds(tmp_path: Path) -> None:
    held = read_model(folder_of(tmp_path, MODEL) / "m.pmx").inventory

    assert (held.format, held.title, held.neck, held.head, held.bone_rule) == ("PMX 2.0", "子", "首", "頭", "MMD")
    assert (held.vertices, held.triangles, held.bones) == (3, 1, 3)
    assert [(m.index, m.name, m.kind, m.panel, m.moved, m.proposal) for m in held.morphs] == [
        (0, "まばたき", "vertex", "eye", 1, None)
    ]
    assert held.morphs[0].reasons == ["it changes nothing that shows"]  # its vertex is far from the neck
    assert (held.annotation, held.target_morphs, held.samples) == ({}, 0, 20)
    assert held.materials[0].texture == "tex\\Face.png"
    assert type(held).model_validate_json(held.model_dump_json()) == held


def test_the_same_character_has_the_same_id_under_any_name_and_in_any_order() -> None:
    plain = only_model("a.zip", zip_of(MODEL))
    renamed = only_model(
        "b.ZIP", zip_of({"深い/所/Model.PMX": PMX, "深い/所/TEX/FACE.png": b"face", "深い/所/hair.png": b"hair"})
    )
    turned = only_model("c.zip", zip_of(dict(reversed(MODEL.items()))))
    beside = only_model("d.zip", zip_of({**MODEL, "readme.txt": b"do not read me", "tex/unused.png": b"unused"}))

    assert renamed.name == "Model"
    assert {plain.id, renamed.id, turned.id, beside.id} == {plain.id}
    assert len(plain.id) == 64


def test_the_id_depends_on_every_texture_and_on_its_place() -> None:
    without = {"m.pmx": PMX, "hair.png": b"hair"}
    versions = [
        MODEL,
        without,
        {"m.pmx": PMX, "tex/face.png": b"hair"},
        {"m.pmx": PMX},
        {**MODEL, "hair.png": b"other"},
        {**MODEL, "tex/face.PNG": b"hair", "hair.png": b"face"},
        {**MODEL, "missing.bmp": b""},
    ]

    ids = [only_model("a.zip", zip_of(version)).id for version in versions]

    assert len(set(ids)) == len(versions)


def test_the_id_depends_on_the_character() -> None:
    other = made.small_character(textures=("tex\\Face.png", "missing.bmp", "hair.png"))
    morph = other.morphs[0]
    assert isinstance(morph, VertexMorph)
    moved = dataclasses.replace(morph, offsets=morph.offsets + 1)

    changed = pmx_bytes(dataclasses.replace(other, morphs=(moved,)))

    assert only_model("a.zip", zip_of({**MODEL, "m.pmx": changed})).id != only_model("a.zip", zip_of(MODEL)).id


BESIDE = pmx_bytes(made.small_character(textures=("..\\tex\\顔.png", "C:\\work\\hair.png", "gone.png")))
SHARED = {"pmx/m.pmx": BESIDE, "tex/顔.png": b"face", "pmx/parts/Hair.png": b"hair", "pmx/unused.png": b"u"}


def test_textures_beside_the_model_s_folder_are_used_where_the_user_gave_both(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "given", SHARED) / "pmx/m.pmx"
    (tmp_path / "tex").mkdir()
    (tmp_path / "tex/顔.png").write_bytes(b"outside")

    in_zip, in_folder = only_model("a.zip", zip_of(SHARED)), read_model(path, tmp_path / "given")

    assert in_zip.textures == in_folder.textures == {0: b"face", 1: b"hair"}
    assert in_zip.id == in_folder.id == only_model(*upload_form(path, tmp_path / "given")).id
    assert in_folder.inventory.textures_found == ["../tex/顔.png", "parts/Hair.png"]
    assert in_folder.inventory.warnings == in_zip.inventory.warnings
    assert sum("'parts/Hair.png' is drawn" in warning for warning in in_folder.inventory.warnings) == 1
    assert not any("顔" in warning for warning in in_folder.inventory.warnings)
    assert read_model(path).textures == {1: b"hair"}  # a file by itself: its own folder bounds it


def test_a_package_s_bytes_depend_on_its_content_alone(tmp_path: Path) -> None:
    first = only_model("a.zip", zip_of(MODEL))
    second = only_model("b.zip", zip_of({f"folder/{name}": data for name, data in reversed(MODEL.items())}))
    shuffled = dataclasses.replace(first, textures=dict(reversed(first.textures.items())))

    assert to_bytes(first) == to_bytes(second) == to_bytes(shuffled)
    with zipfile.ZipFile(io.BytesIO(to_bytes(first))) as file:
        assert {member.date_time for member in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}  # not the time of day


def test_a_package_unfolds_to_what_went_in(tmp_path: Path) -> None:
    one = only_model("a.zip", zip_of(MODEL))

    character, textures = unfold(to_bytes(one), tmp_path)

    assert (character.suffix, character.read_bytes()) == (".pmx", PMX)
    assert {index: path.read_bytes() for index, path in textures.items()} == one.textures
    assert all(path.parent == tmp_path for path in (character, *textures.values()))


def test_a_package_without_textures_unfolds_to_one_file(tmp_path: Path) -> None:
    character, textures = unfold(to_bytes(only_model("狐.vrm", made.vrm("0.x").to_bytes())), tmp_path)

    assert character.read_bytes() == made.vrm("0.x").to_bytes()
    assert textures == {}


def test_the_most_textures_that_a_model_may_list_can_be_unfolded(tmp_path: Path) -> None:
    names = tuple("hair.png" if number % 2 else "HAIR.png" for number in range(package.MAX_TEXTURES))
    data = pmx_bytes(made.small_character(textures=names))

    one = only_model("a.zip", zip_of({"m.pmx": data, "hair.png": b"hair"}))

    assert len(unfold(to_bytes(one), tmp_path)[1]) == package.MAX_TEXTURES


def test_more_textures_than_that_are_refused(tmp_path: Path) -> None:
    data = pmx_bytes(made.small_character(textures=("a.png",) * (package.MAX_TEXTURES + 1)))

    with pytest.raises(ModelFormatError, match="lists 1025 textures, over the limit of 1024"):
        read_model(folder_of(tmp_path, {"m.pmx": data}) / "m.pmx")


def test_a_model_over_the_size_limits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder_of(tmp_path, MODEL) / "m.pmx"
    monkeypatch.setattr(package, "MAX_PACKAGE_BYTES", len(PMX) + 7)
    with pytest.raises(ModelFormatError, match="and its textures exceed"):
        read_model(path)
    monkeypatch.setattr(package, "MAX_MODEL_BYTES", len(PMX) - 1)
    with pytest.raises(ModelFormatError, match="larger than the limit"):
        read_model(path)


def test_a_file_of_another_kind_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match=r"'a\.obj' is no model file"):
        read_model(folder_of(tmp_path, {"a.obj": b"o"}) / "a.obj")


def test_what_is_uploaded_arrives_as_the_same_model(tmp_path: Path) -> None:
    twice = pmx_bytes(made.small_character(textures=("顔.png", "./顔.png", "tex/A.png")))
    path = folder_of(tmp_path, {"狐.pmx": twice, "顔.png": b"face", "tex/a.png": b"a", "unused.png": b"u"}) / "狐.pmx"

    name, data = upload_form(path)

    assert name == "狐.zip"
    assert only_model(name, data).id == read_model(path).id
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert sorted(file.namelist()) == ["tex/a.png", "狐.pmx", "顔.png"]


def test_a_model_without_textures_and_a_bad_one_are_uploaded_as_they_are(tmp_path: Path) -> None:
    folder_of(tmp_path, {"a.pmx": PMX, "b.pmx": b"rubbish"})

    assert upload_form(tmp_path / "a.pmx") == ("a.pmx", PMX)
    assert upload_form(tmp_path / "b.pmx") == ("b.pmx", b"rubbish")


def test_of_morphs_with_one_name_the_inventory_proposes_the_one_that_plays() -> None:
    held = only_model("m.pmx", pmx_bytes(made.names_twice())).inventory

    assert held.annotation == made.NAMES_TWICE
    assert [(m.index, m.name, m.moved > 0, m.proposal) for m in held.morphs] == [
        (0, "まばたき", False, None),
        (1, "上", True, None),
        (2, "まばたき", True, "eye/closed/both"),
        (3, "上", True, "eyebrow/raised/both"),
        (4, "あ", True, "mouth/a"),
    ]
