"""Forked servers: nothing of the command's is theirs but what it imported."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from farm.forking import may_fork
from tests.support.servers import wait_until

SETTLED = """
import json, os, signal, sys, tempfile, time
from pathlib import Path
from farm import environment
from farm.forking import fork, may_fork
from farm.process import die_with_parent, exit_code, signal_group
environment.settle()

def started(program, *arguments, kept=()):
    variables = {"TMPDIR": sys.argv[2], "FARM_WORKER_NAME": "w"}
    return fork(program, arguments, Path(sys.argv[1]), variables, 0o077, die_with_parent, kept)
"""
LOOKS = (
    SETTLED
    + """
def stop(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGUSR1, stop)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
held, tempdir = open("/dev/zero"), tempfile.gettempdir()
sys.stdout.write("of the command,")

def look(arguments):
    json.dump({
        "arguments": list(arguments), "argv": sys.argv[1:], "again": sys.orig_argv[1:],
        "variables": dict(os.environ), "temporary": tempfile.gettempdir(),
        "descriptors": {name: os.readlink(f"/proc/self/fd/{name}") for name in "012"},
        "open": [int(name) for name in os.listdir("/proc/self/fd")],
        "alone": os.getsid(0) == os.getpgid(0) == os.getpid(), "umask": os.umask(0),
        "term": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
        "usr1": signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL,
        "int": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "hup": signal.getsignal(signal.SIGHUP) == signal.SIG_IGN,
        "blocked": list(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    }, sys.stdout)
    print("\\u521d\\u97f3", file=sys.stderr)

child = started(look, "api", "--port", "7")
code = child.wait()
print("once", code, held.fileno() in map(int, os.listdir("/proc/self/fd")), signal.getsignal(signal.SIGTERM) is stop,
      tempfile.gettempdir() == tempdir, list(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
"""
)
ENDS = (
    SETTLED
    + """
def leave(arguments):
    raise SystemExit(int(arguments[0]))

def stumble(arguments):
    raise ValueError("a stone")

def stay(arguments):
    print("stays", flush=True)
    time.sleep(600)

print(started(leave, "0").wait(), started(leave, "3").wait(), started(stumble).wait(), flush=True)
child = started(stay)
while "stays" not in Path(sys.argv[1]).read_text():
    time.sleep(0.01)
before = exit_code(child)
child.terminate()
while exit_code(child) is None:
    time.sleep(0.01)
signal_group(child, signal.SIGKILL)
print(before, exit_code(child), child.returncode, child.wait(), flush=True)
print(started(stay).pid, flush=True)
time.sleep(600)
"""
)
KEEPS = (
    SETTLED
    + """
import subprocess
from farm.forking import Inherited

def look(arguments):
    print(sorted(map(int, os.listdir("/proc/self/fd"))), os.read(int(arguments[1]), 9), flush=True)
    os.close(int(arguments[0]))
    print(os.read(int(arguments[1]), 9), flush=True)

reading, writing = os.pipe()
lost = os.pipe()
os.dup2(reading, 20, inheritable=False)
os.write(writing, b"of ours")
child = started(look, str(writing), "20", kept=(20, writing))
os.close(writing)
child.wait()
print(Path(sys.argv[1]).read_text(), end="", flush=True)

def watch(arguments):
    for pid in map(int, arguments):
        process = Inherited(pid)
        before = exit_code(process)
        print(before, flush=True)
        os.kill(pid, signal.SIGUSR1)
        print(process.wait(), exit_code(process), process.returncode, flush=True)

waits = "import signal, sys; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(7)); print(flush=True); signal.pause()"
dies = "print(flush=True); import signal; signal.pause()"
commands = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for code in (waits, dies)]
for each in commands:
    each.stdout.readline()
Path(sys.argv[1]).unlink()
started(watch, *(str(each.pid) for each in commands)).wait()
print(Path(sys.argv[1]).read_text(), end="", flush=True)
print(*(each.wait() for each in commands))
"""
)
THREAD = """
import threading
print(may_fork())
threading.Thread(target=time.sleep, args=[60], daemon=True).start()
print(may_fork())
"""


def python(code: str, log: Path, temporary: Path) -> "subprocess.Popen[str]":
    temporary.mkdir(exist_ok=True)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "FARM_API_KEY": "of the command"}
    command = [sys.executable, "-c", code, str(log), str(temporary)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_a_fork_has_what_a_program_started_anew_has_and_nothing_of_the_commands(tmp_path: Path) -> None:
    log, temporary = tmp_path / "log", tmp_path / "temporary"

    said, _ = python(LOOKS, log, temporary).communicate(timeout=60)

    words = log.read_text()
    seen: dict[str, Any] = json.loads(words[words.index("{") : words.rindex("}") + 1])
    assert said == "of the command,once 0 True True True []\n"
    assert "初音" in words
    assert "of the command" not in words
    assert sorted(seen.pop("open")) == [0, 1, 2, 3]  # the last is the list's own
    assert seen == {
        "arguments": ["api", "--port", "7"],
        "argv": ["api", "--port", "7"],
        "again": ["-P", "-m", "farm", "api", "--port", "7"],
        "variables": {"TMPDIR": str(temporary), "FARM_WORKER_NAME": "w"},
        "temporary": str(temporary),
        "descriptors": {"0": "/dev/null", "1": str(log), "2": str(log)},
        "alone": True,
        "umask": 0o077,
        "term": True,
        "usr1": True,
        "int": True,
        "hup": True,
        "blocked": [],
    }
    assert oct(log.stat().st_mode & 0o777) == "0o600"


def test_how_a_fork_ends_is_known_and_it_dies_with_the_command(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = python(ENDS, log, tmp_path / "temporary")
    assert command.stdout is not None

    assert command.stdout.readline() == "0 3 1\n"
    assert "ValueError: a stone" in log.read_text()
    term = -signal.SIGTERM
    assert command.stdout.readline() == f"None {term} None {term}\n"

    fork = int(command.stdout.readline())
    assert Path(f"/proc/{fork}").exists()
    command.kill()
    command.communicate()
    wait_until(lambda: not runs(fork), "the fork's end")


def test_a_fork_keeps_the_descriptors_it_is_given_and_sees_how_what_the_command_started_ends(tmp_path: Path) -> None:
    said, _ = python(KEEPS, tmp_path / "log", tmp_path / "temporary").communicate(timeout=60)

    usr1 = -signal.SIGUSR1
    assert said.splitlines() == [
        "[0, 1, 2, 3, 4, 20] b'of ours'",  # the third is the list's own
        "b''",
        "None",
        "7 7 7",
        "None",
        f"{usr1} {usr1} {usr1}",
        f"7 {usr1}",
    ]


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_only_a_command_of_the_farms_own_with_one_thread_is_forked(
    tmp_path: Path,
) -> None:
    said, _ = python(SETTLED + THREAD, tmp_path / "log", tmp_path / "temporary").communicate(timeout=60)

    assert said == "True\nFalse\n"
    assert not may_fork()  # this process is pytest's
