"""A withdrawn model is gone from an export in every layout, and all else is as if it had never been there."""

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from farm.cli import main
from farm.dataset.shards import read_shard
from farm.dataset.splits import SPLITS, Split, split_of
from farm.errors import StorageError
from farm.exports import running
from farm.exports.destination import MARKER
from farm.exports.forgetting import check_export, forget_in_export
from farm.exports.layouts import LAYOUTS, layout_named
from farm.exports.source import FolderSource
from farm.labels import LabelName
from farm.licences.forgetting import Forgotten
from farm.licences.tombstones import WITHDRAWN, Tombstone
from farm.models.package import read_model
from farm.spec import RenderSpec
from farm.verification.exported import verify_export
from farm.verification.findings import Fault
from tests.support.packed import write_model
from tests.support.rendered import hash_of, render, survey_of, tree

SPEC = RenderSpec(styles=("ink", "flat"), labels=(LabelName.PARTS, LabelName.DEPTH, LabelName.LANDMARKS))
SAMPLES, SHARD_BYTES = 2, 12_000
"""A shard has rows of several models, and a unit several shards."""
SHARDS = ("webdataset", "huggingface")
WHO = ["--who", "Rin", "--why", "the creator wrote so"]


def labels_on(split: str, count: int) -> list[str]:
    found = (f"fox {n}" for n in range(9999))
    return [label for label in found if split_of(hash_of(label)) == split][:count]


LABELS = [*labels_on("train", 5), *labels_on("test", 2)]
GONE, TWIN = LABELS[1], LABELS[2]
"""The one is a near-duplicate of the other."""


def render_all(source: Path, labels: list[str], spec: RenderSpec = SPEC, samples: int = SAMPLES) -> Path:
    for label in labels:
        render(source, label, spec, samples, survey=survey_of(GONE if label == TWIN else label))
    return source


