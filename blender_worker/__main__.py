"""The child process: ``python -m blender_worker IN OUT`` reads commands from descriptor IN and answers on OUT.

Blender writes to descriptor 1 from C, so the pipe has descriptors of its own.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """Have the kernel kill this process when the worker dies, however it dies: nobody would read the pictures."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)  # it died before the call


if __name__ == "__main__":
    _die_with_parent()
    # Ctrl-C in a terminal reaches the whole process group; the worker decides when Blender ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from blender_worker.session import serve  # imports bpy, which takes a second and starts threads

    serve(int(sys.argv[1]), int(sys.argv[2]))
