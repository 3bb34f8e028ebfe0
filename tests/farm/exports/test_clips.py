"""Clips in exports of every layout: one key a frame, frames in order, clip ids, one side for all of a clip."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from farm.dataset.shards import read_shard
from farm.errors import SpecError
from farm.exports import running
from farm.exports.layouts import layout_named
from farm.exports.source import FolderSource
from farm.spec import RenderSpec
from farm.verification.exported import verify_export
from tests.support.rendered import hash_of, render

FRAMES = 14
MOTION = "c" * 64
SPEC = RenderSpec.model_validate(
    {"styles": ["flat"], "motion": {"id": MOTION, "rate": 20, "start": 0.5, "frames": FRAMES}}
)
LABELS = [f"dancer {number}" for number in range(4)]
CLIPS = {f"{hash_of(label)[:16]}-{MOTION[:16]}" for label in LABELS}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips") / "rendered"
    for label in LABELS:
        render(folder, label, SPEC, samples=FRAMES)
    return folder


def exported(source: Path, out: Path, layout: str) -> Path:
    running.export(FolderSource(source), str(out), layout_named(layout), shard_bytes=20_000)
    assert list(verify_export(out, 2, lambda files: None)) == []
    assert "a frame of a motion" in (out / "README.md").read_text()
    return out


def assert_in_order(rows: list[tuple[str, int, float, str]]) -> None:
    """Rows of clip, frame, time and key, as they stand: of each clip all, behind each other."""
    clips = [clip for clip, *_ in rows]
    assert len({key for *_, key in rows}) == len(rows)
    for clip in set(clips):
        first = clips.index(clip)
        own = rows[first : first + FRAMES]
        assert [each for each, *_ in own] == [clip] * FRAMES
        assert [frame for _, frame, _, _ in own] == list(range(FRAMES))
        assert [time for _, _, time, _ in own] == pytest.approx([0.5 + frame / 20 for frame in range(FRAMES)])


def test_webdataset_has_the_frames_of_a_clip_behind_each_other(source: Path, tmp_path: Path) -> None:
    out = exported(source, tmp_path / "out", "webdataset")
    seen = set()
    for split in ("train", "test"):
        rows = [
            json.loads(data)
            for shard in sorted((out / split).glob("shard-*.tar"))
            for name, data in read_shard(shard)
            if name.endswith(".json")
        ]
        assert_in_order([(row["clip"], row["sample"], row["time"], row["key"]) for row in rows])
        seen |= {row["clip"] for row in rows}
    assert len(list(out.glob("*/shard-*.tar"))) > 2, "clips are cut where shards end, and go on in the next"
    assert seen == CLIPS


def test_huggingface_has_the_frames_of_a_clip_behind_each_other(source: Path, tmp_path: Path) -> None:
    out = exported(source, tmp_path / "out", "huggingface")
    seen = set()
    for split in ("train", "test"):
        rows = [row for path in sorted(out.glob(f"data/{split}-*.parquet")) for row in pq.read_table(path).to_pylist()]
        assert_in_order([(row["clip"], row["sample"], row["time"], row["key"]) for row in rows])
        seen |= {row["clip"] for row in rows}
    assert seen == CLIPS


def test_folder_has_a_line_a_frame_in_order(source: Path, tmp_path: Path) -> None:
    out = exported(source, tmp_path / "out", "folder")
    for split in ("train", "test"):
        rows = [json.loads(line) for line in (out / split / "metadata.jsonl").read_text().splitlines()]
        assert_in_order([(row["clip"], row["sample"], row["time"], row["key"]) for row in rows])
        assert all((out / split / row["image_flat_file_name"]).is_file() for row in rows)


def test_animeceleb_has_the_frames_under_rotation_alone(source: Path, tmp_path: Path) -> None:
    out = exported(source, tmp_path / "out", "animeceleb")
    root = out / "combined_flat"
    assert not (root / "expression").exists()
    assert len(list(root.glob("rotation/*/*/*.png"))) == len(LABELS) * FRAMES
    cached = json.loads((root / "cached.json").read_text())
    for entry in cached.values():
        assert entry["img_names"] == [f"{entry['folder_name']}_{frame:05d}.png" for frame in range(FRAMES)]
        assert len(entry["pose_information"]) == FRAMES
    table = (root / "combined_pose.csv").read_text().splitlines()
    assert len(table) == 1 + len(LABELS) * FRAMES
    rows = [json.loads(line) for line in (out / "train" / "rows.jsonl").read_text().splitlines()]
    assert_in_order([(row["clip"], row["sample"], row["time"], row["key"]) for row in rows])


def test_clips_and_drawn_poses_have_no_rows_of_one_form(source: Path, tmp_path: Path) -> None:
    for label in LABELS[:1]:
        render(tmp_path / "mixed", label, SPEC, samples=FRAMES)
    render(tmp_path / "mixed", "poser", RenderSpec(styles=("flat",)), samples=2)
    for layout in ("webdataset", "huggingface"):
        with pytest.raises(SpecError, match="frames of a clip"):
            running.export(FolderSource(tmp_path / "mixed"), str(tmp_path / layout), layout_named(layout))
