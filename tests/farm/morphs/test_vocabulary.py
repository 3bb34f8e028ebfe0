"""The vocabulary: the 23 target morphs, their places in the pose vector, and the names that creators give them."""

import itertools

import pytest

from farm.morphs.names import normalise
from farm.morphs.panels import Panel
from farm.morphs.vocabulary import POSE_ENTRIES, all_targets, recognise, target_morphs

EYEBROW, EYE, MOUTH, OTHER = Panel.EYEBROW, Panel.EYE, Panel.MOUTH, Panel.OTHER
ANYWHERE = (*Panel, None)
ELSEWHERE = tuple(panel for panel in ANYWHERE if panel is not EYEBROW)

ENTRIES = {
    "eye/closed": (0, 1),
    "eye/wide": (2, 3),
    "eye/half_closed": (4, 5),
    "eyebrow/raised": (6, 7),
    "eyebrow/lowered": (8, 9),
    "eyebrow/angry": (10, 11),
}
VOWELS = {"mouth/a": 12, "mouth/e": 13, "mouth/i": 14, "mouth/o": 15, "mouth/u": 16}


def _target(name: str, panel: Panel | None) -> str | None:
    found = recognise(name, panel)
    return found[0].name if found else None


def test_there_are_exactly_23_target_morphs_with_the_pose_entries_of_the_design() -> None:
    expected: dict[str, tuple[int, ...]] = {}
    for semantic, (left, right) in ENTRIES.items():
        expected |= {f"{semantic}/both": (left, right), f"{semantic}/left": (left,), f"{semantic}/right": (right,)}
    expected |= {vowel: (entry,) for vowel, entry in VOWELS.items()}

    assert {target.name: target.entries for target in target_morphs()} == expected
    assert len(target_morphs()) == 23
    assert POSE_ENTRIES == 17
    assert {entry for entries in expected.values() for entry in entries} == set(range(17))


def test_the_parts_are_those_of_the_names() -> None:
    assert [len([t for t in target_morphs() if t.part == part]) for part in ("eye", "eyebrow", "mouth")] == [9, 9, 5]
    assert all(target.name.startswith(f"{target.part}/") for target in all_targets().values())


