"""What the card says of licences: by name, by an address, in a text beside the model, or not at all."""

from collections.abc import Sequence
from pathlib import Path

from farm.dataset.manifest import MANIFEST
from farm.exports.folder import FolderLayout
from farm.exports.running import export
from farm.exports.source import FolderSource
from farm.models.notices import Notice
from farm.spec import RenderSpec
from tests.support.rendered import render

SPEC = RenderSpec(styles=("flat",), size=32)


def _model(source: Path, label: str, licence: dict[str, str], texts: Sequence[str] = ()) -> None:
    model = render(source, label, SPEC, samples=1)
    notices = tuple(
        Notice(name=f"readme-{n}.txt", bytes=9, sha256=f"{ord(text):064x}", text=text) for n, text in enumerate(texts)
    )
    record = model.manifest.model.model_copy(update={"licence": licence, "notices": notices})
    (model.folder / MANIFEST).write_bytes(model.manifest.model_copy(update={"model": record}).to_bytes())


def _licences(source: Path, out: Path) -> str:
    export(FolderSource(source), str(out), FolderLayout())
    return (out / "README.md").read_text("utf-8").split("## Licences\n")[1].split("\n## ")[0]


def test_a_text_beside_a_model_is_counted_and_its_place_told(tmp_path: Path) -> None:
    _model(tmp_path / "rendered", "named", {"licenseName": "CC_BY"})
    _model(tmp_path / "rendered", "elsewhere", {"licenseName": "Other", "otherLicenseUrl": "https://example.org/terms"})
    _model(tmp_path / "rendered", "told 1", {}, "ab")
    _model(tmp_path / "rendered", "told 2", {"licenseName": "Other"}, "a")
    _model(tmp_path / "rendered", "silent", {})

    text = _licences(tmp_path / "rendered", tmp_path / "out")

    assert "Beside 2 models of 5 stood 3 readme or licence files, 2 different ones, and" in text
    assert "`notices` in `models.jsonl`" in text
    rows = {line.strip("| ") for line in text.splitlines() if line.startswith("| ")}
    assert rows == {
        "licence | models",
        "CC_BY | 1",
        "https://example.org/terms | 1",
        "not named in the file; a readme or licence file stands beside it | 2",
        "not stated in the file, and no text stands beside it | 1",
    }


def test_where_no_text_stands_beside_any_model_none_is_spoken_of(tmp_path: Path) -> None:
    _model(tmp_path / "rendered", "silent", {})

    text = _licences(tmp_path / "rendered", tmp_path / "out")

    assert "Beside" not in text
    assert "| not stated in the file, and no text stands beside it | 1 |" in text
