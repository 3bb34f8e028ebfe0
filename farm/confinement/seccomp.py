"""A filter of system calls: no program is started, no socket made, no other process touched, no file's rights changed.
Source: seccomp(2).

It holds where namespaces cannot be had, as in most containers.
"""

import ctypes
import errno
import os
import struct

from farm.confinement.kernel import MACHINE, control

_SET_SECCOMP, _FILTER = 22, 2
_ARCHITECTURES = (0xC000003E, 0xC00000B7)
_X32 = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_CLONE_THREAD = 0x10000

_REFUSED = {
    # to reach others
    "socket": (41, 198),
    "io_uring_setup": (425, 425),  # makes sockets without `socket`
    # to become or start another program
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    # to look into other processes, or end them
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    # to change rights, owners, times and attributes of files: Landlock looks at their contents alone
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    # parts of the kernel that drawing needs nothing of, and that attacks began with
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "open_by_handle_at": (304, 265),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "chroot": (161, 51),
}
"""Numbers on x86-64 and on 64-bit ARM."""
_CLONE, _CLONE3 = (56, 220), 435
_TO_ITSELF = {"kill": (62, 129), "tgkill": (234, 131)}
_LIMITS = (302, 261)
"""prlimit64: process 0 is whoever calls."""


def restrict() -> None:
    """Refuse these calls to this process, and all its threads to come. Raises OSError where the kernel has no filters.

    Needs `no_new_privileges` before.
    """
    if MACHINE < 0:
        raise OSError(f"no table of system calls for a {os.uname().machine}")
    program = _program()
    code = b"".join(program)
    buffer = ctypes.create_string_buffer(code)
    header = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    control(_SET_SECCOMP, _FILTER, ctypes.c_char_p(header))


def _program() -> list[bytes]:
    """The filter, in classic BPF: jumps count instructions behind the next one."""
    lines = [
        _line(_LOAD, _ARCHITECTURE_AT),
        _line(_EQUAL, _ARCHITECTURES[MACHINE], 1, 0),
        _line(_RETURN, _KILL),  # 32-bit calls have other numbers
        _line(_LOAD, _NUMBER_AT),
        _line(_AT_LEAST, _X32, 0, 1),
        _line(_RETURN, _ERROR | errno.ENOSYS),
        # Its flags lie in memory, where no filter looks; told that it is not there, the C library takes `clone`.
        *_on(_CLONE3, _line(_RETURN, _ERROR | errno.ENOSYS)),
        *_on(
            _CLONE[MACHINE],
            _line(_LOAD, _ARGUMENTS_AT),
            _line(_ANY_BIT, _CLONE_THREAD, 0, 1),
            _line(_RETURN, _ALLOW),
            _line(_RETURN, _ERROR | errno.EPERM),
        ),
    ]
    for own in _TO_ITSELF.values():
        lines += _on(
            own[MACHINE],
            _line(_LOAD, _ARGUMENTS_AT),
            _line(_EQUAL, os.getpid(), 0, 1),
            _line(_RETURN, _ALLOW),
            _line(_RETURN, _ERROR | errno.EPERM),
        )
    lines += _on(
        _LIMITS[MACHINE],
        _line(_LOAD, _ARGUMENTS_AT),
        _line(_EQUAL, 0, 0, 1),
        _line(_RETURN, _ALLOW),
        _line(_RETURN, _ERROR | errno.EPERM),
    )
    for numbers in _REFUSED.values():
        number = numbers[MACHINE]
        if number is not None:
            lines += _on(number, _line(_RETURN, _ERROR | errno.EPERM))
    return [*lines, _line(_RETURN, _ALLOW)]


def _on(number: int, *then: bytes) -> list[bytes]:
    """`then`, which ends in a return, for the call of this number."""
    return [_line(_EQUAL, number, 0, len(then)), *then]


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
