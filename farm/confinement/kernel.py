"""System calls that Python has no function for."""

import ctypes
import os
import platform
import sys

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
MACHINE = {"x86_64": 0, "aarch64": 1}.get(platform.machine(), -1)
"""The column of numbers that holds here, in tables of them; -1: none does."""


def call(number: int, *arguments: object) -> int:
    """syscall(2): its result. Raises OSError."""
    if _LIBC is None:
        raise OSError("only Linux has it")
    converted = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return _checked(_LIBC.syscall(ctypes.c_long(number), *converted))


def control(option: int, *arguments: object) -> int:
    """prctl(2): its result. Raises OSError."""
    if _LIBC is None:
        raise OSError("only Linux has it")
    given = (*arguments, *(0,) * (4 - len(arguments)))
    converted = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in given]
    return _checked(_LIBC.prctl(option, *converted))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
