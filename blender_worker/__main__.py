"""The child process: ``python -m blender_worker IN OUT`` reads commands from descriptor IN and answers on OUT.

Blender writes to descriptor 1 from C, so the pipe has descriptors of its own.
"""

import signal
import sys

from farm.process import die_with_parent

if __name__ == "__main__":
    die_with_parent()  # nobody would read the pictures
    # Ctrl-C in a terminal reaches the whole process group; the worker decides when Blender ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from blender_worker.session import serve  # imports bpy, which takes a second and starts threads

    serve(int(sys.argv[1]), int(sys.argv[2]))
