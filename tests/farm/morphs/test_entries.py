"""The vocabulary's file: mistakes in it name their line."""

from importlib.resources import files

import pytest

from farm.errors import MappingError
from farm.morphs.entries import read_entries
from farm.morphs.vocabulary import recognise

TEXT = files("farm.morphs").joinpath("vocabulary.toml").read_text(encoding="utf-8")
ARKIT = (
    *(
        f"eye{what}{side}"
        for what in ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
        for side in ("Left", "Right")
    ),
    *(
        "jawForward",
        "jawLeft",
        "jawRight",
        "jawOpen",
        "mouthClose",
        "mouthFunnel",
        "mouthPucker",
        "mouthLeft",
        "mouthRight",
    ),
    *(
        f"mouth{what}{side}"
        for what in ("Smile", "Frown", "Dimple", "Stretch", "Press", "LowerDown", "UpperUp")
        for side in ("Left", "Right")
    ),
    *(
        "mouthRollLower",
        "mouthRollUpper",
        "mouthShrugLower",
        "mouthShrugUpper",
        "cheekPuff",
        "tongueOut",
        "browInnerUp",
    ),
    *(
        f"{what}{side}"
        for what in ("browDown", "browOuterUp", "cheekSquint", "noseSneer")
        for side in ("Left", "Right")
    ),
)


def test_the_vocabulary_is_sound_and_holds_all_names_of_arkit() -> None:
    entries, marks = read_entries(TEXT)

    assert len([entry for entry in entries if entry.entries]) == 11
    assert set(marks) == {"left", "right"}
    assert len(set(ARKIT)) == 52
    assert [name for name in ARKIT if recognise(name, None) is None] == []


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ('part = "eyebrow"\nname = "angry"', 'part = "ear"\nname = "angry"', "part"),
        ('name = "wide"\nentries = [2, 3]', 'name = "wide"\nentries = [1, 2]', "no other has"),
        ('name = "wide"\nentries = [2, 3]', 'name = "wide"\nentreis = [2, 3]', "entreis"),
        ('name = "wide"', 'name = "closed"', "twice"),
        (
            'both = ["困る", "困り"]',
            'both = ["困る", "困り", "ﾏﾊﾞﾀｷｯ", "まばたき"]',
            "'まばたき' stands for eye/closed, both",
        ),
        ('name = "smirk"', 'name = "smirk"\nentries = [17]', "[[extended]] has none"),
    ],
)
def test_a_mistake_is_told_with_its_line(before: str, after: str, what: str) -> None:
    assert TEXT.count(before) == 1
    broken = TEXT.replace(before, after)

    with pytest.raises(MappingError) as caught:
        read_entries(broken)

    assert what in str(caught.value)
    line = int(str(caught.value).split("line ")[1].split(":")[0])
    around = broken.splitlines()[line - 1 : line + 4]
    assert any(text in around for text in after.splitlines())


def test_what_is_no_toml_is_told_with_its_line() -> None:
    with pytest.raises(MappingError, match="at line 3"):
        read_entries('[side_marks]\nleft = ["{}L"\n]]')
