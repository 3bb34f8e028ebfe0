"""Supervises one Blender process.

Blender cannot be stopped from within (it swallows exceptions in a draw), it grows, it can crash. So it lives in a
process of its own, in a process group of its own; whatever goes wrong, the group is killed and the next model gets a
fresh one.
"""

import os
import re
import signal
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm import metrics, pipe
from farm.drawing.log_tail import LAST_BREATH, LogTail
from farm.drawing.room import Room
from farm.drawing.running import Running, start_blender
from farm.errors import (
    BlenderDiedError,
    BlenderMemoryError,
    BlenderStartError,
    BlenderTimeoutError,
    FarmError,
    ModelError,
    MotionError,
    MotionFormatError,
    MotionTruncatedError,
    NoNeckBoneError,
    RenderError,
)
from farm.labels import ARRAYS, LabelName
from farm.marks import Marks
from farm.process import Process, exit_code, group_memory, signal_group
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
MOST_MEMORY = 12 * 2**30
_SOFTWARE = re.compile("llvmpipe|softpipe|swrast|software", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One shot as it came from Blender."""

    shot: int
    pictures: NDArray[np.uint8]
    """(styles, size, size, 4), sRGB, straight alpha."""
    labels: dict[LabelName, NDArray[Any]]
    """The asked-for labels that are arrays; `farm.labels.ARRAYS` has their shapes."""
    marks: Marks | None
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
    """One Blender process, started when first needed and replaced when it is worn or dead.

    It belongs to one thread. `interrupt` and `resident` may be called from any other.
    """

    def __init__(self, require_gpu: bool = False, memory: int = MOST_MEMORY, begun: Running | None = None) -> None:
        """`memory`: bytes that whoever supervises lets it have; the kernel refuses it twice as much. `begun` was started
        already, and is the first."""
        self._require_gpu = require_gpu
        self._memory = memory
        self._begun = begun
        self._guard = RLock()
        """Held to change the three below. A process is reaped only after it was taken out here, so that what another
        thread kills is never a stranger with its number."""
        self._process: Process | None = None
        self._working = False
        self._interruption: FarmError | None = None
        self._log: LogTail | None = None
        self._room: Room | None = None
        """Blender's folders: killed, it removes none itself."""
        self._commands = self._answers = -1
        self._models = 0
        self._greeted = False
        self.renderer = ""
        """Name of the OpenGL renderer, once started."""
        self.version = ""
        """Blender's version, once started."""
        self.lacking: dict[str, str] = {}
        """For each of `farm.confinement.confine.MEASURES`, once started, why it does not hold; empty: it does."""

    def launch(self) -> None:
        """Start Blender if none runs, without waiting until it is ready: that takes it seconds."""
        if self._process is not None:
            return
        begun, self._begun = self._begun or start_blender(2 * self._memory), None
        metrics.BLENDER_STARTS.inc()
        self._room, self._commands, self._answers = begun.room, begun.commands, begun.answers
        self._log = LogTail(begun.printed)
        self._models = 0
        self._greeted = False
        with self._guard:
            self._process = begun.process

    def start(self) -> None:
        """Have a Blender that is ready. Raises BlenderStartError when it cannot start or draws on the wrong device."""
        self._begin()
        try:
            self._greet()
        finally:
            interruption = self._end()
            if interruption is not None:
                self._stop(_cause_of(interruption))
        if interruption is not None:
            raise interruption

    def draw(
        self, request: pipe.Render, on_loaded: Callable[[pipe.Loaded], Sequence[pipe.Shot] | None]
    ) -> Generator[Drawn]:
        """Draw the request's shots, in order, calling `on_loaded` once before the first.

        It may give other shots, from the same views, to be drawn instead: it knows by then which morphs show.
        Raises ModelError, MotionError or RenderError when the model or its motion is at fault, BlenderDiedError when Blender
        is (their `log` has what Blender printed), and what `interrupt` was given. Closed before its end, it stops Blender,
        which would still be drawing.
        """
        self._begin()
        ended, cause = False, "stopped"
        shots: Sequence[pipe.Shot] = request.shots
        drawn = 0
        limit = LOAD_SECONDS
        try:
            self._greet()
            if self._log is not None:
                self._log.clear()  # the models before this one
            assert self._room is not None  # it is there as long as the process
            pipe.send(self._commands, self._room.bring(request))
            while not ended:
                self._check()
                message, payload = pipe.receive(self._answers, limit)
                limit = stall_seconds(request)
                match message:
                    case pipe.Loaded():
                        instead = on_loaded(message)
                        shots = request.shots if instead is None else instead
                        pipe.send(self._commands, pipe.Draw(shots=list(shots)))
                    case pipe.Pictures(shot=shot) if shot == drawn < len(shots):
                        drawn += 1
                        yield _drawn(request, message, payload)
                    case pipe.Finished() if drawn == len(shots):
                        ended = True
                    case pipe.Failed(code=code, message=text):
                        ended = True
                        raise self._with_log(_error_of(code)(text))
                    case _:
                        raise pipe.Closed
        except pipe.Silent as error:
            self._check()
            cause = "hung"
            raise self._with_log(
                BlenderTimeoutError(f"Blender said nothing for {limit:.0f} s and was killed; its log may tell why.")
            ) from error
        except pipe.Closed as error:
            self._check()
            cause = "crashed"
            raise self._with_log(
                BlenderDiedError(f"Blender ended ({self._how_it_ended()}) while drawing; its log may tell why.")
            ) from error
        finally:
            interruption = self._end()
            if interruption is not None or not ended:
                self._stop(_cause_of(interruption) if interruption else cause)
            else:
                self._recycle()

    def interrupt(self, error: FarmError) -> None:
        """End what `start` or `draw` is doing: Blender is killed, and they raise `error`. The first interruption counts.

        May be called from another thread, at any time; does nothing when neither runs.
        """
        with self._guard:
            if self._working and self._interruption is None:
                self._interruption = error
                if self._process is not None:
                    signal_group(self._process, signal.SIGKILL)

    def resident(self) -> int:
        """Bytes of resident memory of Blender and what it started; 0 when none runs. May be called from another thread."""
        process = self._process
        return 0 if process is None else group_memory(process.pid)

    def stop(self) -> None:
        """Kill Blender's process group and wait until it is gone; nothing happens when none runs."""
        self._stop("stopped")

    def _stop(self, cause: str) -> None:
        """`cause`: why, as `farm.metrics.BLENDER_ENDS` counts it."""
        with self._guard:
            process, self._process = self._process, None
        if process is None:
            return
        signal_group(process, signal.SIGKILL)
        process.wait()
        metrics.BLENDER_ENDS.inc(cause)
        metrics.BLENDER_RESIDENT.set(0)
        os.close(self._commands)
        os.close(self._answers)
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._room is not None:
            self._room.close()
            self._room = None

    def _begin(self) -> None:
        with self._guard:
            self._working, self._interruption = True, None

    def _end(self) -> FarmError | None:
        """From here on nothing interrupts; what did before, and so killed Blender."""
        with self._guard:
            self._working = False
            return self._interruption

    def _check(self) -> None:
        """Raise the interruption if there was one."""
        if self._interruption is not None:
            raise self._with_log(self._interruption)

    def _greet(self) -> None:
        if self._greeted and self._process is not None and self._exit_code() is not None:
            self._stop("crashed")  # while nothing was asked of it
        self.launch()
        self._check()
        if self._greeted:
            return
        try:
            message, _ = pipe.receive(self._answers, START_SECONDS)
        except (pipe.Closed, pipe.Silent) as error:
            self._check()
            how = self._how_it_ended() if isinstance(error, pipe.Closed) else f"silent for {START_SECONDS:.0f} s"
            refusal = self._with_log(
                BlenderStartError(
                    f"Blender does not start ({how}). `farm doctor` tells which library or driver is missing."
                )
            )
            self._stop("not-starting")
            raise refusal from error
        if not isinstance(message, pipe.Ready):
            self._stop("not-starting")
            raise BlenderStartError(
                "Blender answered out of turn at start; the worker and blender_worker do not match."
            )
        self.renderer, self.version, self._greeted = message.renderer, message.blender, True
        self.lacking = message.lacking
        if self._require_gpu and is_software(self.renderer):
            self._stop("not-starting")
            raise BlenderStartError(
                f"A GPU is required (FARM_REQUIRE_GPU=1), but OpenGL runs on '{self.renderer}'. In a container set "
                "NVIDIA_DRIVER_CAPABILITIES=graphics,utility and give the pod a GPU; `farm doctor` shows what is seen."
            )

    def _with_log[E: FarmError](self, error: E) -> E:
        if self._log is not None:
            error.log = self._log.tail()
        return error

    def _how_it_ended(self) -> str:
        """How the process ended whose pipe is closed."""
        deadline = time.monotonic() + LAST_BREATH
        while (code := self._exit_code()) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if code is None:
            return "still running, its pipe closed"
        return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"

    def _exit_code(self) -> int | None:
        assert self._process is not None  # only we take it away
        return exit_code(self._process)  # and only `stop` reaps it

    def _recycle(self) -> None:
        """Take the model away, and end a worn process: Blender's memory grows with every model."""
        if self._room is not None:
            self._room.clear()
        self._models += 1
        if self._models >= MODELS_PER_PROCESS or self.resident() > MEMORY_LIMIT:
            self._stop("worn")


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


def _cause_of(interruption: FarmError) -> str:
    """What an interruption was for, as `farm.metrics.BLENDER_ENDS` counts it."""
    if isinstance(interruption, BlenderMemoryError):
        return "memory"
    return "hung" if isinstance(interruption, BlenderTimeoutError) else "stopped"


def _error_of(code: str) -> type[RenderError] | type[ModelError] | type[MotionError]:
    kinds = (NoNeckBoneError, ModelError, MotionFormatError, MotionTruncatedError)
    return next((kind for kind in kinds if kind.code == code), RenderError)
