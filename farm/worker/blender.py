"""Supervises one Blender process.

Blender cannot be stopped from within (it swallows exceptions in a draw), it grows, it can crash. So it lives in a
process of its own, in a process group of its own; whatever goes wrong, the group is killed and the next model gets a
fresh one.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from farm import pipe
from farm.errors import BlenderDiedError, ModelError, NoNeckBoneError, RenderError, ServiceError
from farm.labels import ARRAYS, LabelName
from farm.spec import CanvasName

START_SECONDS = 120.0
LOAD_SECONDS = 300.0
STALL_SECONDS = 60.0
"""A shot of our own canvas takes milliseconds; a Blender silent for this long hangs."""
_PATIENCE = {CanvasName.FORWARD: 0.0, CanvasName.EEVEE: 30.0, CanvasName.FINAL: 60.0}
"""Seconds more for each style of a 256-pixel picture: in software OpenGL, Eevee takes seconds and compiles for more."""
MODELS_PER_PROCESS = 50
MEMORY_LIMIT = 6 * 2**30
"""Bytes of resident memory above which Blender is replaced after the present model."""
_LOG_TAIL = 4000
_SOFTWARE = re.compile("llvmpipe|softpipe|swrast|software", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One shot as it came from Blender."""

    shot: int
    pictures: NDArray[np.uint8]
    """(styles, size, size, 4), sRGB, straight alpha."""
    labels: dict[LabelName, NDArray[Any]]
    """The asked-for labels that are arrays; `farm.labels.ARRAYS` has their shapes."""
    marks: pipe.Marks | None
    """Landmarks, boxes and camera, if asked for."""
    seconds: dict[str, float]
    """By stage."""


def stall_seconds(request: pipe.Render) -> float:
    """How long Blender may be silent while it draws `request`."""
    return STALL_SECONDS + _PATIENCE[request.canvas] * len(request.styles) * max(1.0, (request.size / 256) ** 2)


def is_software(renderer: str) -> bool:
    """Whether an OpenGL renderer of this name runs on the CPU."""
    return bool(_SOFTWARE.search(renderer))


class Blender:
    """One Blender process, started when first needed and replaced when it is worn or dead."""

    def __init__(self, require_gpu: bool = False) -> None:
        self._require_gpu = require_gpu
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._commands = self._answers = -1
        self._models = 0
        self._greeted = False
        self.renderer = ""
        """Name of the OpenGL renderer, once started."""
        self.version = ""
        """Blender's version, once started."""

    def launch(self) -> None:
        """Start Blender if none runs, without waiting until it is ready: that takes it seconds."""
        if self._process is not None:
            return
        command_read, self._commands = pipe.create()
        self._answers, answer_write = pipe.create()
        self._log = tempfile.TemporaryFile(prefix="farm-blender-log-")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "blender_worker", str(command_read), str(answer_write)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=(command_read, answer_write),
            start_new_session=True,
        )
        os.close(command_read)
        os.close(answer_write)
        self._models = 0
        self._greeted = False

    def start(self) -> None:
        """Have a Blender that is ready. Raises ServiceError when it cannot start or draws on the wrong device."""
        self.launch()
        if self._greeted:
            return
        try:
            message, _ = pipe.receive(self._answers, START_SECONDS)
        except (pipe.Closed, pipe.Silent) as error:
            tail = self.log_tail()
            self.stop()
            raise ServiceError(
                "Blender does not start. `farm doctor` tells which library or driver is missing. Its last words:\n"
                + tail
            ) from error
        if not isinstance(message, pipe.Ready):
            self.stop()
            raise ServiceError("Blender answered out of turn at start; the worker and blender_worker do not match.")
        self.renderer, self.version, self._greeted = message.renderer, message.blender, True
        if self._require_gpu and is_software(self.renderer):
            self.stop()
            raise ServiceError(
                f"A GPU is required (FARM_REQUIRE_GPU=1), but OpenGL runs on '{self.renderer}'. In a container set "
                "NVIDIA_DRIVER_CAPABILITIES=graphics,utility and give the pod a GPU; `farm doctor` shows what is seen."
            )

    def draw(self, request: pipe.Render, on_loaded: Callable[[pipe.Loaded], None]) -> Generator[Drawn]:
        """Draw the request's shots, in order, calling `on_loaded` once before the first.

        Raises ModelError or RenderError when the model is at fault, BlenderDiedError when Blender is. Closed before its
        end, it stops Blender, which would still be drawing.
        """
        self.start()
        ended = False
        try:
            pipe.send(self._commands, request)
            limit = LOAD_SECONDS
            while True:
                message, payload = pipe.receive(self._answers, limit)
                limit = stall_seconds(request)
                match message:
                    case pipe.Loaded():
                        on_loaded(message)
                    case pipe.Pictures():
                        yield _drawn(request, message, payload)
                    case pipe.Finished():
                        ended = True
                        break
                    case pipe.Failed(code=code, message=text):
                        ended = True
                        raise _error_of(code)(text)
                    case _:
                        raise pipe.Closed
        except pipe.Silent as error:
            tail = self.log_tail()
            self.stop()
            raise BlenderDiedError(
                f"Blender said nothing for {limit:.0f} s and was killed. Its last words:\n{tail}"
            ) from error
        except pipe.Closed as error:
            code = self._exit_code()
            tail = self.log_tail()
            self.stop()
            raise BlenderDiedError(f"Blender ended ({code}) while drawing. Its last words:\n{tail}") from error
        finally:
            if ended:
                self._recycle()
            else:
                self.stop()

    def stop(self) -> None:
        """Kill Blender's process group and wait until it is gone; may be called at any time."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(self._commands)
        os.close(self._answers)
        if self._log is not None:
            self._log.close()
            self._log = None

    def log_tail(self) -> str:
        """The end of what Blender printed, without the harmless EGL lines of its start."""
        if self._log is None:
            return ""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_TAIL))
        lines = self._log.read().decode(errors="replace").splitlines()
        return "\n".join(line for line in lines if "EGL_BAD_MATCH" not in line)

    def _exit_code(self) -> str:
        if self._process is None:
            return "not running"
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "still running, its pipe closed"
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def _recycle(self) -> None:
        """End a worn process: Blender's memory grows with every model."""
        self._models += 1
        if self._models >= MODELS_PER_PROCESS or self._resident() > MEMORY_LIMIT:
            self.stop()

    def _resident(self) -> int:
        if self._process is None:
            return 0
        try:
            with open(f"/proc/{self._process.pid}/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            return 0


def _drawn(request: pipe.Render, message: pipe.Pictures, payload: bytearray) -> Drawn:
    """The arrays of one shot, views into `payload`. Raises Closed when it has another length than asked for."""
    shape = (len(request.styles), request.size, request.size, 4)
    end = int(np.prod(shape))
    pictures = np.frombuffer(payload, np.uint8, end)
    labels: dict[LabelName, NDArray[Any]] = {}
    places = {name: array for name, array in ARRAYS.items() if name in request.labels}
    if len(payload) != end + sum(
        int(np.prod(array.shape(request.size))) * np.dtype(array.dtype).itemsize for array in places.values()
    ):
        raise pipe.Closed
    for name, array in places.items():
        count = int(np.prod(array.shape(request.size)))
        labels[name] = np.frombuffer(payload, array.dtype, count, end).reshape(array.shape(request.size))
        end += labels[name].nbytes
    return Drawn(message.shot, pictures.reshape(shape), labels, message.marks, message.seconds)


def _error_of(code: str) -> type[RenderError] | type[ModelError]:
    return next((kind for kind in (NoNeckBoneError, ModelError) if kind.code == code), RenderError)