def export(source: Path, out: Path, layout: str, shard_bytes: int = SHARD_BYTES) -> running.Exported:
    return running.export(FolderSource(source), str(out), layout_named(layout), shard_bytes=shard_bytes)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All layouts with the model, under their names, and without, as ``<layout>-fresh``."""
    room = tmp_path_factory.mktemp("made")
    render_all(room / "rendered", LABELS)
    render_all(room / "left", [label for label in LABELS if label != GONE])
    for layout in LAYOUTS:
        export(room / "rendered", room / layout, layout)
        export(room / "left", room / f"{layout}-fresh", layout)
    return room


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def out(made: Path, layout: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / layout, tmp_path / "out"))


def stone(label: str = GONE) -> Tombstone:
    return Tombstone(model=hash_of(label), who="Rin", when=datetime(2026, 11, 3, tzinfo=UTC), why="asked")


def farm(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


def folder_of(label: str) -> str:
    return f"{label.replace(' ', '-')}-{hash_of(label)[:8]}"


def findings(out: Path) -> list[tuple[Fault, str]]:
    return [(finding.fault, finding.where) for finding in verify_export(out, 2, lambda files: None)]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_the_command_takes_it_out_of_the_export_alone_and_nothing_names_it(layout: str, out: Path) -> None:
    answer = farm("forget", folder_of(GONE), "--from", out, *WHO)

    assert answer.exit_code == 0, answer.output
    removed = {"animeceleb": "8 folders and 8 rows", "folder": "1 folder and 4 rows"}.get(layout, "4 rows")
    assert answer.stdout == f"{out}: {removed} removed\n"
    assert findings(out) == []
    for name, data in tree(out).items():
        if name == WITHDRAWN:
            continue
        assert hash_of(GONE)[:8] not in name, name
        for said in (hash_of(GONE)[:16], folder_of(GONE)):
            assert said.encode() not in data, (name, said)
    # AND once more, by any of its names, nothing is left to do
    before = tree(out)
    for name in (folder_of(GONE), hash_of(GONE), hash_of(GONE)[:8]):
        again = farm("forget", name, "--from", out, *WHO)
        assert (again.exit_code, "nothing of it is there" in again.stdout) == (0, True), again.output
    assert tree(out) == before


def test_what_is_left_says_of_itself_what_an_export_without_it_would(made: Path, layout: str, out: Path) -> None:
    forget_in_export(out, stone())

    left, fresh = tree(out), tree(made / f"{layout}-fresh")
    for files in (left, fresh):
        files.pop(WITHDRAWN, None)
        files.pop(MARKER)
    if layout not in SHARDS:
        assert left == fresh
        return
    for name in ("models.jsonl", "making.json"):
        assert left[name] == fresh[name]
    index, expected = (json.loads(files["index.json"]) for files in (left, fresh))
    for split in SPLITS:
        counts = {name: value for name, value in index["splits"][split].items() if name != "shards"}
        assert counts == {name: value for name, value in expected["splits"][split].items() if name != "shards"}
    pattern = re.compile(rb'wds.WebDataset\("[^"]*"')
    assert pattern.sub(b"", left["README.md"]) == pattern.sub(b"", fresh["README.md"])
    croissant, metadata = (json.loads(files["croissant.json"]) for files in (left, fresh))
    assert croissant["description"] == metadata["description"]
    assert croissant["recordSet"] == metadata["recordSet"]
    for split in SPLITS if layout == "webdataset" else ():
        rows = [sorted(files[f"{split}/rows.jsonl"].splitlines()) for files in (left, fresh)]
        assert rows[0] == rows[1]


@pytest.mark.parametrize("layout", SHARDS)
def test_shards_without_it_stay_and_the_others_keep_their_rows_in_their_order(
    made: Path, layout: str, out: Path
) -> None:
    before, gone = tree(out), hash_of(GONE)

    forget_in_export(out, stone())

    def rows_in(files: dict[str, bytes], shard: str, path: Path) -> list[tuple[str, bytes]]:
        path.write_bytes(files[shard])
        if layout == "webdataset":
            return list(read_shard(path))
        import pyarrow.parquet as pq

        return [(row["key"], repr(row).encode()) for row in pq.read_table(path).to_pylist()]

    shards = [name for name in before if name.endswith((".tar", ".parquet"))]
    after = tree(out)
    changed = [name for name in shards if after.get(name) != before[name]]
    assert 0 < len(changed) < len(shards)
    for name in shards:
        there = rows_in(before, name, out.parent / "before")
        kept = [(key, data) for key, data in there if not key.startswith(gone[:16])]
        assert (len(kept) < len(there)) == (name in changed)
        assert kept == (rows_in(after, name, out.parent / "after") if kept else [])
        assert (name in after) == bool(kept)


@pytest.mark.filterwarnings("ignore")  # the library's own
def test_hugging_face_and_webdataset_read_what_is_left(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    import webdataset as wds
    from datasets import Image as ImageFeature
    from datasets import load_dataset

    for layout in SHARDS:
        shutil.copytree(made / layout, tmp_path / layout)
        forget_in_export(tmp_path / layout, stone())
    data = load_dataset(str(tmp_path / "huggingface"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(data[split]) for split in data} == {"train": 4 * SAMPLES * 2, "test": 2 * SAMPLES * 2}
    assert data["train"].features["image_flat"] == ImageFeature()
    assert data["train"][0]["image_flat"].mode == "RGBA"

    card = (tmp_path / "webdataset" / "README.md").read_text()
    (pattern,) = re.findall(r'WebDataset\("([^"]+)"', card)
    shards = wds.WebDataset(f"{tmp_path}/webdataset/{pattern}", shardshuffle=False, empty_check=False)
    keys = [sample["__key__"] for sample in shards]
    assert len(set(keys)) == len(keys) == 4 * SAMPLES * 2


def test_clips_poses_of_another_space_and_lists_are_told_as_before(mascots: dict[str, Path], tmp_path: Path) -> None:
    motion = {"id": "c" * 64, "rate": 20, "start": 0.5, "frames": 4}
    clips = RenderSpec.model_validate({"styles": ["flat"], "motion": motion, "size": 64})
    render_all(tmp_path / "clips", LABELS[:4], clips, samples=4)
    spaced = RenderSpec(samples=2, size=32, styles=("flat",), pose_space="face-45")
    for label in LABELS[:4]:
        write_model(tmp_path / "spaced", label, read_model(mascots["nagi"]).inventory, spaced)
    lists: dict[str, Split] = {hash_of(label): "test" if label == LABELS[0] else "train" for label in LABELS[:4]}
    for layout in (*SHARDS, "folder"):  # animeceleb has pictures of one size alone
        for kind, words in (("clips", "a frame of a motion"), ("spaced", "the pose space face-45")):
            source, out, fresh = (tmp_path / name for name in (kind, f"{kind}-{layout}", f"{kind}-{layout}-fresh"))
            running.export(FolderSource(source), str(out), layout_named(layout), lists=lists)

            forget_in_export(out, stone())

            left = Path(shutil.copytree(source, tmp_path / "left"))
            (folder,) = left.glob(f"*-{hash_of(GONE)[:8]}")
            shutil.rmtree(folder)
            running.export(FolderSource(left), str(fresh), layout_named(layout), lists=lists)
            shutil.rmtree(left)
            # A shard holds all models of its side, so nothing but its pictures' place could differ.
            for name in (
                "README.md",
                "models.jsonl",
                "making.json",
                *(["pose_space.json"] if kind == "spaced" else []),
            ):
                assert (out / name).read_bytes() == (fresh / name).read_bytes(), (layout, kind, name)
            card = (out / "README.md").read_text()
            assert words in card
            assert "Lists that were given decide first" in card
            assert findings(out) == []


def test_a_pattern_leaves_out_numbers_that_are_gone(tmp_path: Path) -> None:
    import braceexpand

    # GIVEN shards that hold one model each
    source = render_all(tmp_path / "rendered", [*LABELS[:1], *LABELS[2:]])
    export(source, tmp_path / "out", "webdataset", shard_bytes=1)
    numbers: dict[str, set[str]] = {}
    for path in (tmp_path / "out" / "train").glob("*.tar"):
        for name, _ in read_shard(path):
            numbers.setdefault(name[:16], set()).add(path.name)
    lone = {model: names for model, names in numbers.items() if not names & {"shard-000000.tar"}}
    model = next(label for label in LABELS if hash_of(label)[:16] in lone)

    forget_in_export(tmp_path / "out", stone(model))

    left = {f"train/{path.name}" for path in (tmp_path / "out" / "train").glob("*.tar")}
    assert not left & {f"train/{name}" for name in numbers[hash_of(model)[:16]]}
    (pattern,) = re.findall(r'WebDataset\("([^"]+)"', (tmp_path / "out" / "README.md").read_text())
    assert set(braceexpand.braceexpand(pattern)) == left
    assert findings(tmp_path / "out") == []


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
VICTIMS = """
import os, shutil, sys
from pathlib import Path
from tests.farm.exports.test_forgetting import stone
from farm.exports.forgetting import forget_in_export

