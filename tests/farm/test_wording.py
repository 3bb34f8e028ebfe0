"""Numbers and times as people read them."""

import json

import pytest

from farm.errors import StorageError
from farm.wording import clean, counted, duration, gathered, json_text, mistake, moment, number, reason


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "under 1 s"), (1, "1 s"), (59.7, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (7520, "2 h 5 min"),
        (90_000, "1 d 1 h"), (86_400 + 59, "1 d"),
    ],
)  # fmt: skip
def test_a_duration_is_said_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0"), (0.04, "0.0"), (9.96, "10.0"), (3.0, "3"), (1234567.4, "1,234,567")]
)
def test_a_number_is_as_exact_as_it_needs_to_be(value: float, words: str) -> None:
    assert number(value) == words


def test_a_moment_is_in_utc_whatever_it_was_said_in() -> None:
    assert moment(0.4).isoformat() == "1970-01-01T00:00:00+00:00" == moment("1970-01-01T02:00:00+02:00").isoformat()


def test_one_of_something_is_no_plural() -> None:
    assert [counted(n, "model") for n in (0, 1, 2)] == ["0 models", "1 model", "2 models"]
    assert [counted(n, "batch is", "batches are") for n in (1, 2)] == ["1 batch is", "2 batches are"]


def test_sentences_of_one_kind_become_one_that_names_a_few_others() -> None:
    lost = [f"Texture 'tex/{n}.png' is not there; 'plain {n}' is drawn." for n in range(28)]
    alone = "Morph 'あ' moves 3 vertices that do not exist."

    assert gathered([*lost[:2], alone, *lost[2:], alone]) == [
        "Texture 'tex/0.png' is not there; 'plain 0' is drawn. So it is with 27 others: 'tex/1.png', 'tex/2.png', "
        "'tex/3.png' and 24 more.",
        alone,
    ]
    assert gathered([alone, alone.replace("あ", "い").replace("3", "15")]) == [f"{alone} So it is with 1 other: 'い'."]
    assert gathered(["3 weights.", "4 weights."]) == ["3 weights.", "4 weights."]
    assert gathered([]) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("image file is truncated (3 bytes not processed)", "image file is truncated (3 bytes not processed)"),
        ("Decompressed data too large for PngImagePlugin.MAX_TEXT_CHUNK", "its bytes are damaged"),
        ("cannot identify image file <_io.BytesIO object at 0x7f12>", "its bytes are damaged"),
        ("Expected UploadFile, received: <class 'str'>", "its bytes are damaged"),
        ("broken PNG file (chunk b'\\x00')", "its bytes are damaged"),
        ("invalid literal for int() with base 10", "its bytes are damaged"),
        ("module 'x' has no attribute _y", "its bytes are damaged"),
        ("Truncated\x1b[2J", "its bytes are damaged"),
        ("Truncated\u202e", "Truncated\ufffd"),
        ("", "its bytes are damaged"),
    ],
)
def test_what_a_library_says_of_its_own_insides_is_not_passed_on(said: str, told: str) -> None:
    assert reason(ValueError(said)) == told
    assert reason(FileNotFoundError(2, "No such file", "/home/alice/x")) == "No such file"
    assert reason(StorageError("It holds 'a_b.npy'.")) == "It holds 'a_b.npy'.", "our own sentences are"


@pytest.mark.parametrize(
    ("kind", "said", "told"),
    [
        ("value_error", "Value error, Expected UploadFile, received: <class 'str'>", "something else is expected here"),
        ("value_error", "Value error, there is no style 'a_b'", "there is no style 'a_b'"),
        ("model_type", "Input should be a valid dictionary or instance of CameraSpec", "an object is expected here"),
        ("is_instance_of", "Input should be an instance of Secret", "something else is expected here"),
        ("int_type", "Input should be a valid integer", "Input should be a valid integer"),
    ],
)
def test_what_is_wrong_with_a_value_is_told_without_our_classes(kind: str, said: str, told: str) -> None:
    assert mistake({"type": kind, "msg": said, "loc": ("a",)}) == told


def test_json_is_what_it_was_and_commands_no_terminal() -> None:
    evil = '\x1b[2J\x7f\x9b\u200b\u2028\u202e\u2066\ufeff\U000e0041\ud800\ue000 \u3042\u3000"\\'
    for indent in (None, 1):
        text = json_text({evil: [evil]}, indent)
        assert json.loads(text) == {evil: [evil]}
        assert text.replace("\n", "").isprintable()
        assert "\u3042" in text
    assert clean(evil).isprintable()
