"""Real servers for tests: started on free ports of the loopback interface, ended with the test run."""

import http.client
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from farm.environment import for_server
from farm.process import signal_group, spawn
from farm.stack import free_port
from farm.valkey import redis_answers, valkey_command
from tests.support.nursery import Begun, nursery

ACCESS_KEY, SECRET_KEY = "test-access-key", "test-secret-key"
PATIENCE_SECONDS = 120.0
"""How long a test waits for what is going to happen, many times what it takes: on a busy machine all takes longer, and
nothing that a farm promises may depend on an idle one."""


def wait_until(done: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Poll `done` until it is true; AssertionError naming `what` after `seconds`.

    What takes long is looked at less often: up to five times a second, since each look takes time from what it waits for.
    """
    begun = time.monotonic()
    while not done():
        waited = time.monotonic() - begun
        assert waited < seconds, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(min(max(0.05, waited / 20), 0.2))


def asked(url: str, seconds: float = 5) -> tuple[int, str] | None:
    """Status and text of a GET over plain HTTP; None when nobody answers within `seconds`.

    For what is asked again and again: for each request by itself httpx reads the certificates of all authorities, which
    takes more of a core than a server that starts.
    """
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=seconds)
    try:
        connection.request("GET", f"{place.path or '/'}{'?' + place.query if place.query else ''}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def end(process: subprocess.Popen[bytes] | Begun, how: signal.Signals = signal.SIGKILL) -> None:
    """End a process and its group, and wait for it."""
    signal_group(process, how)
    process.wait(PATIENCE_SECONDS)


@contextmanager
def redis_server(folder: Path, command: list[str] | None = None) -> Iterator[str]:
    """A Valkey (or, by `command`, another Redis) server; its URL."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder), "--databases", "64"]
    process = spawn([*(command or valkey_command()), *options], folder / "server.log")
    try:
        url = f"redis://127.0.0.1:{port}/0"
        wait_until(lambda: redis_answers(port), "Redis answering")
        yield url
    finally:
        end(process)


@dataclass(frozen=True)
class S3Server:
    """A running S3 server."""

    endpoint: str
    tls_endpoint: str
    """The same server over TLS, with a certificate that it signed itself."""
    ca_file: Path
    """That certificate."""
    admin: Callable[..., None]
    """Runs ``radosgw-admin`` with these arguments."""

    def environment(self, bucket: str, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY) -> dict[str, str]:
        """The FARM_ variables for a bucket of it, and one of its users."""
        return {
            "FARM_STORAGE_URL": f"s3://{bucket}",
            "FARM_S3_ENDPOINT": self.endpoint,
            "FARM_S3_ACCESS_KEY": access_key,
            "FARM_S3_SECRET_KEY": secret_key,
        }

    def add_user(self, name: str) -> None:
        """A user who may do nothing yet; name and keys are one."""
        self.admin(
            "user", "create", "--uid", name, "--display-name", name, "--access-key", name, "--secret-key", name
        )  # fmt: skip


def has_radosgw() -> bool:
    """Whether the Ceph object gateway is installed."""
    return all(shutil.which(program) for program in ("radosgw", "ceph-mon", "ceph-osd", "radosgw-admin"))


_CEPH_CONF = """
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon_port}
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
osd crush chooseleaf type = 0
osd crush update on start = false
osd class update on start = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr2 = false
run dir = {folder}
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
log file = {folder}/$name.log
mon data = {folder}/mon
mon data avail crit = 1
osd data = {folder}/osd
osd class dir = {classes}
osd objectstore = memstore
memstore device bytes = 2G
osd max object name len = 256
osd max object namespace len = 64
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{s3_port} tcp_nodelay=1 {tls}
{more}
rgw data = {folder}/rgw
rgw dynamic resharding = false
"""


@contextmanager
def radosgw(folder: Path, more: str = "") -> Iterator[S3Server]:
    """Ceph's S3 gateway on a one-node cluster in memory; `more` are further lines of its configuration.

    Where a cluster does not come up, as on a machine that is very busy, a new one is tried.
    """
    tries = 4
    for number in range(tries):
        with ExitStack() as stack:
            try:
                server = stack.enter_context(_radosgw_once(folder / str(number), more))
            except (AssertionError, subprocess.SubprocessError):
                if number == tries - 1:
                    raise
                continue
            yield server
            return


@contextmanager
def _radosgw_once(folder: Path, more: str) -> Iterator[S3Server]:
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir(parents=True)
    conf = folder / "ceph.conf"
    mon_port, s3_port, tls_port = free_port(), free_port(), free_port()
    tls = f"ssl_endpoint=127.0.0.1:{tls_port} ssl_certificate={folder}/tls.pem ssl_private_key={folder}/tls.key"
    fsid = str(uuid.uuid4())
    classes = next(Path("/usr/lib").glob("*/rados-classes"))  # Debian 13's Ceph looks for them relative to where it is
    conf.write_text(
        _CEPH_CONF.format(
            fsid=fsid, folder=folder, mon_port=mon_port, s3_port=s3_port, tls=tls, classes=classes, more=more
        )
    )
    log = folder / "commands.log"
    processes: list[subprocess.Popen[bytes]] = []

    def run(*command: str) -> None:
        with log.open("ab") as sink:
            subprocess.run(command, stdout=sink, stderr=sink, check=True, timeout=PATIENCE_SECONDS)

    def says(word: str, *command: str) -> bool:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
        return answer.returncode == 0 and word in answer.stdout

    try:
        certificate = folder / "tls.pem"
        run(
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=s3.example",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "tls.key"), "-out", str(certificate),
        )  # fmt: skip
        monmap = str(folder / "monmap")
        run("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", f"[v1:127.0.0.1:{mon_port}]", monmap)
        run("ceph-mon", "-c", str(conf), "--mkfs", "-i", "a", "--monmap", monmap)
        processes.append(spawn(["ceph-mon", "-f", "-c", str(conf), "-i", "a"], log))
        osd = str(uuid.uuid4())
        ceph = ["ceph", "-c", str(conf)]
        wait_until(lambda: says("quorum", *ceph, "--connect-timeout", "5", "mon", "stat"), "the monitor answering")
        run(*ceph, "osd", "new", osd)
        # A disk that says itself where it stands may be refused ("wrong fsid"): it asks before it knows the cluster.
        run(*ceph, "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=tests")
        run("ceph-osd", "-c", str(conf), "-i", "0", "--mkfs", "--osd-uuid", osd)
        processes.append(spawn(["ceph-osd", "-f", "-c", str(conf), "-i", "0"], log))
        # The gateway makes its pools at start, and waits for ever when no disk is up by then.
        wait_until(lambda: says("1 up", *ceph, "osd", "stat"), "the disk coming up", 40)
        processes.append(spawn(["radosgw", "-f", "-c", str(conf), "-n", "client.rgw"], log))
        endpoint = f"http://127.0.0.1:{s3_port}"
        wait_until(lambda: asked(endpoint) is not None, "radosgw answering")
        run(
            "radosgw-admin", "-c", str(conf), "user", "create", "--uid", "lab", "--display-name", "lab",
            "--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY,
        )  # fmt: skip
        admin = partial(run, "radosgw-admin", "-c", str(conf))
        yield S3Server(endpoint, f"https://127.0.0.1:{tls_port}", certificate, admin)
    finally:
        for process in reversed(processes):
            end(process)


@dataclass
class Api:
    """A running API."""

    url: str
    process: subprocess.Popen[bytes] | Begun
    environment: dict[str, str]


@contextmanager
def api_server(folder: Path, environment: dict[str, str], from_nothing: bool = False) -> Iterator[Api]:
    """The real API in a process of its own: a fork of the nursery, or a program that begins `from_nothing`."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    arguments, log = ["api", "--port", str(port)], folder / "api.log"
    process: subprocess.Popen[bytes] | Begun
    if from_nothing:
        process = spawn([sys.executable, "-m", "farm", *arguments], log, environment)
    else:
        process = nursery().begin(arguments, {**for_server(), **environment}, log)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: asked(f"{url}/healthz") is not None, "the API answering")
        yield Api(url, process, environment)
    finally:
        end(process)


@contextmanager
def worker_process(
    folder: Path, environment: dict[str, str], concurrency: int = 1
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A real worker; its process and the URL of its metrics."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "farm", "worker", "--concurrency", str(concurrency), "--metrics-port", str(port)]
    process = spawn(command, folder / "worker.log", environment)
    try:
        yield process, f"http://127.0.0.1:{port}/metrics"
    finally:
        end(process)
