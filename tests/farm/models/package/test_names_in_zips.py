"""Names in a zip are read in the encoding in which the model's textures are found."""

import tracemalloc
from pathlib import Path

import pytest

from farm.errors import ArchiveError
from farm.models.mmd.pmx_writer import pmx_bytes
from tests.farm.models import made_files as made
from tests.farm.models.package.zipped import only_model, zip_of
from tests.support.received import receive

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
    packed = zip_of(members)
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
    one = only_model("a.zip", _zip_with_bare_names(content, encoding, slash))

    assert one.textures == {0: b"face", 1: b"eyes"}
    assert one.name == Path(next(iter(content))).stem
    assert one.inventory.warnings == []


def test_one_name_that_no_encoding_fits_costs_no_other_its_own() -> None:
    content: Content = {**CHINESE, "模型/\udcff\udcfe.txt": b"?"}
    raw = _zip_with_bare_names({name.replace("\udcff\udcfe", "XY"): data for name, data in content.items()}, "gbk")

    one = only_model("a.zip", raw.replace(b"XY.txt", b"\xff\xfe.txt"))

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