def test_extended_targets_are_known_and_never_sampled() -> None:
    extended = {name for name, target in all_targets().items() if not target.sampled}

    assert {
        "eye/happy",
        "eye/lower_lid_raised",
        "eye/pupil_small",
        "eyebrow/troubled/both",
        "eyebrow/serious",
        "eyebrow/happy",
        "mouth/delta",
        "mouth/smirk",
        "mouth/corner_raised",
        "mouth/corner_lowered",
        "face/joy",
        "face/angry",
        "face/sorrow",
        "face/fun",
    } <= extended
    assert extended.isdisjoint(target.name for target in target_morphs())


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("eye/closed/both", "まばたき"),
        ("eye/closed/left", "ウィンク２ ｳｨﾝｸ２ ウィンク"),
        ("eye/closed/right", "ｳｨﾝｸ２右 ウィンク２右 ウィンク右"),
        ("eye/wide/both", "びっくり"),
        ("eye/wide/left", "びっくり左 左びっくり びっくりL"),
        ("eye/wide/right", "びっくり右 右びっくり"),
        ("eye/half_closed/both", "じと目 ジト目 じと目元 なごみ"),
        ("eye/half_closed/left", "じと目左 なごみ左"),
        ("eye/half_closed/right", "じと目右 なごみ右"),
        ("eyebrow/raised/both", "上 眉上 まゆ上 眉上げ"),
        ("eyebrow/raised/left", "上左 左眉上"),
        ("eyebrow/raised/right", "上右 右眉上"),
        ("eyebrow/lowered/both", "下 眉下 まゆ下 眉下げ"),
        ("eyebrow/lowered/left", "下左 左眉下"),
        ("eyebrow/lowered/right", "下右 右眉下"),
        ("eyebrow/angry/both", "怒り 怒る"),
        ("eyebrow/angry/left", "怒り左 左怒り 怒りL"),
        ("eyebrow/angry/right", "怒り右 右怒り"),
        ("mouth/a", "あ ア あ２ あ１"),
        ("mouth/e", "え エ え２ え１"),
        ("mouth/i", "い イ い２ い１"),
        ("mouth/o", "お オ お２ お１"),
        ("mouth/u", "う ウ う２ う１"),
        ("eye/happy", "笑い"),
        ("eye/lower_lid_raised", "下瞼上げ"),
        ("eye/pupil_small", "瞳小"),
        ("eyebrow/troubled/both", "困る"),
        ("eyebrow/serious", "真面目"),
        ("eyebrow/happy", "にこり"),
        ("mouth/delta", "▲ Δ"),
        ("mouth/smirk", "にやり はんっ！"),
        ("mouth/corner_raised", "口角上げ"),
        ("mouth/corner_lowered", "口角下げ"),
    ],
)
def test_the_names_of_the_design_are_recognised(target: str, names: str) -> None:
    panel = {"eye": EYE, "eyebrow": EYEBROW, "mouth": MOUTH}[target.split("/")[0]]

    assert {name: _target(name, panel) for name in names.split()} == dict.fromkeys(names.split(), target)


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("mouth/a", "a aa A"),
        ("mouth/i", "i ih"),
        ("mouth/u", "u ou"),
        ("mouth/e", "e ee"),
        ("mouth/o", "o oh"),
        ("eye/closed/both", "blink"),
        ("eye/closed/left", "blinkLeft blink_l eyeBlinkLeft eyeBlink_L"),
        ("eye/closed/right", "blinkRight blink_r eyeBlinkRight eyeBlink_R"),
        ("eye/wide/both", "surprised"),
        ("eye/wide/left", "eyeWideLeft"),
        ("eye/wide/right", "eyeWideRight"),
        ("eye/half_closed/left", "eyeSquintLeft"),
        ("eyebrow/lowered/left", "browDownLeft"),
        ("eyebrow/lowered/right", "browDownRight"),
        ("eyebrow/raised/left", "browOuterUpLeft"),
        ("mouth/a", "jawOpen"),
        ("face/joy", "joy happy"),
        ("face/angry", "angry"),
        ("face/sorrow", "sorrow sad"),
        ("face/fun", "fun relaxed"),
    ],
)
def test_presets_of_vrm_and_names_of_arkit_are_recognised_in_any_panel(target: str, names: str) -> None:
    for name, panel in itertools.product(names.split(), ANYWHERE):
        assert _target(name, panel) == target


SIDES = {"left": ("左{}", "{}左", "{}L", "{}_L", "{}Ｌ"), "right": ("右{}", "{}右", "{}R", "{}_R", "{}＿Ｒ")}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("semantic", "name"),
    [
        ("eye/closed", "まばたき"),
        ("eye/wide", "びっくり"),
        ("eye/half_closed", "じと目"),
        ("eye/half_closed", "ジト目"),
        ("eye/half_closed", "なごみ"),
        ("eyebrow/raised", "上"),
        ("eyebrow/raised", "眉上"),
        ("eyebrow/raised", "まゆ上"),
        ("eyebrow/raised", "眉上げ"),
        ("eyebrow/lowered", "下"),
        ("eyebrow/lowered", "眉下"),
        ("eyebrow/lowered", "まゆ下"),
        ("eyebrow/lowered", "眉下げ"),
        ("eyebrow/angry", "怒り"),
        ("eyebrow/angry", "怒る"),
        ("eyebrow/troubled", "困る"),
        ("eye/closed", "ウィンク２"),
        ("eye/closed", "ウィンク"),
    ],
)
def test_every_form_of_side_mark_is_recognised(semantic: str, name: str, side: str) -> None:
    for form in SIDES[side]:
        panel = EYEBROW if semantic.startswith("eyebrow") else EYE
        assert _target(form.format(name), panel) == f"{semantic}/{side}", form.format(name)


