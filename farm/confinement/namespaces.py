"""A network of its own, with nobody in it, and no capabilities. Source: user_namespaces(7)."""

import contextlib
import ctypes
import os
import struct
from pathlib import Path

from farm.confinement.kernel import MACHINE, call

_CAPSET = (126, 91)
_CAPABILITIES_VERSION = 0x20080522


def leave_network() -> None:
    """Move this process, which has one thread, to a network and to shared memory of its own. Raises OSError.

    Tried by a child first: where the kernel stops half-way (AppArmor does), this process would be nobody and could make
    no file.
    """
    child = os.fork()
    if not child:
        with contextlib.suppress(OSError):
            _leave()
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    if status:
        raise OSError("the kernel lets this user have no namespaces; containers often forbid them")
    _leave()


def _leave() -> None:
    user, group = os.geteuid(), os.getegid()
    os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET | os.CLONE_NEWIPC)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def drop_capabilities() -> None:
    """Be no more than any process of this user, root's included. Raises OSError."""
    if MACHINE < 0:
        raise OSError(f"no table of system calls for a {os.uname().machine}")
    header = ctypes.c_char_p(struct.pack("=Ii", _CAPABILITIES_VERSION, 0))
    call(_CAPSET[MACHINE], header, ctypes.c_char_p(bytes(24)))
