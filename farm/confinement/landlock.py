"""Landlock: which files a process may open, whatever its user may. Source: landlock(7), linux/landlock.h.

A right that the kernel at hand does not know is left out, so older kernels hold less; `abi` says how much.
"""

import contextlib
import ctypes
import os
import stat
import struct
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path

from farm.confinement.kernel import call

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # on every machine
_VERSION = 1
_BENEATH = 1
_EXECUTE, _WRITE, _READ, _LIST = (1 << bit for bit in range(4))
_REMOVE_FOLDER, _REMOVE_FILE, _MAKE_FOLDER, _MAKE_FILE = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_KNOWN = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""By version: how many rights there are, from the first bit on."""
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
_CONNECT_AND_BIND, _SIGNALS_AND_SOCKETS = 0b11, 0b11


class Access(Enum):
    """What is allowed of a path and all below it."""

    LIST = _LIST
    """Names, no contents."""
    READ = _READ | _LIST
    WRITE = _READ | _LIST | _WRITE | _TRUNCATE | _REMOVE_FOLDER | _REMOVE_FILE | _MAKE_FOLDER | _MAKE_FILE | _REFER
    """Read, write, make and remove plain files and folders."""
    DEVICE = _READ | _LIST | _WRITE | _IOCTL


def abi() -> int:
    """The version that the kernel has. Raises OSError when it has none, or has it switched off."""
    return call(_CREATE, None, 0, _VERSION)


def restrict(allowed: Mapping[Path, Access], pinned: Iterable[Path] = ()) -> int:
    """From here on this process opens nothing but `allowed`; what is open stays so. The kernel's version.

    Paths that do not exist are passed over. Where the kernel knows how (version 4 and 6), TCP, signals to others and
    abstract sockets go, too. `pinned`: those of `allowed` in /proc, whose rules hold only while they are held open.
    Raises OSError when the kernel refuses; nothing is restricted then. Needs `no_new_privileges` before.
    """
    version = abi()
    rights = (1 << _KNOWN[min(version, 5)]) - 1
    network = _CONNECT_AND_BIND if version >= 4 else 0
    scoped = _SIGNALS_AND_SOCKETS if version >= 6 else 0
    attributes = struct.pack("=QQQ", rights, network, scoped)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = call(_CREATE, ctypes.c_char_p(attributes), len(attributes), 0)
    kept = set(pinned)
    try:
        for path, access in allowed.items():
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                _allow(ruleset, path, access.value & rights, path in kept)
        call(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)
    return version


def _allow(ruleset: int, path: Path, rights: int, keep: bool) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= _OF_FILES
        if rights:
            call(_ADD, ruleset, _BENEATH, ctypes.c_char_p(struct.pack("=Qi", rights, handle)), 0)
    finally:
        if not keep:
            os.close(handle)