@pytest.mark.parametrize("name", ["上", "下", "上左", "上右", "下左", "下右", "左上", "右下", "上L", "下_R"])
def test_up_and_down_mean_eyebrows_only_in_the_eyebrow_panel(name: str) -> None:
    assert (_target(name, EYEBROW) or "").startswith("eyebrow/")
    assert [_target(name, panel) for panel in ELSEWHERE] == [None] * len(ELSEWHERE)


@pytest.mark.parametrize("name", ["怒り", "怒る", "怒り左", "怒り_R"])
def test_anger_without_a_word_for_brows_is_a_brow_only_in_the_eyebrow_panel(name: str) -> None:
    assert (_target(name, EYEBROW) or "").startswith("eyebrow/angry/")
    assert [_target(name, panel) for panel in ELSEWHERE] == [None] * len(ELSEWHERE)


@pytest.mark.parametrize("name", ["眉上", "左眉下", "怒り眉"])
def test_names_with_a_word_for_brows_mean_them_in_any_panel(name: str) -> None:
    assert all((_target(name, panel) or "").startswith("eyebrow/") for panel in ANYWHERE)


def test_a_wink_without_a_side_mark_is_the_left_eye() -> None:
    assert _target("ウィンク", EYE) == "eye/closed/left"
    assert _target("ウィンク２", EYE) == "eye/closed/left"


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("ウィンク２", "ウィンク"),
        ("ｳｨﾝｸ２右", "ウィンク右"),
        ("ウィンク２_L", "ウィンク_L"),
        ("びっくり左", "eyeWideLeft"),
        ("じと目", "なごみ"),
        ("あ", "あ２"),
        ("まばたき", "blink"),
    ],
)
def test_the_plainer_name_is_the_better_match(better: str, worse: str) -> None:
    one, other = recognise(better, EYE), recognise(worse, EYE)

    assert one is not None
    assert other is not None
    assert one[0] == other[0]
    assert one[1] < other[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ｳｨﾝｸ２右", "ウィンク2右"),
        ("ｳｨﾝｸ２", "ウィンク２"),
        ("ｼﾞﾄ目", "ジト目"),
        ("ｱ", "ア"),
        ("Ｂｌｉｎｋ", "blink"),
        ("まばたき 左", "まばたき左"),
        ("まばたき　左", "まばたき左"),
        ("びっくり(左)".replace("(", "").replace(")", ""), "びっくり左"),
        ("か\u3099", "が"),
        ("EYEBLINK_L", "eyeBlink_l"),
        (" あ\n", "あ"),
    ],
)
def test_spellings_of_one_name_are_equal_after_normalising(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


def test_normalising_twice_changes_nothing() -> None:
    for target_name in ("ｳｨﾝｸ２右", "Δ", "はんっ！", "ﾊﾟ", "İ", "ß", "ǅ"):
        assert normalise(normalise(target_name)) == normalise(target_name)


def test_hiragana_and_katakana_stay_different() -> None:
    assert normalise("じと目") != normalise("ジト目")


@pytest.mark.parametrize("name", ["", " ", "前", "手首", "あああ", "表情", "---", "左", "L", "_L", "上下", "瞳", "口"])
def test_other_names_are_not_recognised(name: str) -> None:
    assert [_target(name, panel) for panel in ANYWHERE] == [None] * len(ANYWHERE)


def test_no_name_stands_for_two_targets() -> None:
    """Otherwise the order of the file would decide silently."""
    from farm.morphs import vocabulary

    rules = vocabulary._tables()[1]
    unclear = {name for name, found in rules.items() if len({rule.target.name for rule in found}) > 1}
    assert unclear == set()
