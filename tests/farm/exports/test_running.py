"""An export that is disturbed: damaged sources, kills, places that are taken, buckets."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from farm.dataset.manifest import MANIFEST, Manifest
from farm.errors import ConflictError, SpecError, StorageError
from farm.exports import running
from farm.exports.animeceleb import AnimeCelebLayout
from farm.exports.destination import MARKER
from farm.exports.folder import FolderLayout
from farm.exports.huggingface import HuggingFaceLayout
from farm.exports.layout import Layout
from farm.exports.plan import Unit
from farm.exports.source import FolderSource
from farm.exports.webdataset import WebDatasetLayout
from farm.labels import LabelName
from farm.settings import Settings
from farm.spec import RenderSpec
from farm.storage.s3 import S3Store
from tests.support import servers
from tests.support.rendered import hash_of, render, tree

LAYOUTS: list[Layout] = [AnimeCelebLayout(), WebDatasetLayout(), HuggingFaceLayout(), FolderLayout()]
LABELS = [f"fox {number}" for number in range(6)]
SPEC = RenderSpec(styles=("flat",), size=64)
SHARD_BYTES = 20_000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for label in LABELS:
        render(tmp_path / "rendered", label, SPEC, samples=3)
    return tmp_path / "rendered"


def _export(source: Path, out: Path | str, layout: Layout, **options: object) -> running.Exported:
    return running.export(FolderSource(source), str(out), layout, shard_bytes=SHARD_BYTES, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("damage", ["cut", "flipped", "swapped", "absent", "neutral"])
def test_a_damaged_picture_is_named_and_nothing_is_exported(tmp_path: Path, layout: Layout, damage: str) -> None:
    size = 256 if layout.name == "animeceleb" else 64
    model = render(tmp_path / "rendered", "hurt", RenderSpec(styles=("flat",), size=size), samples=2)
    one, other = sorted((model.folder / "flat" / "rotated").iterdir())
    data = one.read_bytes()
    match damage:
        case "cut":
            one.write_bytes(data[:-20])
        case "flipped":
            one.write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
        case "swapped":
            one.write_bytes(other.read_bytes())
            other.write_bytes(data)
        case "absent":
            one.unlink()
        case "neutral":
            one = model.folder / "basis" / "flat.png"
            one.write_bytes(data)

    with pytest.raises(StorageError, match="render that again") as caught:
        _export(tmp_path / "rendered", tmp_path / "out", layout)

    assert one.name in str(caught.value) or (damage == "swapped" and other.name in str(caught.value))
    if damage != "neutral":
        assert {path.name for path in (tmp_path / "out").iterdir()} == {MARKER, ".partial"}


@pytest.mark.parametrize("name", ["outside.parts.png", "hurt.parts.png", "link", "changed"])
def test_a_label_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    spec = SPEC.model_copy(update={"labels": (LabelName.PARTS, LabelName.DEPTH, LabelName.LANDMARKS)})
    model = render(tmp_path / "rendered", "hurt", spec, samples=2)
    folder = model.folder / "labels" / "frontal"
    first = min(folder.glob("*.parts.png"))
    if name == "link":
        (tmp_path / "secret").write_text("secret")
        first.unlink()
        first.symlink_to(tmp_path / "secret")
        # Manifests of earlier versions do not list label files: what may be anything must not be a link.
        path = model.folder / MANIFEST
        path.write_bytes(model.manifest.model_copy(update={"label_files": ()}).to_bytes())
    elif name == "changed":
        first.write_bytes(first.read_bytes()[:-1])
    else:
        first.rename(folder / name)

    with pytest.raises(StorageError, match=r"is no label of it|cannot be read|is not what its manifest says"):
        _export(tmp_path / "rendered", tmp_path / "out", WebDatasetLayout())


def test_models_of_another_form_are_refused_before_anything_is_written(source: Path, tmp_path: Path) -> None:
    render(source, "odd one", RenderSpec(styles=("ink",), size=64))

    for layout in (WebDatasetLayout(), HuggingFaceLayout()):
        with pytest.raises(SpecError, match=r"odd-one-.* has other styles"):
            _export(source, tmp_path / "out", layout)
    assert not (tmp_path / "out").exists()


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("layout", LAYOUTS[1:], ids=lambda layout: layout.name)
def test_an_export_goes_on_where_it_was(
    source: Path, tmp_path: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    _export(source, tmp_path / "undisturbed", layout)
    # WHEN it ends after the first unit
    before = type(layout).write
    written: list[str] = []

    def once(self: Layout, unit: Unit, *rest: object) -> object:
        if written:
            raise _Killed
        written.append(unit.name)
        return before(self, unit, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(type(layout), "write", once)
    with pytest.raises(_Killed):
        _export(source, tmp_path / "out", layout, threads=1)
    assert not (tmp_path / "out" / "README.md").exists()

    # THEN the next try writes the others, and all is as if nothing had been
    def rest(self: Layout, unit: Unit, *more: object) -> object:
        assert unit.name not in written, "it was there"
        return before(self, unit, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(type(layout), "write", rest)
    _export(source, tmp_path / "out", layout)
    assert tree(tmp_path / "out") == tree(tmp_path / "undisturbed")


def test_a_killed_process_leaves_what_another_finishes(source: Path, tmp_path: Path) -> None:
    _export(source, tmp_path / "undisturbed", WebDatasetLayout())
    command = [
        sys.executable,
        "-m",
        "farm",
        "export",
        str(source),
        "--format",
        "webdataset",
        "--out",
        str(tmp_path / "out"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    servers.wait_until(lambda: (tmp_path / "out" / ".partial").exists() or process.poll() is not None, "the beginning")
    process.send_signal(signal.SIGKILL)
    process.wait()

    _export(source, tmp_path / "out", WebDatasetLayout())

    assert tree(tmp_path / "out") == tree(tmp_path / "undisturbed")


@pytest.mark.parametrize("layout", [WebDatasetLayout(), HuggingFaceLayout()], ids=lambda layout: layout.name)
def test_what_stands_whole_is_not_written_again(source: Path, tmp_path: Path, layout: Layout) -> None:
    assert not _export(source, tmp_path / "out", layout).already
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}

    assert _export(source, tmp_path / "out", layout).already
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}

    # A shard that is gone is made again.
    lost = next(path for path in times if path.suffix in (".tar", ".parquet"))
    lost.unlink()
    assert not _export(source, tmp_path / "out", layout).already
    assert lost.is_file()


def test_another_layout_takes_the_place_of_an_earlier_one_and_of_nothing_else(source: Path, tmp_path: Path) -> None:
    _export(source, tmp_path / "out", WebDatasetLayout())
    (tmp_path / "out" / "notes.txt").write_text("mine")
    _export(source, tmp_path / "new", HuggingFaceLayout())

    _export(source, tmp_path / "out", HuggingFaceLayout())

    assert tree(tmp_path / "out") == tree(tmp_path / "new") | {"notes.txt": b"mine"}


def test_a_file_of_the_users_is_not_overwritten(source: Path, tmp_path: Path) -> None:
    _export(source, tmp_path / "out", FolderLayout())
    (tmp_path / "out" / "index.json").write_text("mine")

    with pytest.raises(StorageError, match=r"index\.json is in the way and not ours"):
        _export(source, tmp_path / "out", WebDatasetLayout())

    assert (tmp_path / "out" / "index.json").read_text() == "mine"


def test_a_marker_from_elsewhere_removes_nothing_outside(source: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARKER).write_text(
        '{"layout": "folder", "format": 2, "holds": ["../precious", "/", ".", ".."]}'
    )

    _export(source, tmp_path / "out", FolderLayout())

    assert (tmp_path / "precious" / "file").read_text() == "mine"
    assert (tmp_path / "out" / "README.md").is_file()


def test_two_exports_into_one_folder_do_not_mix(source: Path, tmp_path: Path) -> None:
    from farm.dataset.lock import locked

    _export(source, tmp_path / "out", FolderLayout())
    with locked(tmp_path / "out"), pytest.raises(ConflictError, match="Another farm is writing"):
        _export(source, tmp_path / "out", FolderLayout())


def test_a_pose_that_is_none_is_refused(source: Path, tmp_path: Path) -> None:
    path = next(source.glob(f"*/{MANIFEST}"))
    manifest = Manifest.model_validate_json(path.read_bytes())
    first = manifest.images[0].model_copy(update={"pose": (0.5,) * 19})
    path.write_bytes(manifest.model_copy(update={"images": (first, *manifest.images[1:])}).to_bytes())

    with pytest.raises(StorageError, match="is not 20 numbers"):
        _export(source, tmp_path / "out", FolderLayout())


@pytest.mark.s3
def test_a_bucket_holds_what_a_folder_would(
    s3: servers.S3Server, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment("datasets").items():
        monkeypatch.setenv(name, value)
    store = S3Store("datasets", Settings())

    for layout in LAYOUTS[1:]:
        _export(source, tmp_path / layout.name, layout)
        assert not _export(source, f"s3://datasets/{layout.name}", layout).already
        keys = store.list(f"{layout.name}/")
        there = {key.removeprefix(f"{layout.name}/"): store.get(key) for key in keys}
        folder = tree(tmp_path / layout.name)
        assert there.keys() == folder.keys()
        assert all(there[name] == folder[name] for name in there if name != MARKER)
    # AND nobody's data is overwritten, and what is whole is left alone
    with pytest.raises(StorageError, match="holds another export"):
        _export(source, "s3://datasets/webdataset", HuggingFaceLayout())
    store.put("others/file", b"theirs")
    with pytest.raises(StorageError, match="not an export of the farm"):
        _export(source, "s3://datasets/others", WebDatasetLayout())
    assert _export(source, "s3://datasets/webdataset", WebDatasetLayout()).already


def test_the_croissant_validates_and_gives_the_rows(tmp_path: Path) -> None:
    """In a process of its own: the library keeps what it unpacks by relative path, in one place for all data sets."""
    for label in LABELS[:3]:
        render(tmp_path / "rendered", label, RenderSpec(styles=("flat",)), samples=2)
    for layout in LAYOUTS:
        _export(tmp_path / "rendered", tmp_path / layout.name, layout)

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _VALIDATE, *(str(tmp_path / layout.name) for layout in LAYOUTS)],
        env={**os.environ, "CROISSANT_CACHE": str(tmp_path / "cache")}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    counts = {tuple(line.split()[:2]): int(line.split()[2]) for line in done.stdout.splitlines()}
    for layout in LAYOUTS:
        of = {name: count for (folder, name), count in counts.items() if folder == layout.name}
        assert (of.pop("errors"), of.pop("models"), of.pop("splits")) == (0, 3, 2)
        assert sum(of.values()) == (3 * 2 if layout.name == "animeceleb" else 3 * 2 * 2)


_VALIDATE = """
import pathlib, sys
import mlcroissant
for folder in map(pathlib.Path, sys.argv[1:]):
    found = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    print(folder.name, "errors", len(found.metadata.ctx.issues.errors))
    for records in found.metadata.record_sets:
        rows = list(found.records(records.id))
        print(folder.name, records.id, len(rows))
        for row in rows:
            empty = {name.split("/")[1] for name, value in row.items() if value is None or value == b"" or value == ""}
            assert records.id == "models" or empty <= {"background"}, (folder, records.id, empty)
            poses = [value for name, value in row.items() if name.endswith("/pose")]
            assert all(len(pose) == 20 for pose in poses), (folder, records.id, poses)
"""


def test_an_export_that_was_killed_while_it_made_its_folders_goes_on(source: Path, tmp_path: Path) -> None:
    _export(source, tmp_path / "once", FolderLayout())
    for gone in ("scratch", "plan"):
        # GIVEN what a kill leaves between two steps of its beginning
        out = tmp_path / gone

        def killed(step: str, done: int, total: int) -> None:
            if step == "images":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            _export(source, out, FolderLayout(), progress=killed)
        partial = out / ".partial"
        (partial / "plan").unlink() if gone == "plan" else shutil.rmtree(partial / gone)

        _export(source, out, FolderLayout())

        assert tree(out) == tree(tmp_path / "once")


def test_models_are_told_apart_in_a_table(source: Path, tmp_path: Path) -> None:
    _export(source, tmp_path / "out", WebDatasetLayout())

    rows = [json.loads(line) for line in (tmp_path / "out" / "models.jsonl").read_text("utf-8").splitlines()]
    assert {row["model"] for row in rows} == {hash_of(label) for label in LABELS}
    for row in rows:
        shards = (tmp_path / "out" / row["split"]).glob("*.tar")
        assert any(row["model"][:16].encode() in shard.read_bytes() for shard in shards)
