"""A model as the farm keeps it: its identity, its textures by number, and uploads that hold several."""

import dataclasses
import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from farm.errors import ArchiveError, ModelFormatError, NoNeckBoneError
from farm.models import package
from farm.models.description import VertexMorph
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import Package, find_models, read_model, to_bytes, unfold, upload_form
from tests.farm.models import made_files as made
from tests.support.received import receive

PMX = pmx_bytes(made.small_character(textures=("tex\\Face.png", "missing.bmp", "hair.png")))
HEADLESS = pmx_bytes(made.small_character(bones=("センター",)))


def _zip(content: dict[str, bytes]) -> bytes:
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in content.items():
                file.writestr(name, data)
        return out.getvalue()


def _folder(root: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def _only(file_name: str, data: bytes) -> Package:
    packages, refusals = receive(file_name, data)
    assert refusals == []
    (one,) = packages
    return one


MODEL = {"m.pmx": PMX, "tex/face.PNG": b"face", "hair.png": b"hair"}


def test_a_model_comes_with_the_textures_that_are_there(tmp_path: Path) -> None:
    read = read_model(_folder(tmp_path, MODEL) / "m.pmx")

    assert (read.name, read.suffix, read.data) == ("m", ".pmx", PMX)
    assert read.textures == {0: b"face", 2: b"hair"}
    assert read.inventory.textures_found == ["hair.png", "tex/face.PNG"]
    assert read.inventory.textures_absent == ["missing.bmp"]
    assert any("'missing.bmp'" in warning for warning in read.inventory.warnings)


def test_many_textures_that_are_missing_are_one_warning(tmp_path: Path) -> None:
    textures = ("tex\\Face.png", *(f"lost{n}.bmp" for n in range(28)))
    data = pmx_bytes(made.small_character(textures=textures))

    held = read_model(_folder(tmp_path, {"m.pmx": data, "tex/face.PNG": b"face"}) / "m.pmx").inventory

    assert held.textures_absent == list(textures[1:])
    (warning,) = [warning for warning in held.warnings if "lost" in warning]
    assert warning.startswith("Texture 'lost0.bmp' is not in the model's folder; its material is drawn plain.")
    assert warning.endswith("So it is with 27 others: 'lost1.bmp', 'lost2.bmp', 'lost3.bmp' and 24 more.")


def test_the_inventory_says_what_the_model_holds(tmp_path: Path) -> None:
    held = read_model(_folder(tmp_path, MODEL) / "m.pmx").inventory

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
    plain = _only("a.zip", _zip(MODEL))
    renamed = _only(
        "b.ZIP", _zip({"深い/所/Model.PMX": PMX, "深い/所/TEX/FACE.png": b"face", "深い/所/hair.png": b"hair"})
    )
    turned = _only("c.zip", _zip(dict(reversed(MODEL.items()))))
    beside = _only("d.zip", _zip({**MODEL, "readme.txt": b"do not read me", "tex/unused.png": b"unused"}))

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

    ids = [_only("a.zip", _zip(version)).id for version in versions]

    assert len(set(ids)) == len(versions)


def test_the_id_depends_on_the_character() -> None:
    other = made.small_character(textures=("tex\\Face.png", "missing.bmp", "hair.png"))
    morph = other.morphs[0]
    assert isinstance(morph, VertexMorph)
    moved = dataclasses.replace(morph, offsets=morph.offsets + 1)

    changed = pmx_bytes(dataclasses.replace(other, morphs=(moved,)))

    assert _only("a.zip", _zip({**MODEL, "m.pmx": changed})).id != _only("a.zip", _zip(MODEL)).id


def test_an_upload_of_good_and_bad_models_gives_both() -> None:
    upload = {
        "good/a.pmx": PMX,
        "good/b.pmd": made.pack_pmd(),
        "good/c.VRM": made.vrm("1.0").to_bytes(),
        "bad/cut.pmx": PMX[:-100][:200],
        "bad/neckless.pmx": HEADLESS,
        "bad/text.pmx": "テキスト".encode(),
        "bad/note.txt": b"no model",
    }

    packages, refusals = receive("models.zip", _zip(upload))

    assert [(one.name, one.suffix) for one in packages] == [("a", ".pmx"), ("b", ".pmd"), ("c", ".vrm")]
    assert [(one.name, one.error.code) for one in refusals] == [
        ("bad/cut.pmx", "model-truncated"),
        ("bad/neckless.pmx", "no-neck-bone"),
        ("bad/text.pmx", "model-format"),
    ]


def test_a_model_by_itself_can_be_uploaded() -> None:
    assert _only("狐.vrm", made.vrm("0.x").to_bytes()).name == "狐"
    assert _only("m.PMX", PMX).textures == {}
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

    one = _only(name, PMX)

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
        receive("a.zip", _zip({"readme.txt": b"x"}))


@pytest.mark.parametrize("inside", [{"in/M.PMX": PMX}, {"deeper.zip": b"PK"}])
def test_a_zip_in_a_zip_is_named_where_models_are_in_there(inside: dict[str, bytes]) -> None:
    inner = _zip(inside)

    with pytest.raises(
        ArchiveError, match=r"'a\.zip' holds zips .*: 'x/1\.zip', 'x/2\.zip'\. A zip in a zip is not opened"
    ):
        receive("a.zip", _zip({"x/1.zip": inner, "x/2.zip": inner, "motions.zip": _zip({"dance.vmd": b"x"})}))
    packages, refusals = receive("a.zip", _zip({"m.pmx": PMX, "x/1.zip": inner}))
    assert [one.name for one in packages] == ["m"]
    assert [(one.name, one.error.code) for one in refusals] == [("x/1.zip", "archive-refused")]
    assert receive("a.zip", _zip({"m.pmx": PMX, "motions.zip": _zip({"dance.vmd": b"x"})}))[1] == []


def test_a_broken_zip_is_refused_as_a_whole() -> None:
    with pytest.raises(ArchiveError, match="no usable zip"):
        receive("a.zip", b"no zip")


def test_textures_are_never_taken_from_outside_the_model_s_folder() -> None:
    thief = pmx_bytes(made.small_character(textures=("..\\..\\other\\secret.png", "/etc/hostname", "secret.png")))

    packages, _ = receive("a.zip", _zip({"thief/m.pmx": thief, "other/secret.png": b"s", "secret.png": b"s"}))

    assert packages[0].textures == {}
    assert len(packages[0].inventory.textures_absent) == 3


BESIDE = pmx_bytes(made.small_character(textures=("..\\tex\\顔.png", "C:\\work\\hair.png", "gone.png")))
SHARED = {"pmx/m.pmx": BESIDE, "tex/顔.png": b"face", "pmx/parts/Hair.png": b"hair", "pmx/unused.png": b"u"}


def test_textures_beside_the_model_s_folder_are_used_where_the_user_gave_both(tmp_path: Path) -> None:
    path = _folder(tmp_path / "given", SHARED) / "pmx/m.pmx"
    (tmp_path / "tex").mkdir()
    (tmp_path / "tex/顔.png").write_bytes(b"outside")

    in_zip, in_folder = _only("a.zip", _zip(SHARED)), read_model(path, tmp_path / "given")

    assert in_zip.textures == in_folder.textures == {0: b"face", 1: b"hair"}
    assert in_zip.id == in_folder.id == _only(*upload_form(path, tmp_path / "given")).id
    assert in_folder.inventory.textures_found == ["../tex/顔.png", "parts/Hair.png"]
    assert in_folder.inventory.warnings == in_zip.inventory.warnings
    assert sum("'parts/Hair.png' is drawn" in warning for warning in in_folder.inventory.warnings) == 1
    assert not any("顔" in warning for warning in in_folder.inventory.warnings)
    assert read_model(path).textures == {1: b"hair"}  # a file by itself: its own folder bounds it


type Content = dict[str, bytes | tuple[str, ...]]
"""What files hold by their names; a tuple is a model with these textures."""
CHINESE: Content = {
    "模型/模型.pmx": ("贴图\\脸.png", "贴图/表情.png"),
    "模型/贴图/脸.png": b"face",
    "模型/贴图/表情.png": b"eyes",
}
TAIWANESE: Content = {
    "模型/模型.pmx": ("貼圖\\臉.png", "貼圖/功蓋.png"),
    "模型/貼圖/臉.png": b"face",
    "模型/貼圖/功蓋.png": b"eyes",
}
JAPANESE: Content = {"ソ/表.pmx": ("能\\ソ.png", "能/ｱ.png"), "ソ/能/ソ.png": b"face", "ソ/能/ｱ.png": b"eyes"}
KOREAN: Content = {
    "모델/모델.pmx": ("그림\\얼굴.png", "그림/똠.png"),
    "모델/그림/얼굴.png": b"face",
    "모델/그림/똠.png": b"eyes",
}
WESTERN: Content = {
    "Modèle/Modèle.pmx": ("é\\Gesicht ä.png", "é/ß.png"),
    "Modèle/é/Gesicht ä.png": b"face",
    "Modèle/é/ß.png": b"eyes",
}


def _zip_with_bare_names(content: Content, encoding: str, slash: str = "/") -> bytes:
    """A zip as tools write it that know one code page: names in it, without the UTF-8 mark."""
    understudies, members = {}, {}
    for number, (name, data) in enumerate(content.items()):
        raw = name.replace("/", slash).encode(encoding)
        stand_in = f"{number}".ljust(len(raw), "~")
        understudies[stand_in.encode()] = raw
        members[stand_in] = data if isinstance(data, bytes) else pmx_bytes(made.small_character(textures=data))
    packed = _zip(members)
    for placed, raw in understudies.items():
        assert packed.count(placed) == 2
        packed = packed.replace(placed, raw)
    return packed


@pytest.mark.parametrize("slash", ["/", "\\"])
@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (CHINESE, "gbk"),
        (CHINESE, "utf-8"),
        (TAIWANESE, "big5"),
        (TAIWANESE, "gbk"),
        (TAIWANESE, "utf-8"),
        (JAPANESE, "cp932"),
        (JAPANESE, "utf-8"),
        (KOREAN, "cp949"),
        (KOREAN, "utf-8"),
        (WESTERN, "cp437"),
        (WESTERN, "utf-8"),
    ],
)
def test_names_in_a_zip_are_read_in_the_encoding_in_which_the_model_s_textures_are_found(
    content: Content, encoding: str, slash: str
) -> None:
    one = _only("a.zip", _zip_with_bare_names(content, encoding, slash))

    assert one.textures == {0: b"face", 1: b"eyes"}
    assert one.name == Path(next(iter(content))).stem
    assert one.inventory.warnings == []


