"""Exports that are made again, not whole, of earlier versions or damaged lose a withdrawn model, or stay as they were."""

import re
import shutil
from pathlib import Path

import pytest

from farm.errors import StorageError
from farm.exports import running
from farm.exports.destination import MARKER
from farm.exports.forgetting import check_export, forget_in_export
from farm.exports.layouts import layout_named
from farm.exports.source import FolderSource
from farm.licences.forgetting import Forgotten
from farm.licences.tombstones import WITHDRAWN
from farm.verification.exported import verify_export
from farm.verification.findings import Fault
from tests.farm.exports.forgetting.withdrawn import GONE, LABELS, SHARDS, WHO, farm, findings, lines_of, stone
from tests.support.rendered import hash_of, tree


def test_the_last_model_of_a_side_and_the_last_of_all(layout: str, out: Path) -> None:
    for label in LABELS[5:]:
        forget_in_export(out, stone(label))
    assert findings(out) == []
    assert {row["split"] for row in lines_of(out / "models.jsonl")} == {"train"}
    assert not (out / "test").exists()

    for label in LABELS[:5]:
        forget_in_export(out, stone(label))

    assert {path.name for path in out.iterdir()} == {MARKER, WITHDRAWN}
    assert forget_in_export(out, stone()) == Forgotten(0, 0)
    (finding,) = verify_export(out, 1, lambda files: None)
    assert "all of its models were withdrawn" in finding.sentence


def test_the_next_export_keeps_it_out_though_the_source_has_it(made: Path, layout: str, out: Path) -> None:
    forget_in_export(out, stone())

    answer = farm("export", made / "rendered", "--format", layout, "--out", out)

    assert answer.exit_code == 0, answer.output
    assert f"Model {hash_of(GONE)[:8]} was withdrawn" in answer.stderr
    assert len(lines_of(out / "models.jsonl")) == len(LABELS) - 1
    assert findings(out) == []
    # AND where it comes back nevertheless, it is named
    stones = (out / WITHDRAWN).read_bytes()
    shutil.rmtree(out)
    shutil.copytree(made / layout, out)
    (out / WITHDRAWN).write_bytes(stones)
    assert findings(out) == [(Fault.WITHDRAWN, "models.jsonl")]


def test_an_export_that_was_not_yet_whole_loses_what_it_had(made: Path, layout: str, tmp_path: Path) -> None:
    def killed(step: str, done: int, total: int) -> None:
        if step == "images" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        running.export(
            FolderSource(made / "rendered"), str(tmp_path / "out"), layout_named(layout), shard_bytes=1, progress=killed
        )
    assert (tmp_path / "out" / ".partial").is_dir()

    forget_in_export(tmp_path / "out", stone())

    assert {path.name for path in (tmp_path / "out").iterdir()} == {MARKER, WITHDRAWN}


def test_an_export_of_an_earlier_version_is_left_as_it_was_where_shards_hold_many_models(
    layout: str, out: Path, made: Path
) -> None:
    (out / "making.json").unlink()
    before = tree(out)

    if layout in SHARDS:
        answer = farm("forget", hash_of(GONE), "--from", out, *WHO)
        assert answer.exit_code == 1
        assert "an earlier version exported it" in answer.stderr
        assert tree(out) == before
        return
    forget_in_export(out, stone())
    assert len(lines_of(out / "models.jsonl")) == len(LABELS) - 1
    assert [path for path in out.rglob("*") if hash_of(GONE)[:8] in path.name] == []


def test_a_name_that_nobody_has_and_a_marker_of_nothing_are_refused(layout: str, out: Path) -> None:
    answer = farm("forget", "Nobody-00000000", "--from", out, *WHO)
    assert (answer.exit_code, "holds no model 'Nobody-00000000'" in answer.stderr) == (1, True)
    assert not (out / WITHDRAWN).exists()

    (out / MARKER).write_text('{"layout": "../none"}')
    with pytest.raises(StorageError, match="is no layout that is known"):
        check_export(out)


@pytest.mark.parametrize("layout", SHARDS)
def test_a_damaged_shard_is_named_and_stays(out: Path, layout: str) -> None:
    shard = sorted(path for path in out.rglob("*") if path.suffix in (".tar", ".parquet"))[-1]
    shard.write_bytes(b"junk" * 1000)

    with pytest.raises(StorageError, match=rf"{re.escape(shard.name)} cannot be read"):
        forget_in_export(out, stone())

    assert shard.read_bytes() == b"junk" * 1000


def test_no_link_is_followed(made: Path, layout: str, out: Path, tmp_path: Path) -> None:
    outside = Path(shutil.copytree(out, tmp_path / "outside"))
    for name in ("train", "data", "combined_flat"):
        if (out / name).is_dir():
            shutil.rmtree(out / name)
            (out / name).symlink_to(outside / name)
    before = tree(outside)

    forget_in_export(out, stone())

    assert tree(outside) == before


# A process of its own, for an audit hook stays for good: it forks a victim for each change, until one ends by itself.
