"""A label is a stranger's; what of it stands in a row is harmless, and the row can still be searched by it."""

import ast
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.flower.rows import AttemptRows, shown
from farm.jobs.events import Event

STARTED = Event(
    "1795701133182-0",
    "job",
    "b",
    {
        "job": "b-0", "name": "momo", "work": "result", "state": "leased", "attempt": 1, "worker": "worker@a",
        "counted": False, "error_code": "", "images_done": 0, "images_total": 8,
    },
)  # fmt: skip


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("momo", "momo"),
        ("初音　ミク", "初音 ミク"),
        ("a\x00b\r\nc\x1b[31md", "a b c [31md"),
        ("safe\u202egnp.exe\u2066\u200b", "safe gnp.exe"),
        ("<img src=x onerror=alert(1)>", "‹img src=x onerror=alert(1)›"),
        ("</script><b>", "script›‹b›"),
        ("\"quoted\" & 'quoted' `x`", "″quoted″ + ′quoted′ ′x′"),
        ("/home/alice/private/miku.pmx", "miku.pmx"),
        (r"C:\Users\alice\miku.pmx", "miku.pmx"),
        ("/srv/models/", "models"),
        ("https://host/m.zip?X-Amz-Signature=0123456789abcdef&a=b", "m.zip?X-Amz-Signature=***+a=b"),
        ("redis://:password@host:6379", "***@host:6379"),
        ("x" * 200, "x" * 79 + "…"),
        ("/" * 1_000_000, "unnamed"),
        ("\u202e\u200b", "unnamed"),
        ("", "unnamed"),
        ("\ud800", "unnamed"),
    ],
)
def test_a_label_is_shown_safely(label: str, expected: str) -> None:
    assert shown(label) == expected


@given(st.text(max_size=300))
def test_whatever_the_label_its_row_is_whole(label: str) -> None:
    event = replace(STARTED, data={**STARTED.data, "name": label})

    received, started = AttemptRows().told(event)

    text = received["kwargs"]
    about = ast.literal_eval(text)  # as Flower reads it, to search by
    assert about == {"model": shown(label), "batch": "b", "job": "b-0", "attempt": 1, "images": 8}
    assert len(about["model"]) <= 80
    assert not set(about["model"]) & set("<>&\"'`/\\")
    assert not [letter for letter in about["model"] if unicodedata.category(letter)[0] == "C"]
    assert (received["type"], started["type"]) == ("task-received", "task-started")
    assert started["kwargs"] == text


def test_an_event_of_another_version_is_still_a_row() -> None:
    old = {name: value for name, value in STARTED.data.items() if name not in ("work", "worker", "counted")}
    rows = AttemptRows()

    (begun, _) = rows.told(replace(STARTED, data=old))
    (back,) = rows.told(replace(STARTED, data={**old, "state": "queued", "error_code": "paused"}))

    assert (begun["name"], begun["hostname"]) == ("farm.render", "unknown")
    assert (back["type"], back["exception"]) == ("task-retried", "paused")


def test_what_runs_is_remembered_within_bounds() -> None:
    rows = AttemptRows()

    for index in range(10_500):
        list(rows.told(replace(STARTED, data={**STARTED.data, "job": f"b-{index}"})))

    assert rows.progress("b-0.1") == ""
    assert rows.progress("b-10499.1") == "leased, 0 of 8 images"
    assert len(rows.lost_sight()) == 10_000
