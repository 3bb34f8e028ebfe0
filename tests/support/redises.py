"""Redis servers as people run them: with users, over sockets and TLS, behind Sentinels, as a cluster."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from farm.process import spawn
from farm.stack import free_port
from tests.support.servers import end, wait_until

PASSWORD = "the-p@ss/word#1"
QUOTED = "the-p%40ss%2Fword%231"


def program() -> str:
    """The redis-server of this machine."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    return found


@contextmanager
def serving(folder: Path, port: int, *lines: str, sentinel: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """A Redis server, or a Sentinel, on `port` (0: none) whose configuration has these lines besides; its process."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "server.conf"
    own = () if sentinel else ('save ""', "repl-diskless-sync-delay 0")
    config.write_text("\n".join((f"port {port}", "bind 127.0.0.1", f"dir {folder}", *own, *lines)) + "\n")
    process = spawn([program(), str(config), *(["--sentinel"] if sentinel else [])], folder / "server.log")
    try:
        yield process
    finally:
        end(process)


def answers(client: Any) -> bool:
    """Whether a server is there."""
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False


@dataclass
class Watched:
    """A primary, its replica and three Sentinels."""

    url: str
    """For FARM_REDIS_URL."""
    sentinels: list[int]
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    """The servers, by port."""

    def primary(self) -> int:
        """The port of the server that the Sentinels name."""
        with redis.Redis(port=self.sentinels[0]) as client:
            return int(client.sentinel_get_master_addr_by_name("farm")[1])

    def fail_over(self) -> None:
        """As an operator, or a provider, does it: the primary becomes a replica and lives on."""
        before = self.primary()
        with redis.Redis(port=self.sentinels[0]) as client:
            wait_until(lambda: len(client.sentinel_slaves("farm")) == 1, "the Sentinels seeing the replica")
            client.execute_command("SENTINEL FAILOVER farm")
        wait_until(lambda: self.primary() != before, "another primary")


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """A Redis of two servers with a password, watched by three Sentinels that notice within two seconds."""
    ports, sentinels = [free_port(), free_port()], [free_port() for _ in range(3)]
    found = Watched(
        f"redis+sentinel://:{QUOTED}@" + ",".join(f"127.0.0.1:{port}" for port in sentinels) + "/farm/2", sentinels
    )
    secret = (f'requirepass "{PASSWORD}"', f'masterauth "{PASSWORD}"')
    with ExitStack() as stack:
        for port in ports:
            following = () if port == ports[0] else (f"replicaof 127.0.0.1 {ports[0]}",)
            found.processes[port] = stack.enter_context(serving(folder / str(port), port, *secret, *following))
        with redis.Redis(port=ports[0], password=PASSWORD) as client:
            wait_until(lambda: answers(client) and client.info("replication")["connected_slaves"] == 1, "the replica")
        for port in sentinels:
            lines = (
                f"sentinel monitor farm 127.0.0.1 {ports[0]} 2",
                f'sentinel auth-pass farm "{PASSWORD}"',
                "sentinel down-after-milliseconds farm 2000",
                "sentinel failover-timeout farm 10000",
            )
            stack.enter_context(serving(folder / str(port), port, *lines, sentinel=True))
        with redis.Redis(port=sentinels[0]) as client:
            wait_until(lambda: answers(client), "the Sentinel")
            wait_until(
                lambda: client.sentinel_masters()["farm"]["num-other-sentinels"] == 2,
                "the Sentinels knowing each other",
            )
        yield found


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that nobody signed but itself, and its key."""
    certificate, key = folder / "server.pem", folder / "server.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


GRANTED = "~* &* +@all -@admin -@dangerous -info -config -script -client"
"""As little as a careful provider grants: what `farm.jobs.refusals` recommends, and less."""

KINDS = (
    "a database, and a password of special characters",
    "a user without INFO, CONFIG, SCRIPT and CLIENT",
    "a socket",
    "TLS with its own CA",
    "TLS that nobody verifies",
)
"""Of addresses that people have for a Redis."""


@contextmanager
def redis_of(kind: str, folder: Path) -> Iterator[str]:
    """A server of one of `KINDS`; its address."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        port = free_port()
        plain = redis.Redis(port=port, password=PASSWORD)
        secret = f'requirepass "{PASSWORD}"'
        match kind:
            case "a database, and a password of special characters":
                stack.enter_context(serving(folder, port, secret))
                url = f"redis://:{QUOTED}@127.0.0.1:{port}/7"
            case "a user without INFO, CONFIG, SCRIPT and CLIENT":
                stack.enter_context(serving(folder, port, secret, f'user farm on ">{PASSWORD}" {GRANTED}'))
                url = f"redis://farm:{QUOTED}@127.0.0.1:{port}/0"
            case "a socket":
                path = folder / "s"
                stack.enter_context(serving(folder, port, secret, f"unixsocket {path}"))
                url = f"unix://:{QUOTED}@{path}?db=3"
            case _:
                certificate, key = self_signed(folder)
                tls = (f"tls-port {port}", f"tls-cert-file {certificate}", f"tls-key-file {key}",
                       f"tls-ca-cert-file {certificate}", "tls-auth-clients no")  # fmt: skip
                stack.enter_context(serving(folder, 0, secret, *tls))
                plain = redis.Redis(port=port, password=PASSWORD, ssl=True, ssl_cert_reqs="none")
                query = f"ssl_ca_certs={certificate}" if kind == "TLS with its own CA" else "ssl_cert_reqs=CERT_NONE"
                url = f"rediss://:{QUOTED}@127.0.0.1:{port}/1?{query}"
        stack.enter_context(plain)
        wait_until(lambda: answers(plain), "the server")
        yield url
