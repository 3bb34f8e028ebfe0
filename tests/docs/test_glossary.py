"""The glossary: every word stands once, in order, with a module that is there; words that were retired stay away."""

import ast
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs/explanation/glossary.md").read_text()
ENTRIES = re.findall(r"^- \*\*(.+?)\*\* \(`(.+?)`\): ", GLOSSARY, re.MULTILINE)
RETIRED = {"Parts", "Hand", "Limb", "Duty", "Desk", "Figure", "Wardrobe"}
"""They named no role, or had a second meaning: checkpoints and services, JobRunner, DrawingProcess, Presence, BatchControl,
Measurement."""
TWINS = {"client", "models"}
"""Rooms of farm whose classes may be called as others are: the SDK's are the JSON of the API's, and the readers speak the
words of the formats."""


def modules_of(*packages: str) -> list[Path]:
    found = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    assert len(found) > 50
    return found


def classes_in(path: Path) -> list[str]:
    return [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]


def test_every_word_stands_in_order_and_once() -> None:
    words = [word for word, _ in ENTRIES]

    assert len(words) == GLOSSARY.count("\n- **") > 40
    assert words == sorted(set(words), key=str.casefold)


def test_every_module_that_the_glossary_names_is_there() -> None:
    named = {module for _, module in ENTRIES} | set(re.findall(r"`((?:farm|api|blender_worker)\.[a-z_.]+)`", GLOSSARY))

    for module in named:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file(), module


def test_retired_words_do_not_come_back_as_classes() -> None:
    names = [(str(path), name) for path in modules_of("farm", "api") for name in classes_in(path)]

    assert not [found for found in names if found[1] in RETIRED]


def test_no_two_classes_of_farm_have_one_name() -> None:
    paths = [path for path in modules_of("farm") if path.relative_to(ROOT).parts[1] not in TWINS]
    names = Counter(name for path in paths for name in classes_in(path) if not name.startswith("_"))

    assert not [name for name, count in names.items() if count > 1]
