"""The page for contributors names files that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
EXAMPLES = {"farm/styles/dusk.py", "farm/models/mdl.py", "tests/farm/models/test_mdl.py"}
"""What the page tells to write."""


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"(?<![\w./])((?:farm|api|tests|docs|blender_worker)/[\w./-]*\w/?)", PAGE)) - EXAMPLES

    assert len(named) > 30
    assert not [path for path in named if not (ROOT / path).exists()]


def test_every_make_target_that_the_page_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake\s+([a-z-]+)", PAGE.replace("make its", "").replace("make an", "")))

    assert named >= {"setup-test", "check", "test", "fuzz"}
    assert named <= targets


def test_the_style_of_the_page_is_one() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", re.sub(r"^   ", "", PAGE, flags=re.MULTILINE), re.DOTALL)
    made: dict[str, object] = {}

    exec(code, made)

    assert made["STYLE"].name == "dusk"  # type: ignore[attr-defined]
    assert made["STYLE"].glsl  # type: ignore[attr-defined]