def test_one_name_that_no_encoding_fits_costs_no_other_its_own() -> None:
    content: Content = {**CHINESE, "模型/\udcff\udcfe.txt": b"?"}
    raw = _zip_with_bare_names({name.replace("\udcff\udcfe", "XY"): data for name, data in content.items()}, "gbk")

    one = _only("a.zip", raw.replace(b"XY.txt", b"\xff\xfe.txt"))

    assert one.textures == {0: b"face", 1: b"eyes"}


def test_a_zip_bomb_that_says_it_is_a_model_is_not_unpacked_for_the_sake_of_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("farm.models.archive._MAX_CONSULTED_BYTES", 1000)
    monkeypatch.setattr("farm.models.archive.MAX_UNPACKED_BYTES", 2**20)
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match="more than the limit"):
            receive("a.zip", _zip_with_bare_names({"模型.pmx": bytes(64 * 2**20)}, "gbk"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 70 * 2**20  # the content itself, which this test makes


def test_a_package_s_bytes_depend_on_its_content_alone(tmp_path: Path) -> None:
    first = _only("a.zip", _zip(MODEL))
    second = _only("b.zip", _zip({f"folder/{name}": data for name, data in reversed(MODEL.items())}))
    shuffled = dataclasses.replace(first, textures=dict(reversed(first.textures.items())))

    assert to_bytes(first) == to_bytes(second) == to_bytes(shuffled)
    with zipfile.ZipFile(io.BytesIO(to_bytes(first))) as file:
        assert {member.date_time for member in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}  # not the time of day


def test_a_package_unfolds_to_what_went_in(tmp_path: Path) -> None:
    one = _only("a.zip", _zip(MODEL))

    character, textures = unfold(to_bytes(one), tmp_path)

    assert (character.suffix, character.read_bytes()) == (".pmx", PMX)
    assert {index: path.read_bytes() for index, path in textures.items()} == one.textures
    assert all(path.parent == tmp_path for path in (character, *textures.values()))


def test_a_package_without_textures_unfolds_to_one_file(tmp_path: Path) -> None:
    character, textures = unfold(to_bytes(_only("狐.vrm", made.vrm("0.x").to_bytes())), tmp_path)

    assert character.read_bytes() == made.vrm("0.x").to_bytes()
    assert textures == {}


def test_the_most_textures_that_a_model_may_list_can_be_unfolded(tmp_path: Path) -> None:
    names = tuple("hair.png" if number % 2 else "HAIR.png" for number in range(package.MAX_TEXTURES))
    data = pmx_bytes(made.small_character(textures=names))

    one = _only("a.zip", _zip({"m.pmx": data, "hair.png": b"hair"}))

    assert len(unfold(to_bytes(one), tmp_path)[1]) == package.MAX_TEXTURES


def test_more_textures_than_that_are_refused(tmp_path: Path) -> None:
    data = pmx_bytes(made.small_character(textures=("a.png",) * (package.MAX_TEXTURES + 1)))

    with pytest.raises(ModelFormatError, match="lists 1025 textures, over the limit of 1024"):
        read_model(_folder(tmp_path, {"m.pmx": data}) / "m.pmx")


def test_a_model_over_the_size_limits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _folder(tmp_path, MODEL) / "m.pmx"
    monkeypatch.setattr(package, "MAX_PACKAGE_BYTES", len(PMX) + 7)
    with pytest.raises(ModelFormatError, match="and its textures exceed"):
        read_model(path)
    monkeypatch.setattr(package, "MAX_MODEL_BYTES", len(PMX) - 1)
    with pytest.raises(ModelFormatError, match="larger than the limit"):
        read_model(path)


def test_a_file_of_another_kind_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match=r"'a\.obj' is no model file"):
        read_model(_folder(tmp_path, {"a.obj": b"o"}) / "a.obj")


def test_models_are_found_below_a_folder_in_the_order_of_their_names(tmp_path: Path) -> None:
    _folder(tmp_path, {"b/z.vrm": b"", "b/a.PMX": b"", "a.pmd": b"", "c.png": b"", "d.pmx.txt": b""})
    _folder(tmp_path, {"__MACOSX/b/._a.PMX": b"", "b/.hidden.pmx": b""})
    (tmp_path / "link.pmd").symlink_to("a.pmd")
    (tmp_path / "dangling.pmx").symlink_to("nowhere")
    (tmp_path / "folder.pmx").mkdir()

    found = [path.relative_to(tmp_path).as_posix() for path in find_models(tmp_path)]

    assert found == ["a.pmd", "b/a.PMX", "b/z.vrm", "link.pmd"]
    assert list(find_models(tmp_path / "a.pmd")) == [tmp_path / "a.pmd"]


def test_what_is_uploaded_arrives_as_the_same_model(tmp_path: Path) -> None:
    twice = pmx_bytes(made.small_character(textures=("顔.png", "./顔.png", "tex/A.png")))
    path = _folder(tmp_path, {"狐.pmx": twice, "顔.png": b"face", "tex/a.png": b"a", "unused.png": b"u"}) / "狐.pmx"

    name, data = upload_form(path)

    assert name == "狐.zip"
    assert _only(name, data).id == read_model(path).id
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert sorted(file.namelist()) == ["tex/a.png", "狐.pmx", "顔.png"]


def test_a_model_without_textures_and_a_bad_one_are_uploaded_as_they_are(tmp_path: Path) -> None:
    _folder(tmp_path, {"a.pmx": PMX, "b.pmx": b"rubbish"})

    assert upload_form(tmp_path / "a.pmx") == ("a.pmx", PMX)
    assert upload_form(tmp_path / "b.pmx") == ("b.pmx", b"rubbish")


def test_of_morphs_with_one_name_the_inventory_proposes_the_one_that_plays() -> None:
    held = _only("m.pmx", pmx_bytes(made.names_twice())).inventory

    assert held.annotation == made.NAMES_TWICE
    assert [(m.index, m.name, m.moved > 0, m.proposal) for m in held.morphs] == [
        (0, "まばたき", False, None),
        (1, "上", True, None),
        (2, "まばたき", True, "eye/closed/both"),
        (3, "上", True, "eyebrow/raised/both"),
        (4, "あ", True, "mouth/a"),
    ]
