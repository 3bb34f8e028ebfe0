"""Files are read in processes of their own: what they ask for is bounded, and none meets another."""

import io
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from farm.backgrounds import normalise
from farm.errors import ArchiveError, BackgroundError, BusyError, FarmError, ModelError, ModelFormatError
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_model, to_bytes
from farm.reading import reader as one
from farm.reading import readers as queue
from farm.reading.messages import ReadOrder
from farm.reading.readers import Readers
from tests.attack import bombs
from tests.farm.models import made_files as made
from tests.support.servers import wait_until


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    pool = Readers()
    yield pool
    pool.close()


def picture(size: tuple[int, int] = (80, 60)) -> bytes:
    with io.BytesIO() as out:
        Image.new("RGB", size, "teal").save(out, "PNG")
        return out.getvalue()


def test_a_model_comes_as_it_is_read_anywhere(readers: Readers, tmp_path: Path) -> None:
    data = pmx_bytes(made.full_character())
    (tmp_path / "狐.pmx").write_bytes(data)
    alone = read_model(tmp_path / "狐.pmx")

    with readers.models("狐.pmx", [data[:100], data[100:]]) as reading:
        (model,) = reading.each()
        package = model.package.read_bytes()

    assert (model.id, model.name, model.inventory) == (alone.id, "狐", alone.inventory)
    assert package == to_bytes(alone)
    assert not model.package.exists()


def test_a_zip_brings_its_good_models_and_says_what_the_others_lack(readers: Readers) -> None:
    data = bombs.zipped({"a/good.pmx": pmx_bytes(made.small_character()), "b/bad.pmx": b"PMX nothing"})

    with readers.models("two.zip", [data]) as reading:
        assert [model.name for model in reading.each()] == ["good"]
        ((name, error),) = reading.refused

    assert name == "b/bad.pmx"
    assert isinstance(error, ModelFormatError)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.zip", b"no zip", ArchiveError),
        ("a.zip", bombs.zipped({"a": b""}), ArchiveError),
        ("a.doc", b"", ArchiveError),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_own_error(
    readers: Readers, name: str, data: bytes, kind: type[FarmError]
) -> None:
    with pytest.raises(kind), readers.models(name, [data]):
        pass


def test_a_background_comes_as_it_is_made_anywhere(readers: Readers) -> None:
    with readers.background("sea.png", [picture()]) as found:
        assert found.file.read_bytes() == normalise(picture(), "sea.png").png
        assert (found.about.width, found.about.height) == (80, 60)
    with pytest.raises(BackgroundError, match=r"milk\.png is no picture"), readers.background("milk.png", [b"milk"]):
        pass


def test_a_file_that_takes_too_much_memory_is_refused_and_the_next_is_read() -> None:
    pool = Readers(1, memory=250 * 2**20)
    try:
        data = bombs.zipped({"a.vrm": bytes(200 * 2**20)})
        with pytest.raises(ModelError, match=r"takes more than 0\.2 GiB of memory"), pool.models("a.zip", [data]):
            pass
        with pool.background("sea.png", [picture()]):
            pass
    finally:
        pool.close()


def test_a_file_that_takes_too_long_is_refused_and_its_process_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Readers(1, seconds=0.0)
    try:
        with pytest.raises(BackgroundError, match="takes too long to read"), pool.background("a.png", [picture()]):
            pass
        assert pool._all[0]._process is None
    finally:
        pool.close()
    pool = Readers(1)
    monkeypatch.setattr(queue, "_CPU_SECONDS", 1)
    try:
        started = time.monotonic()
        with pytest.raises(ModelError, match="takes too long"), pool.models("a.zip", [_slow()]):
            pass
        assert time.monotonic() - started < 60
        with pool.background("sea.png", [picture()]):
            pass
    finally:
        pool.close()


def _slow() -> bytes:
    """Seconds of the processor: runs of one byte would be unpacked in no time, coin tosses are not."""
    tosses = random.Random(1).randbytes(2**20).translate(bytes(byte & 1 for byte in range(256)))
    return bombs.zipped({f"{n}.txt": tosses * 60 for n in range(10)})


def test_a_reader_that_dies_is_replaced(readers: Readers) -> None:
    with readers.background("sea.png", [picture()]):
        pass
    for reader in readers._all:
        if reader._process is not None:
            os.kill(reader._process.pid, signal.SIGKILL)
            os.waitid(os.P_PID, reader._process.pid, os.WEXITED | os.WNOWAIT)

    with readers.background("sea.png", [picture()]) as found:
        assert found.about.width == 80


def test_who_would_wait_long_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a queue of two, a reader at work, and two that wait
    monkeypatch.setattr(queue, "_MOST_WAITING", 2)
    pool, begun, go = Readers(1), threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        begun.set()
        go.wait(60)
        yield picture()

    def ask(source: Iterator[bytes]) -> None:
        with pool.background("a.png", source):
            pass

    threads = [threading.Thread(target=ask, args=[slowly()])]
    threads[0].start()
    begun.wait(60)
    threads += [threading.Thread(target=ask, args=[iter([picture()])]) for _ in range(2)]
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: pool._waiting == 2, "two waiting")

    # THEN the next is told at once, and the two have their turn
    with pytest.raises(BusyError, match="in a few seconds"):
        ask(iter([picture()]))
    go.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    pool.close()


def test_the_process_that_reads_has_nothing_of_ours(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_S3_SECRET_KEY", "hush")
    pool = Readers(1)
    try:
        with pool.background("sea.png", [picture()]):
            process = pool._all[0]._process
            assert process is not None
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        assert b"FARM_" not in environment
        assert b"hush" not in environment
    finally:
        pool.close()


_HOSTILE = """
import os
from farm.reading import __main__ as reader

def carry_out(order):
    os.write(1, b"0\\n")
    with open(order.folder + "/stolen", "wb") as stolen:
        stolen.write(os.read(0, 1000))

reader.carry_out = carry_out
reader._serve()
"""


def test_a_file_that_takes_its_reader_over_neither_reads_others_orders_nor_answers_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start() -> subprocess.Popen[bytes]:
        environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.Popen(
            [sys.executable, "-c", _HOSTILE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
            start_new_session=True,
        )  # fmt: skip

    monkeypatch.setattr(one, "_start", start)
    reader = one.Reader()
    try:
        for number in range(2):
            folder = tmp_path / f"{number}"
            folder.mkdir()
            (folder / "file").write_bytes(b"a model")
            order = ReadOrder(
                what="models", file=str(folder / "file"), name="a.pmx", folder=str(folder), memory=2**31,
                packages=2**20, seconds=20,
            )  # fmt: skip
            reader.carry_out(order, 60)
            assert (folder / "stolen").read_bytes() == b""
        # AND there is no answer besides the reader's own
        assert reader._process is not None
        assert reader._process.stdout is not None
        assert select.select([reader._process.stdout], [], [], 1)[0] == []
    finally:
        reader.stop()


@pytest.mark.parametrize("said", [b"x\n", b"9" * 5000, b"--1\n", b"\n"])
def test_what_is_no_answer_of_a_reader_ends_it(said: bytes) -> None:
    out, into = os.pipe()
    os.write(into, said)
    with os.fdopen(out, "rb") as pipe, os.fdopen(into, "wb"), pytest.raises(EOFError):
        one._line(pipe, 10)
