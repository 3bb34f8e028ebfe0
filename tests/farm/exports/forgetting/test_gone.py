"""A withdrawn model is gone from an export in every layout, and all else is as if it had never been there."""

import json
import re
import shutil
from pathlib import Path

import pytest

from farm.dataset.shards import read_shard
from farm.dataset.splits import SPLITS, Split
from farm.exports import running
from farm.exports.destination import MARKER
from farm.exports.forgetting import forget_in_export
from farm.exports.layouts import layout_named
from farm.exports.source import FolderSource
from farm.licences.tombstones import WITHDRAWN
from farm.models.package import read_model
from farm.spec import RenderSpec
from tests.farm.exports.forgetting.withdrawn import (
    GONE,
    LABELS,
    SAMPLES,
    SHARDS,
    WHO,
    export,
    farm,
    findings,
    folder_of,
    render_all,
    stone,
)
from tests.support.packed import write_model
from tests.support.rendered import hash_of, tree


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
