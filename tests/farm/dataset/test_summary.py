"""What spans all models of a folder: tables and gallery."""

import csv
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from farm.dataset.gallery import MODELS_A_PAGE
from farm.dataset.manifest import MANIFEST
from farm.dataset.output import COLUMNS, POSES, POSES_PARQUET, rendered_models
from farm.dataset.splits import split_of
from farm.dataset.summary import summarise
from farm.dataset.tables import SCHEMA, org_id
from farm.errors import StorageError
from tests.support.synthetic import write_synthetic

_MEASURED = """
import resource, sys
from pathlib import Path
from farm.dataset.output import rendered_models
from farm.dataset.summary import summarise
out = Path(sys.argv[1])
print(summarise(rendered_models(out), out).images, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
_SAMPLES = 10


def test_both_tables_have_the_same_rows_and_every_row_its_split(tmp_path: Path) -> None:
    write_synthetic(tmp_path, 60, 2)

    found = summarise(rendered_models(tmp_path), tmp_path)

    with (tmp_path / POSES).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table = pq.read_table(tmp_path / POSES_PARQUET)
    assert (found.models, found.images) == (60, 60 * 2 * 2 * 4) == (60, len(rows))
    assert tuple(rows[0]) == COLUMNS == tuple(table.column_names)
    assert table.schema == SCHEMA
    for text, typed in zip(rows, table.to_pylist(), strict=True):
        for column, value in typed.items():
            assert text[column] == ("" if value is None else str(value)), column
    assert {row["model"]: row["split"] for row in rows} == {row["model"]: split_of(row["model"]) for row in rows}
    assert {row["split"] for row in rows} == {"train", "test"}
    assert all(row["org_id"] == org_id(row["model"]) == str(int(row["model"][:13], 16)) for row in rows)
    assert {(row["framing"], row["projection"], row["field_of_view"]) for row in rows} == {
        ("head", "perspective", "20.0")
    }
    assert {row["background"] for row in table.to_pylist()} == {None}


def test_the_gallery_has_pages_that_lead_to_each_other(tmp_path: Path) -> None:
    # GIVEN more models than two pages hold, and a page of an earlier, larger gallery
    write_synthetic(tmp_path, 2 * MODELS_A_PAGE + 1, 1)
    (tmp_path / "index-4.html").write_text("old")

    summarise(rendered_models(tmp_path), tmp_path)

    pages = [(tmp_path / name).read_text("utf-8") for name in ("index.html", "index-2.html", "index-3.html")]
    assert [page.count("<section>") for page in pages] == [MODELS_A_PAGE, MODELS_A_PAGE, 1]
    assert all(page.count('loading="lazy"') == page.count("<img") for page in pages)
    assert [f'href="{name}"' in pages[1] for name in ("index.html", "index-3.html")] == [True, True]
    assert 'href="index-3.html"' not in pages[0]
    assert "next page" not in pages[2]
    assert not (tmp_path / "index-4.html").exists()
    assert "A remark on model 0001 &lt;b&gt;." in pages[0]


def test_a_damaged_manifest_leaves_the_tables_as_they_were(tmp_path: Path) -> None:
    write_synthetic(tmp_path, 2, 1)
    summarise(rendered_models(tmp_path), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    (sorted(tmp_path.glob(f"*/{MANIFEST}"))[1]).write_bytes(b"{")

    with pytest.raises(StorageError, match="is no manifest of format 3"):
        summarise(rendered_models(tmp_path), tmp_path)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_400_models_take_as_much_memory_as_50(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        out = tmp_path / str(count)
        write_synthetic(out, count, _SAMPLES)
        done = subprocess.run([sys.executable, "-c", _MEASURED, out], capture_output=True, text=True, check=True)
        images, kilobytes = map(int, done.stdout.split())
        assert images == count * _SAMPLES * 2 * 4
        return kilobytes

    assert peak(400) - peak(50) < 20 * 2**10
