"""Folders that somebody made to do harm: each ends in findings, in little memory and time."""

import io
import json
import random
import shutil
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from farm.dataset.label_reading import read_arrays, read_indexed, read_marks
from farm.dataset.reading import listing, model_folders, read_file
from farm.errors import StorageError
from farm.models.package import read_model
from farm.verification.findings import Fault, Finding
from farm.verification.verify import verify
from tests.support.packed import LABELLED, SPEC, write_model, write_table

SIDE = 32
TRIES = 60


@pytest.fixture(scope="module")
def whole(mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    write_model(out, "Aoi", read_model(mascots["nagi"]).inventory, LABELLED.model_copy(update={"samples": 1}))
    write_table(out)
    return out


@pytest.fixture
def out(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "out"))


def found(out: Path) -> list[Finding]:
    return list(verify(out, 1, lambda report: None))


def manifest_of(out: Path) -> tuple[Path, dict[str, Any]]:
    (path,) = out.glob("*/manifest.json")
    return path, json.loads(path.read_bytes())


def test_mutated_manifests_end_in_findings(out: Path) -> None:
    path, _ = manifest_of(out)
    data = path.read_bytes()
    lot = random.Random(7)
    pieces = [b"NaN", b"-1", b"1e308", b"Infinity", b"99999999999", b'"../../x"', b"null", b"[]", b"true", b'""']
    for _ in range(TRIES):
        places = [place for place, byte in enumerate(data) if byte in b"0123456789"]
        at = lot.choice(places)
        end = at
        while data[end] in b"0123456789.":
            end += 1
        path.write_bytes(data[:at] + lot.choice(pieces) + data[end:])
        found(out)  # raises nothing
    path.write_bytes(data)
    assert found(out) == []


@pytest.mark.parametrize(
    ("spec", "samples"),
    [({"samples": 10_000, "camera": {"views": 64, "yaw": [-90, 90]}}, 10_000), ({"size": 1024}, 1)],
)
def test_a_specification_that_asks_for_millions_costs_no_memory(out: Path, spec: dict[str, Any], samples: int) -> None:
    path, manifest = manifest_of(out)
    manifest["spec"] |= spec
    manifest["samples"] = samples
    path.write_text(json.dumps(manifest))

    tracemalloc.start()
    assert found(out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20


def test_a_folder_that_is_a_link_is_passed_over(out: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/manifest.json").write_text("{}")
    (out / "linked-00000000").symlink_to(tmp_path / "secret")
    (out / "device-00000000").mkdir()
    (out / "device-00000000/manifest.json").symlink_to("/dev/zero")

    assert [folder.name for folder in model_folders(out)] == [
        "Aoi-" + model_folders(out)[0].name[-8:],
        "device-00000000",
    ]
    assert (Fault.MANIFEST, "device-00000000/manifest.json") in {(each.fault, each.where) for each in found(out)}
    assert listing(out / "device-00000000").strange == ["manifest.json"]


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**40)  # a hole: it takes no space

    with pytest.raises(StorageError, match="over the limit of 1000"):
        read_file(tmp_path / "large", 1000)


def npz(name: str, header: bytes, body: bytes) -> bytes:
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body)
        return out.getvalue()


@pytest.mark.parametrize(
    ("name", "header", "body", "says"),
    [
        (
            "depth",
            b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000)}\n",
            b"",
            "The label depth is",
        ),
        ("depth", b"{'descr': '<f4', 'fortran_order': False, 'shape': (32, 32)}\n", bytes(2**24), "another length"),
        ("depth", b"{'descr': '|O', 'fortran_order': False, 'shape': (32, 32)}\n", b"", "The label depth is"),
        ("depth", b"__import__('os').abort()\n", b"", "no usable .npz file"),
        ("../../x", b"{'descr': '<f4', 'fortran_order': False, 'shape': (32, 32)}\n", b"", "which is no label"),
    ],
)
def test_arrays_that_promise_more_than_a_picture_are_refused(name: str, header: bytes, body: bytes, says: str) -> None:
    data = npz(name, header, body)
    tracemalloc.start()
    with pytest.raises(StorageError, match=says):
        read_arrays(data, SIDE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_a_part_picture_of_another_size_is_refused_before_it_is_decoded() -> None:
    header = struct.pack(">II", 60_000, 60_000) + b"\x08\x03\x00\x00\x00"
    chunks = [(b"IHDR", header), (b"PLTE", bytes(3)), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )

    with pytest.raises(StorageError, match=r"no indexed picture|cannot be decoded"):
        read_indexed(data, SIDE)


def test_marks_that_are_none_are_refused() -> None:
    with pytest.raises(StorageError, match="holds no marks"):
        read_marks(b"[" * 100_000)


def test_findings_of_one_model_are_bounded_and_the_rest_counted(mascots: dict[str, Path], tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"samples": 120})
    model = write_model(tmp_path, "Aoi", read_model(mascots["nagi"]).inventory, spec)
    write_table(tmp_path)
    for image in model.manifest.images:
        model.image_path(image).unlink()

    findings = found(tmp_path)
    assert len(findings) == 201
    assert findings[-1].sentence == f"{len(model.manifest.images) - 200} more like this."
    assert np.unique([finding.fault for finding in findings]).tolist() == ["missing"]
