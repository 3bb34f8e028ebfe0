"""A confined process tries to get out: it may open what it was given, and nothing of anybody else's.

What the kernel at hand does not have is not asked for; `holding` says what it has.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from farm.confinement.confine import CALLS, FILES, LIMITS, MEASURES, NETWORK, PRIVILEGES

CANARY = "canary-3f9a1c"
_CONFINED = """
import json, os, resource, signal, socket, subprocess, sys, threading
from pathlib import Path
from farm.confinement import places
from farm.confinement.confine import Limits, confine
from farm.confinement.landlock import Access

room = Path(sys.argv[1])
PARENT = os.getppid()
paths = places.program("farm") | {room / "own": Access.WRITE, room / "model": Access.READ}
lacking = confine(paths, Limits(2**30, 600, 2**20, 64), places.PINNED)
"""

_BARE = """
import json, sys
from pathlib import Path
from farm.confinement import places, seccomp
from farm.confinement.confine import Limits, confine
from farm.confinement.kernel import control
from farm.confinement.landlock import Access

control(38, 1)
seccomp._REFUSED = {"unshare": (272, 97), "landlock_create_ruleset": (444, 444)}
seccomp._TO_ITSELF, seccomp._CLONE, seccomp._CLONE3 = {}, (9999, 9999), 9999
seccomp.restrict()
own = Path(sys.argv[1], "own")
lacking = confine(places.program("farm") | {own: Access.WRITE}, Limits(2**30, 600, 2**20, 64), places.PINNED)
(own / "bare").write_text("x")
print(json.dumps({"lacking": lacking, "written": (own / "bare").read_text()}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("confined")
    for name in ("own", "model", "others"):
        (made / name).mkdir()
    (made / "model" / "file").write_text("a model")
    (made / "others" / "secret").write_text(CANARY)
    (made / "others" / "secret").chmod(0o600)
    (made / "model" / "link").symlink_to(made / "others" / "secret")
    return made


def run(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _CONFINED + dedent(code), str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "CANARY": CANARY, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.fixture(scope="module")
def lacking(folder: Path) -> dict[str, str]:
    ended = run(folder, "print(json.dumps(lacking))")
    assert ended.returncode == 0, ended.stderr
    found: dict[str, str] = json.loads(ended.stdout)
    return found


def test_every_measure_is_told_and_what_needs_no_kernel_of_today_holds(lacking: dict[str, str]) -> None:
    assert tuple(lacking) == MEASURES
    assert lacking[LIMITS] == lacking[PRIVILEGES] == ""


@pytest.mark.parametrize(
    ("measure", "code", "refusal"),
    [
        (FILES, "print((room / 'others' / 'secret').read_text())", "PermissionError"),
        (FILES, "print((room / 'model' / 'link').read_text())", "PermissionError"),
        (FILES, "print((room / 'model' / '..' / 'others' / 'secret').read_text())", "PermissionError"),
        (FILES, "os.link(room / 'others' / 'secret', room / 'own' / 'hard'); print('linked')", "Error"),
        (FILES, "os.rename(room / 'others' / 'secret', room / 'own' / 'moved'); print('moved')", "Error"),
        (FILES, "print(os.listdir(room / 'others'))", "PermissionError"),
        (FILES, "print(Path(f'/proc/{PARENT}/environ').read_bytes())", "PermissionError"),
        (FILES, "print(Path(f'/proc/{PARENT}/mem').open('rb').read(1))", "PermissionError"),
        (FILES, "print(Path('/etc/passwd').read_text())", "PermissionError"),
        (FILES, "(room / 'others' / 'new').write_text('x')", "PermissionError"),
        (FILES, "(room / 'model' / 'file').write_text('x')", "PermissionError"),
        (FILES, "(room / 'own' / 'device').symlink_to('/etc/passwd')", "PermissionError"),
        (CALLS, "socket.create_connection(('127.0.0.1', int(sys.argv[2])), 5)", "PermissionError"),
        (CALLS, "socket.socket(socket.AF_UNIX)", "PermissionError"),
        (CALLS, "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", "PermissionError"),
        (CALLS, "os.execv('/bin/sh', ['sh', '-c', 'echo out'])", "PermissionError"),
        (CALLS, "subprocess.run(['/bin/echo', 'out'])", "Error"),
        (CALLS, "os.fork(); print('forked')", "PermissionError"),
        (CALLS, "os.kill(PARENT, signal.SIGTERM); print('killed')", "PermissionError"),
        (CALLS, "os.unshare(os.CLONE_NEWUSER)", "PermissionError"),
        (CALLS, "os.chmod(room / 'others' / 'secret', 0o4755); print('open')", "PermissionError"),
        (CALLS, "os.chmod(room / 'others', 0o777, follow_symlinks=True); print('open')", "PermissionError"),
        (CALLS, "os.chmod('others', 0o777, dir_fd=os.open(room, os.O_PATH)); print('open')", "PermissionError"),
        (CALLS, "os.chown(room / 'others' / 'secret', 12345, 12345); print('given')", "PermissionError"),
        (CALLS, "os.utime(room / 'others' / 'secret', (1, 1)); print('old')", "PermissionError"),
        (CALLS, "os.setxattr(room / 'others' / 'secret', 'user.x', b'x'); print('marked')", "PermissionError"),
        (CALLS, "os.removexattr(room / 'others' / 'secret', 'user.x')", "PermissionError"),
        (CALLS, "resource.prlimit(PARENT, resource.RLIMIT_CPU, (1, 1)); print('ended')", "PermissionError"),
        (CALLS, "resource.prlimit(PARENT, resource.RLIMIT_CPU)", "PermissionError"),
        (CALLS, "os.setpriority(os.PRIO_PROCESS, PARENT, 19); print('slow')", "PermissionError"),
        (LIMITS, "held = bytearray(2 * 2**30); print('held')", "MemoryError"),
        (LIMITS, "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); (room / 'own' / 'f').write_bytes(bytes(2**21))", "large"),
        (LIMITS, "held = [open(room / 'model' / 'file') for _ in range(100)]", "Too many open files"),
        (LIMITS, "resource.setrlimit(resource.RLIMIT_DATA, (2**40, 2**40)); print('raised')", "Error"),
        (PRIVILEGES, "os.setuid(12345); os.seteuid(0); print('root again')", "Error"),
    ],
)  # fmt: skip
def test_it_is_refused(folder: Path, lacking: dict[str, str], measure: str, code: str, refusal: str) -> None:
    if lacking[measure]:
        pytest.skip(f"this kernel has no '{measure}': {lacking[measure]}")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = run(folder, code, str(listener.getsockname()[1]))

    assert ended.returncode != 0
    assert refusal in ended.stderr.strip().rpartition("\n")[2]
    assert ended.stdout == ""
    assert (folder / "others" / "secret").read_text() == CANARY
    assert CANARY not in ended.stdout + ended.stderr


def test_its_network_is_another_with_nobody_in_it(folder: Path, lacking: dict[str, str]) -> None:
    if lacking[NETWORK]:
        pytest.skip(f"this kernel has no '{NETWORK}': {lacking[NETWORK]}")

    ended = run(folder, "print(os.readlink('/proc/self/ns/net')); print(Path('/proc/self/net/dev').read_text())")

    network, _, devices = ended.stdout.partition("\n")
    assert network.startswith("net:")
    assert network != str(Path("/proc/self/ns/net").readlink())
    assert [line.split(":")[0].strip() for line in devices.splitlines()[2:] if line] == ["lo"]


def test_what_it_was_given_works(folder: Path) -> None:
    ended = run(
        folder,
        """
        (room / "own" / "made").mkdir()
        (room / "own" / "made" / "a").write_text("x")
        (room / "own" / "made" / "a").rename(room / "own" / "b")
        (room / "own" / "b").unlink()
        (room / "own" / "made").rmdir()
        thread = threading.Thread(target=lambda: print((room / "model" / "file").read_text()))
        thread.start()
        thread.join()
        import decimal, numpy  # libraries and modules that nobody had loaded
        os.kill(os.getpid(), 0)
        print(Path("/proc/self/status").read_text().partition("NoNewPrivs:")[2][:3].strip())
        """,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "a model\n1\n", "")


def test_a_kernel_that_refuses_all_is_told_and_the_program_goes_on(folder: Path) -> None:
    # GIVEN a filter around it that knows neither namespaces nor Landlock, as an old container runtime's
    ended = subprocess.run(
        [sys.executable, "-c", dedent(_BARE), str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["lacking"][LIMITS] == found["lacking"][PRIVILEGES] == ""
    assert "namespaces" in found["lacking"][NETWORK]
    assert "not permitted" in found["lacking"][FILES]
    assert found["written"] == "x"
