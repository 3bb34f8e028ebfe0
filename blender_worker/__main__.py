"""The child process: ``python -m blender_worker IN OUT HOME MODEL SHADERS MEMORY``.

It reads commands from descriptor IN and answers on OUT, and opens nothing outside those folders and its program's. Blender
writes to descriptor 1 from C, so the pipe has descriptors of its own.
"""

import signal
import sys
from pathlib import Path

from blender_worker.bare import spare
from blender_worker.confined import confine_blender
from farm.process import die_with_parent
from farm.starting import importing

if __name__ == "__main__":
    die_with_parent()  # nobody would read the pictures
    # Ctrl-C in a terminal reaches the whole process group; the worker decides when Blender ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    home, model, shaders = map(Path, sys.argv[3:6])
    lacking = confine_blender(home, model, shaders, int(sys.argv[6]))
    die_with_parent()  # again: the kernel forgets it when a process changes what it may do
    spare()
    with importing():
        from blender_worker.session import serve  # imports bpy, which takes half a second and starts threads

    serve(int(sys.argv[1]), int(sys.argv[2]), lacking)