before, room = map(Path, sys.argv[1:3])
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.link", "os.mkdir"}
KILLED = 9


def ends_at(change, out):
    left = change

    def hook(event, args):
        nonlocal left
        writes = event == "open" and str(args[0]).startswith(str(out)) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if not writes and event not in CHANGES:
            return
        left -= 1
        if left == 0:
            if writes and os.path.exists(args[0]) and not str(args[0]).endswith("withdrawn.jsonl"):
                os.truncate(args[0], 0)
            os._exit(KILLED)

    return hook


change, status = 0, KILLED
while status == KILLED:
    change += 1
    out = room / f"{change:04d}"
    shutil.copytree(before, out)
    if (victim := os.fork()) == 0:
        sys.addaudithook(ends_at(change, out))
        forget_in_export(out, stone())
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(victim, 0)[1])
sys.exit(status)
"""


def test_a_kill_at_any_change_leaves_what_the_next_finishes(layout: str, tmp_path: Path) -> None:
    spec = SPEC if layout == "animeceleb" else SPEC.model_copy(update={"size": 64})
    render_all(tmp_path / "rendered", LABELS[:4], spec, samples=1)
    export(tmp_path / "rendered", tmp_path / "before", layout, shard_bytes=2_000)
    undisturbed = Path(shutil.copytree(tmp_path / "before", tmp_path / "undisturbed"))
    forget_in_export(undisturbed, stone())
    whole = tree(undisturbed)
    (tmp_path / "victims").mkdir()

    done = subprocess.run(
        [sys.executable, "-c", VICTIMS, tmp_path / "before", tmp_path / "victims"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    outs = sorted((tmp_path / "victims").iterdir())
    assert len(outs) > 15
    for victim in outs:
        forget_in_export(victim, stone())
        assert tree(victim) == whole, victim.name
        shutil.rmtree(victim)
