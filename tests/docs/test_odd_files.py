"""The page of odd files names tests: they are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_page_names_is_there() -> None:
    page = (ROOT / "docs" / "reference" / "odd-files.md").read_text()
    named = re.findall(r"`(tests/[^`:]+\.py)::(test_[a-z0-9_]+)`", page)

    assert len(named) > 50
    absent = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).is_file() or f"\ndef {name}(" not in (ROOT / file).read_text()
    ]
    assert not absent
