"""What a worker does about a Blender that dies, hangs, grows, chatters or is no longer wanted; with real Blender."""

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from farm import pipe
from farm.drawing import blender as supervisor
from farm.drawing.blender import LOAD_SECONDS, Blender
from farm.drawing.room import Room
from farm.errors import (
    BlenderDiedError,
    BlenderMemoryError,
    BlenderStartError,
    BlenderTimeoutError,
    ConflictError,
    FarmError,
    ModelError,
    RenderError,
)
from farm.models.package import read_model, to_bytes, unfold
from farm.poses import Partition
from tests.support.morphs import numbered

pytestmark = pytest.mark.blender
MANY = 3000
"""Shots that Blender is not done with before a test is."""


@pytest.fixture(scope="module")
def request_of_many(mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> pipe.Render:
    package = read_model(mascots["momo"])
    character, textures = unfold(to_bytes(package), tmp_path_factory.mktemp("momo"))
    weights = numbered(package, {"あ": 0.5})
    shot = pipe.Shot(sample=0, partition=Partition.FRONTAL, weights=weights, rotation=(0, 0, 0), light=0.6)
    return pipe.Render(
        character=str(character),
        textures={index: str(path) for index, path in textures.items()},
        morphs=list(weights),
        styles=["flat"],
        size=64,
        supersample=1,
        shots=[shot] * MANY,
    )


def few(request: pipe.Render, shots: int = 2) -> pipe.Render:
    return request.model_copy(update={"shots": request.shots[:shots]})


def pid_of(blender: Blender) -> int:
    assert blender._process is not None
    return blender._process.pid


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def draws(blender: Blender, request: pipe.Render) -> int:
    return sum(1 for _ in blender.draw(request, lambda _: None))


def draw_and(blender: Blender, request: pipe.Render, action: Callable[[int], None]) -> None:
    """Draw, and do something after every shot, of which it gets the number."""
    for drawn in blender.draw(request, lambda _: None):
        action(drawn.shot)


@contextmanager
def interrupted(blender: Blender, error: FarmError, seconds: float = 0.3) -> Iterator[None]:
    """Another thread interrupts after `seconds`."""
    timer = threading.Timer(seconds, blender.interrupt, [error])
    timer.start()
    yield
    timer.join()


def test_a_killed_blender_says_how_it_ended_and_what_it_printed(
    fresh_blender: Blender, request_of_many: pipe.Render
) -> None:
    def kill(shot: int) -> None:
        if shot == 3:
            Path(f"/proc/{pid_of(fresh_blender)}/fd/2").write_text("the last words\n")
            os.kill(pid_of(fresh_blender), signal.SIGKILL)

    with pytest.raises(BlenderDiedError, match=r"signal SIGKILL\) while drawing") as caught:
        draw_and(fresh_blender, request_of_many, kill)

    assert caught.value.log.endswith("the last words")
    assert "the last words" not in str(caught.value)
    assert draws(fresh_blender, few(request_of_many)) == 2


def test_a_blender_that_hangs_is_killed_when_its_time_is_up(
    fresh_blender: Blender, request_of_many: pipe.Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STALL_SECONDS", 1.0)
    fresh_blender.start()
    pid = pid_of(fresh_blender)

    def halt(shot: int) -> None:
        if shot == 3:
            os.kill(pid, signal.SIGSTOP)

    with pytest.raises(BlenderTimeoutError, match="said nothing for 1 s"):
        draw_and(fresh_blender, request_of_many, halt)

    assert is_gone(pid)
    assert fresh_blender.resident() == 0


def test_an_interruption_while_blender_starts_is_raised_there(
    fresh_blender: Blender, request_of_many: pipe.Render
) -> None:
    with (
        interrupted(fresh_blender, ConflictError("cancelled"), 0.2),
        pytest.raises(ConflictError, match="cancelled"),
    ):
        fresh_blender.start()

    assert fresh_blender._process is None
    assert draws(fresh_blender, few(request_of_many)) == 2


def test_an_interruption_ends_a_load_that_hangs(fresh_blender: Blender, request_of_many: pipe.Render) -> None:
    fresh_blender.start()
    pid, started = pid_of(fresh_blender), time.monotonic()
    os.kill(pid, signal.SIGSTOP)

    error = BlenderTimeoutError("The attempt took too long.")
    with interrupted(fresh_blender, error), pytest.raises(BlenderTimeoutError) as caught:
        draws(fresh_blender, request_of_many)

    assert caught.value is error
    assert time.monotonic() - started < LOAD_SECONDS / 2
    assert is_gone(pid)


def test_an_interruption_ends_drawing_and_the_next_model_is_drawn(
    fresh_blender: Blender, request_of_many: pipe.Render
) -> None:
    fresh_blender.start()
    pid = pid_of(fresh_blender)
    shots: list[int] = []
    error = BlenderMemoryError("Blender took more memory than it may.")

    def interrupt(shot: int) -> None:
        shots.append(shot)
        if shot == 3:
            threading.Thread(target=fresh_blender.interrupt, args=[error]).start()
        time.sleep(0.01)

    with pytest.raises(BlenderMemoryError) as caught:
        draw_and(fresh_blender, request_of_many, interrupt)

    assert caught.value is error
    assert 4 <= len(shots) < MANY
    assert is_gone(pid)
    assert draws(fresh_blender, few(request_of_many)) == 2


def test_the_first_of_two_interruptions_counts(fresh_blender: Blender, request_of_many: pipe.Render) -> None:
    fresh_blender.start()
    stream = fresh_blender.draw(request_of_many, lambda _: None)
    next(stream)
    fresh_blender.interrupt(ConflictError("first"))
    fresh_blender.interrupt(ConflictError("second"))

    with pytest.raises(ConflictError, match="first"):
        list(stream)


def test_an_interruption_while_nothing_is_drawn_does_nothing(
    fresh_blender: Blender, request_of_many: pipe.Render
) -> None:
    fresh_blender.interrupt(ConflictError("nobody there"))
    assert draws(fresh_blender, few(request_of_many)) == 2
    pid = pid_of(fresh_blender)
    fresh_blender.interrupt(ConflictError("between two models"))

    assert draws(fresh_blender, few(request_of_many)) == 2
    assert pid_of(fresh_blender) == pid


def test_interruptions_at_any_moment_leave_a_blender_that_draws(
    fresh_blender: Blender, request_of_many: pipe.Render
) -> None:
    # GIVEN short drawings one behind the other, and interruptions that fall anywhere in or between them
    short = few(request_of_many, 5)
    for seconds in (0.1, 0.27):
        whole: list[int] = []
        with interrupted(fresh_blender, ConflictError("now"), seconds), suppress(ConflictError):
            while len(whole) < 8:
                whole.append(draws(fresh_blender, short))

        # THEN those before it are whole, and Blender draws on
        assert whole == [5] * len(whole)
        assert draws(fresh_blender, short) == 5


def test_a_blender_that_died_while_idle_costs_nothing(fresh_blender: Blender, request_of_many: pipe.Render) -> None:
    fresh_blender.start()
    pid = pid_of(fresh_blender)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    assert draws(fresh_blender, few(request_of_many)) == 2


def test_what_blender_has_in_its_temporary_folder_goes_when_it_is_killed(
    fresh_blender: Blender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fresh_blender.start()
    assert list(tmp_path.glob("*/home/blender_*"))

    os.kill(pid_of(fresh_blender), signal.SIGKILL)
    fresh_blender.stop()

    assert list(tmp_path.iterdir()) == []


def test_the_memory_of_blender_is_that_of_its_group(fresh_blender: Blender, request_of_many: pipe.Render) -> None:
    assert fresh_blender.resident() == 0
    stream = fresh_blender.draw(request_of_many, lambda _: None)
    next(stream)

    # Blender, its libraries and a small model: hundreds of MiB, and what the kernel says of the process itself
    itself = int(Path(f"/proc/{pid_of(fresh_blender)}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert 100 * 2**20 < fresh_blender.resident() < 3 * 2**30
    assert abs(fresh_blender.resident() - itself) < itself / 4
    stream.close()
    assert fresh_blender.resident() == 0


def test_a_blender_that_prints_for_ever_is_drawn_with_and_its_last_words_are_kept(
    fresh_blender: Blender, request_of_many: pipe.Render
) -> None:
    def own_memory() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def chatter(shot: int) -> None:
        if shot <= 50:
            with Path(f"/proc/{pid_of(fresh_blender)}/fd/1").open("w") as out:
                out.writelines("never stops printing\n" * 1000 for _ in range(100))  # 2 MB a shot
                out.write("goodbye\n")
        if shot == 50:
            os.kill(pid_of(fresh_blender), signal.SIGKILL)

    before = own_memory()
    with pytest.raises(BlenderDiedError) as caught:
        draw_and(fresh_blender, request_of_many, chatter)

    assert caught.value.log.endswith("goodbye")
    assert len(caught.value.log) <= 4000
    assert own_memory() - before < 50 * 2**20


def test_the_log_of_an_error_is_that_of_its_model(
    fresh_blender: Blender, request_of_many: pipe.Render, tmp_path: Path
) -> None:
    # GIVEN a Blender that printed something about an earlier model
    assert draws(fresh_blender, few(request_of_many)) == 2
    pid = pid_of(fresh_blender)
    Path(f"/proc/{pid}/fd/1").write_text("about the earlier model\n")

    # WHEN it fails at another one and goes on living
    broken = request_of_many.model_copy(update={"character": str(tmp_path / "of-no-format.xyz")})
    (tmp_path / "of-no-format.xyz").touch()
    with pytest.raises((RenderError, ModelError)) as caught:
        draws(fresh_blender, broken)

    # THEN the error brings what was printed about that one
    assert "Traceback" in caught.value.log
    assert "about the earlier model" not in caught.value.log
    assert pid_of(fresh_blender) == pid
    assert draws(fresh_blender, few(request_of_many)) == 2


def test_a_blender_that_cannot_start_says_why(fresh_blender: Blender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Room, "command", lambda *_: [sys.executable, "-S", "-m", "blender_worker.of_no_such_name"])

    with pytest.raises(BlenderStartError, match=r"does not start \(exit code 1\). `farm doctor` tells") as caught:
        fresh_blender.start()

    assert "No module named blender_worker.of_no_such_name" in caught.value.log
    monkeypatch.undo()
    fresh_blender.start()


def test_no_thread_and_no_descriptor_stays_behind(fresh_blender: Blender, request_of_many: pipe.Render) -> None:
    def held() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    before = held()
    for _ in range(2):
        assert draws(fresh_blender, few(request_of_many)) == 2
        fresh_blender.stop()

    assert held() == before
