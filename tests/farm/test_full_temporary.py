"""A folder for temporary files that is full is never the fault of what was to be read."""

import io
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from farm.cli.sources import Sources
from farm.errors import DiskFullError, FarmError
from farm.models.archive import unpack
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.reading.readers import Readers
from tests.farm.models import made_files as made
from tests.support import servers
from tests.support.disks import needed_disk


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files, with room for 1 MiB."""
    with needed_disk(tmp_path / "temporary", 2**20) as made:
        monkeypatch.setattr(tempfile, "tempdir", str(made.place))
        yield made.place


def zipped(unpacked: int) -> bytes:
    """A good zip: a model and a texture of so many bytes that shrink to nothing."""
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("child.pmx", pmx_bytes(made.small_character()))
            archive.writestr("texture.bmp", bytes(unpacked))
        return out.getvalue()


def test_a_zip_that_does_not_fit_is_not_told_to_be_zipped_again(full: Path) -> None:
    with pytest.raises(OSError, match="No space"):
        unpack(io.BytesIO(zipped(4 * 2**20)), full / "into")


def test_a_collection_is_not_blamed(full: Path, tmp_path: Path) -> None:
    (tmp_path / "good.zip").write_bytes(zipped(4 * 2**20))

    with pytest.raises(DiskFullError, match=f"The disk of {full} is full.*TMPDIR"):
        list(Sources({tmp_path / "good.zip": tmp_path}).read(tmp_path / "good.zip"))


@pytest.mark.parametrize("size", ["packed", "unpacked"])
def test_an_upload_is_not_blamed(full: Path, size: str) -> None:
    """Neither where the file itself finds no room, nor where what its reader makes of it does not."""
    readers = Readers(1)
    data = zipped(4 * 2**20) + (bytes(2 * 2**20) if size == "packed" else b"")
    try:
        with pytest.raises(DiskFullError, match=f"The disk of {full} is full"), readers.models("good.zip", [data]):
            pass
        # AND the reader is none the worse
        small = pmx_bytes(made.small_character())
        with readers.models("small.pmx", [small]) as reading:
            assert reading.models == 1
    finally:
        readers.close()
    assert not list(full.iterdir())


def test_the_api_says_that_it_has_no_room(full: Path, tmp_path: Path, redis_url: str) -> None:
    environment = {
        "FARM_REDIS_URL": redis_url,
        "FARM_STORAGE_URL": f"file://{tmp_path}/store",
        "TMPDIR": str(full),
    }
    with (
        servers.api_server(tmp_path / "api", environment) as api,
        httpx.Client(base_url=api.url, trust_env=False) as http,
    ):
        for data in (zipped(4 * 2**20), zipped(100) + bytes(4 * 2**20)):
            answer = http.post("/v1/models", files={"file": ("good.zip", data)}, timeout=60)
            assert (answer.status_code, answer.json()["code"]) == (503, "disk-full"), answer.text
            assert f"The disk of {full} is full" in answer.text
        assert http.post("/v1/models", files={"file": ("a.pmx", pmx_bytes(made.small_character()))}).is_success


def test_a_zip_that_is_damaged_is_still_told_so(tmp_path: Path) -> None:
    data = bytearray(zipped(10_000))
    data[200:240] = bytes(40)
    with pytest.raises(FarmError, match=r"[Zz]ip the"):
        unpack(io.BytesIO(bytes(data)), tmp_path / "into")
