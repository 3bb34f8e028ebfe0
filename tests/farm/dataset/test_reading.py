"""Rendered folders that may come from elsewhere: what is compared with the hashes that a manifest states."""

from collections.abc import Callable
from pathlib import Path

import pytest

from farm.dataset.manifest import CONTACT_SHEET
from farm.dataset.output import RenderedModel, unpack_result, whole_result
from farm.dataset.reading import intact
from farm.errors import StorageError
from farm.labels import LabelName
from farm.spec import RenderSpec
from tests.support.rendered import render

SPEC = RenderSpec(styles=("flat",), size=32, labels=(LabelName.PARTS,))


def _flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])


def _swap(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def _link(path: Path) -> None:
    elsewhere = path.parent.parent.parent.parent / "elsewhere.png"
    elsewhere.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(elsewhere)


SPOILT: dict[str, Callable[[Path], None]] = {
    "a byte of a picture": lambda at: _flip(next(at.glob("flat/rotated/*_00001.png"))),
    "a byte of a neutral picture": lambda at: _flip(at / "basis" / "flat.png"),
    "a byte of a label": lambda at: _flip(next(at.glob("labels/frontal/*_00002.labels.npz"))),
    "two labels": lambda at: _swap(*sorted(at.glob("labels/frontal/*.parts.png"))[:2]),
    "a link to the same bytes": lambda at: _link(next(at.glob("flat/rotated/*_00001.png"))),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_files_of_the_right_size_and_other_bytes_are_not_intact(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    model = render(tmp_path, "Rin", SPEC)
    (model.folder / CONTACT_SHEET).write_bytes(b"no hash of it in an earlier version's manifest")
    assert intact(model)

    spoil(model.folder)

    assert isinstance(whole_result(model.folder, lambda manifest: True), RenderedModel)  # sizes and counts are right
    assert not intact(model)


def test_a_contact_sheet_that_is_another_than_the_manifests_is_not_laid_out(tmp_path: Path) -> None:
    manifest = render(tmp_path, "Rin", SPEC).manifest.model_copy(update={"contact_sheet": "0" * 64})

    with pytest.raises(StorageError, match=r"contact-sheet\.png of model Rin is not what its manifest says; retry"):
        unpack_result(manifest, "Rin", lambda file, path: path.touch(), tmp_path / "out")

    assert list((tmp_path / "out").glob("*/manifest.json")) == []
