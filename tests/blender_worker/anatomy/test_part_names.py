"""What the names of materials, bones and morphs say of parts."""

import pytest

from blender_worker.anatomy.part_names import Hint, hint_of


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("前髪", Hint.HAIR),
        ("髪飾り", Hint.ACCESSORY),
        ("ヘアピン", Hint.ACCESSORY),
        ("HairBand", Hint.ACCESSORY),
        ("头发", Hint.HAIR),
        ("armchair", None),
        ("まゆげ", Hint.BROW),
        ("EyeBrow_L", Hint.BROW),
        ("brown", None),
        ("ﾏﾂｹﾞ", Hint.LID),
        ("白目", Hint.EYE),
        ("ハイライト", Hint.EYE),
        ("髪ハイライト", Hint.HAIR),
        ("縫い目", None),
        ("目鏡", Hint.ACCESSORY),
        ("瞼", Hint.LID),
        ("Eyelid", Hint.LID),
        ("目閉じ", Hint.LID),
        ("閉じ目", Hint.LID),
        ("とじ目", Hint.LID),
        ("目とじ2", Hint.LID),
        ("EyeClosed", Hint.LID),
        ("close_eye", Hint.LID),
        ("Eyes.Close", Hint.LID),
        ("EyeCloth", None),
        ("FaceEyeline", Hint.LID),
        ("目まつ毛", Hint.EYE),
        ("唇", Hint.LIPS),
        ("口内", Hint.MOUTH),
        ("袖口", Hint.CLOTHES),
        ("N00_000_00_FaceMouth_00_FACE (Instance)", Hint.MOUTH),
        ("N00_000_00_EyeHighlight_00_EYE (Instance)", Hint.EYE),
        ("F00_001_01_Face_00_SKIN", Hint.FACE),
        ("N00_002_03_Tops_01_CLOTH_01", Hint.CLOTHES),
        ("手首", Hint.CLOTHES),
        ("necktie", Hint.CLOTHES),
        ("首輪", Hint.ACCESSORY),
        ("首", Hint.NECK),
        ("what", None),
        ("目口眉", None),
        ("", None),
    ],
)
def test_what_names_say(name: str, hint: Hint | None) -> None:
    assert hint_of(name) is hint
