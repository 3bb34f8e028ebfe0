"""`farm verify` on exports: what was done to the files of each layout is found and named, whoever renewed the hashes."""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from farm.cli import main
from farm.dataset.splits import SPLITS, split_of
from farm.dataset.sums import SUMS, read_sums, sum_line
from farm.exports.layouts import layout_named
from farm.exports.running import export
from farm.exports.source import FolderSource
from farm.spec import RenderSpec
from farm.verification.exported import verify_export
from farm.verification.findings import Fault
from tests.support.rendered import hash_of, render

LABELS = {s: next(f"{s}-{n}" for n in range(999) if split_of(hash_of(f"{s}-{n}")) == s) for s in SPLITS}
SPEC = RenderSpec(styles=("default", "flat"))
LAYOUTS = ("animeceleb", "webdataset", "huggingface", "folder")
FILES = {
    "animeceleb": "combined_flat/rotation/*/*/*.png",
    "webdataset": "*/*.tar",
    "huggingface": "data/*.parquet",
    "folder": "*/*/flat/rotated/*.png",
}
"""What holds pictures, two files of it at least."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    room = tmp_path_factory.mktemp("exports")
    for label in LABELS.values():
        render(room / "rendered", label, SPEC)
    for layout in LAYOUTS:
        export(FolderSource(room / "rendered"), str(room / layout), layout_named(layout))
    return room


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def whole(made: Path, layout: str, tmp_path: Path) -> Path:
    """A copy, in which second names are files of their own."""
    shutil.copytree(made / layout, tmp_path / layout)
    return tmp_path / layout


def found_in(directory: Path) -> list[tuple[Fault, str]]:
    return [(finding.fault, finding.where) for finding in verify_export(directory, 2, lambda files: None)]


def renew(directory: Path) -> None:
    """What somebody does who wants a change not to be seen."""
    names = [name for name, _ in read_sums(directory / SUMS)]
    lines = [
        sum_line(n, hashlib.sha256((directory / n).read_bytes()).hexdigest()) for n in names if (directory / n).exists()
    ]
    (directory / SUMS).write_text("".join(lines))


def test_an_export_as_it_was_made_is_right_with_links_and_copied(made: Path, layout: str, whole: Path) -> None:
    hashed: list[int] = []
    assert list(verify_export(made / layout, 2, hashed.append)) == []
    assert sum(hashed) == len(list(read_sums(made / layout / SUMS)))
    assert found_in(whole) == []


def test_a_flipped_byte_a_cut_file_and_a_missing_one_are_named(layout: str, whole: Path) -> None:
    one, other = sorted(whole.glob(FILES[layout]))[:2]
    data = bytearray(one.read_bytes())
    data[len(data) // 2] ^= 1
    one.write_bytes(data)
    other.write_bytes(other.read_bytes()[:-7])
    (whole / "README.md").unlink()

    found = found_in(whole)

    for path in (one, other):
        assert (Fault.HASH, path.relative_to(whole).as_posix()) in found
    assert (Fault.MISSING, "README.md") in found


def test_a_swapped_pair_is_named(layout: str, whole: Path) -> None:
    one, other = sorted(whole.glob(FILES[layout]))[:2]
    one.rename(whole / "between")
    other.rename(one)
    (whole / "between").rename(other)

    found = found_in(whole)

    for path in (one, other):
        assert (Fault.SWAPPED, path.relative_to(whole).as_posix()) in found


def test_a_second_name_with_other_bytes_and_what_nobody_names_are_found(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "animeceleb", tmp_path / "out")
    second = next((tmp_path / "out" / "combined_flat" / "together" / "rotation").iterdir())
    second.write_bytes(second.read_bytes()[:-1])
    (tmp_path / "out" / "combined_flat" / "flat" / "note.txt").write_text("hello")
    (tmp_path / "out" / "elsewhere").symlink_to(made)

    assert sorted(found_in(tmp_path / "out")) == [
        (Fault.HASH, second.relative_to(tmp_path / "out").as_posix()),
        (Fault.LINK, "elsewhere"),
        (Fault.STRAY, "combined_flat/flat/note.txt"),
    ]


def _without_a_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def _without_a_key(path: Path) -> None:
    part = path.with_suffix(".part")
    with tarfile.open(path) as source, tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as target:
        members = source.getmembers()
        key = members[0].name.split(".")[0]
        for member in members:
            if not member.name.startswith(f"{key}."):
                target.addfile(member, source.extractfile(member))
    part.replace(path)


def _without_a_row(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)


REMOVED: dict[str, tuple[str, Callable[[Path], None]]] = {
    "animeceleb": ("combined_flat/combined_pose.csv", _without_a_line),
    "webdataset": ("train/shard-000000.tar", _without_a_key),
    "huggingface": ("data/train-00000.parquet", _without_a_row),
    "folder": ("train/metadata.jsonl", _without_a_line),
}


def test_a_removed_row_is_named_with_its_model_though_the_hashes_were_renewed(layout: str, whole: Path) -> None:
    table, remove = REMOVED[layout]
    remove(whole / table)
    before = found_in(whole)
    renew(whole)

    found = found_in(whole)

    assert (Fault.HASH, table) in before
    ((fault, where),) = found
    assert fault is Fault.ROW
    assert where.startswith(("train-", "test-"))


def _listed_twice(out: Path) -> None:
    train, test = out / "train_list.txt", out / "test_list.txt"
    test.write_text(test.read_text() + train.read_text())


def _shard_twice(out: Path) -> None:
    shutil.copy(out / "train" / "shard-000000.tar", out / "test" / "shard-000001.tar")


def _rows_twice(out: Path) -> None:
    train, test = (pq.read_table(out / "data" / f"{split}-00000.parquet") for split in SPLITS)
    pq.write_table(pa.concat_tables([test, train]), out / "data" / "test-00000.parquet")


def _lines_twice(out: Path) -> None:
    shutil.copytree(next((out / "train").glob("train-*")), out / "test" / "again")
    lines = (
        (out / "train" / "metadata.jsonl")
        .read_text()
        .replace(f"{next((out / 'train').glob('train-*')).name}/", "again/")
    )
    with (out / "test" / "metadata.jsonl").open("a") as file:
        file.write(lines)


ON_BOTH = {"animeceleb": _listed_twice, "webdataset": _shard_twice, "huggingface": _rows_twice, "folder": _lines_twice}


def test_a_model_on_both_sides_is_named(layout: str, whole: Path) -> None:
    ON_BOTH[layout](whole)
    renew(whole)

    found = [where for fault, where in found_in(whole) if fault is Fault.SPLIT]

    assert found == [f"{LABELS['train']}-{hash_of(LABELS['train'])[:8]}"]


def test_a_model_that_is_listed_for_another_side_is_named(layout: str, whole: Path) -> None:
    rows = [json.loads(line) for line in (whole / "models.jsonl").read_text().splitlines()]
    rows[0]["split"] = "train" if rows[0]["split"] == "test" else "test"
    (whole / "models.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    renew(whole)

    assert found_in(whole) == [(Fault.SPLIT, rows[0]["folder"])]


def test_the_command_tells_exports_from_rendered_folders(layout: str, whole: Path) -> None:
    right = CliRunner().invoke(main, ["verify", str(whole)])
    (whole / "README.md").write_text("other")
    wrong = CliRunner().invoke(main, ["verify", str(whole), "--json"])

    assert (right.exit_code, wrong.exit_code) == (0, 1)
    assert "files: nothing is wrong" in right.stdout
    lines = [json.loads(line) for line in wrong.stdout.splitlines()]
    assert (lines[0]["fault"], lines[0]["where"], lines[1]["summary"]["findings"]) == ("hash", "README.md", 1)
    redraw = CliRunner().invoke(main, ["verify", str(whole), "--redraw", "1%", "--models", str(whole)])
    assert redraw.exit_code == 1
    assert "is an export; --redraw looks at the rendered folder" in redraw.stderr
    rebuild = CliRunner().invoke(main, ["verify", str(whole), "--rebuild"])
    assert rebuild.exit_code == 1
    assert "is an export; --rebuild is for the rendered folder" in rebuild.stderr


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "a/../../outside", "a//b", "./a", "a\0b"])
def test_no_name_in_the_list_leads_outside(made: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(made / "webdataset", tmp_path / "out")
    (tmp_path / "outside").write_text("secret")
    with (tmp_path / "out" / SUMS).open("a") as file:
        file.write(f"{hashlib.sha256(b'secret').hexdigest()}  {name}\n")

    assert (Fault.MANIFEST, SUMS) in found_in(tmp_path / "out")


def test_no_link_is_followed(made: Path, layout: str, whole: Path, tmp_path: Path) -> None:
    folder = next(path for path in sorted(whole.glob("*")) if path.is_dir())
    shutil.move(folder, tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    (whole / "models.jsonl").rename(tmp_path / "models.jsonl")
    (whole / "models.jsonl").symlink_to(tmp_path / "models.jsonl")

    found = found_in(whole)

    assert (Fault.LINK, folder.name) in found
    assert (Fault.MANIFEST, "models.jsonl") in found
    assert {where for fault, where in found if fault is Fault.MISSING} >= {"models.jsonl"}


@pytest.mark.parametrize("marker", ["", "[]", '{"layout": "none"}', "{", "null"])
def test_a_marker_that_names_no_layout_is_said(tmp_path: Path, marker: str) -> None:
    (tmp_path / "facefarm-export.json").write_text(marker)

    assert found_in(tmp_path) == [(Fault.MANIFEST, "facefarm-export.json")]


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe\0", b"{}\n[]\n", b'{"model": 1}\n', b"a,b\n1,2\n", b"[" * 2**19])
def test_junk_in_place_of_tables_is_said_and_no_traceback(layout: str, whole: Path, junk: bytes) -> None:
    (whole / REMOVED[layout][0]).write_bytes(junk)
    (whole / "models.jsonl").write_bytes(junk)

    assert (Fault.HASH, "models.jsonl") in found_in(whole)
    renew(whole)
    assert found_in(whole)
