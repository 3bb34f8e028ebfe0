"""The page of settings has every variable that the code reads, with its default, and no other."""

import re
from pathlib import Path

from pydantic import SecretStr

from farm.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/settings.md").read_text()
ROWS = dict(re.findall(r"^\| `([A-Z_0-9]+)` \| (.+?) \|", PAGE, re.MULTILINE))
READ = re.compile(
    r"""environ(?:\.get|\.setdefault|\.pop)?[\[(]\s*["']([A-Z_0-9]+)["']|getenv\(["']([A-Z_0-9]+)["']"""
    r"""|["']([A-Z_0-9]+)["'] in os\.environ|["'](FARM_[A-Z_0-9]+)["']|\b(FARM_TEST_[A-Z_0-9]+)"""
)
ELSEWHERE = {"PATH", "HOME", "TMPDIR", "PYTEST_XDIST_WORKER"}
"""Variables of the machine, and of who runs the tests."""


def fields() -> dict[str, str]:
    """Every setting as a variable, with its default as the page writes it."""
    shown = {}
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        text = str(int(default)) if isinstance(default, bool) else str(default)
        shown[f"FARM_{name.upper()}"] = f"`{text}`" if text else "empty"
    return shown


def read_by_the_code() -> set[str]:
    folders = ("farm", "api", "blender_worker", "tests", "benchmarks", "tools")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if path != Path(__file__)]
    found = {name for path in files for groups in READ.findall(path.read_text()) for name in groups if name}
    return found - ELSEWHERE


def test_every_setting_stands_on_the_page_with_its_default() -> None:
    assert {name: ROWS.get(name) for name in fields()} == fields()


def test_every_variable_that_the_code_reads_stands_on_the_page() -> None:
    found = read_by_the_code()

    assert {"PROMETHEUS_MULTIPROC_DIR", "FARM_WORKER_STOP_FILE", "FARM_TEST_MODELS"} <= found
    assert not found - ROWS.keys()


def test_nothing_stands_on_the_page_that_the_code_does_not_read() -> None:
    assert not ROWS.keys() - fields().keys() - read_by_the_code()
