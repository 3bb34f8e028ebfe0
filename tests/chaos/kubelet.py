"""Ends a worker as the kubelet ends its pod: the preStop hook of the chart, then SIGTERM to the main process, then SIGKILL to
all of it when the grace is over, the hook's time included.
"""

import os
import signal
import subprocess
import sys
import time

from tests.chaos.farm import Farm, RunningWorker
from tests.chaos.processes import gone, signal_all

_LAST_SECONDS = 2.0
"""That a container has after SIGTERM even where its hook took all of the grace."""


def drain(farm: Farm, worker: RunningWorker, seconds: float) -> subprocess.Popen[bytes]:
    """Begin the preStop hook in the worker's container."""
    command = [sys.executable, "-m", "farm", "drain", "--timeout", str(seconds)]
    return subprocess.Popen(command, env={**os.environ, **farm.environment, **worker.environment})


def end_pod(farm: Farm, name: str, drain_seconds: float, grace_seconds: float) -> bool:
    """End the worker `name`; whether it had to be killed."""
    worker = farm.workers.pop(name)
    tree, over = worker.tree, time.monotonic() + grace_seconds
    hook = drain(farm, worker, drain_seconds)
    try:
        hook.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        hook.kill()
        hook.wait()
    worker.process.terminate()
    try:
        worker.process.wait(max(_LAST_SECONDS, over - time.monotonic()))
        killed = False
    except subprocess.TimeoutExpired:
        signal_all([*tree, *worker.tree], signal.SIGKILL)
        worker.process.wait()
        killed = True
    gone(tree)
    return killed
