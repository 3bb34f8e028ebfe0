"""A worker's turn, with the real queue and heart and a renderer that only pretends."""

import threading
import time
from collections.abc import Callable

from farm.errors import FarmError
from farm.jobs.states import Job
from farm.spec import RenderSpec
from farm.worker.attempt import JobRunner, Rendered
from farm.worker.heart import Heart
from tests.support import servers
from tests.support.jobs import Core

type Behaviour = Callable[[Callable[[int], None]], None]


class PretendingRenderer:
    """`farm.worker.attempt.Renderer` that does what a test wants instead of drawing."""

    name = "pretence"

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.found: Rendered | None = None
        self.samples: int | None = None
        """What comes of the job's samples, where that is not what was ordered."""
        self.memory = 0
        self.begun = threading.Event()
        self.renderings = 0
        self._interrupted = threading.Event()
        self._reason: FarmError | None = None

    def find(self, job: Job) -> Rendered | None:
        return self.found

    def render(self, job: Job, spec: RenderSpec, images: Callable[[int, int], None]) -> Rendered:
        assert spec.seed == 7
        self.renderings += 1
        self._interrupted.clear()
        self.begun.set()
        samples = self.samples or job.samples
        self.behaviour(lambda count: images(count, samples))
        return Rendered(("a warning",), samples)

    def hang(self, images: Callable[[int], None]) -> None:
        """Behaviour of a Blender that does not answer: only killing it helps."""
        assert self._interrupted.wait(servers.PATIENCE_SECONDS)
        assert self._reason is not None
        raise self._reason

    def resident(self) -> int:
        return self.memory

    def interrupt(self, error: FarmError) -> None:
        self._reason = error
        self._interrupted.set()


def at_once(images: Callable[[int], None]) -> None:
    images(8)


def drawing_for(seconds: float) -> Behaviour:
    """Draws a picture every 20 ms, and the last of 8 after `seconds`."""

    def draw(images: Callable[[int], None]) -> None:
        begun = time.monotonic()
        while (share := (time.monotonic() - begun) / seconds) < 1:
            images(int(7 * share))
            time.sleep(0.02)
        images(8)

    return draw


def failing(error: Exception) -> Behaviour:
    def draw(images: Callable[[int], None]) -> None:
        images(3)
        raise error

    return draw


FOR_EVER = drawing_for(10 * servers.PATIENCE_SECONDS)


class Bench:
    """A runner at work on the core."""

    def __init__(self, core: Core, worker: str = "worker@a", job_seconds: float = 60.0) -> None:
        self.core = core
        self.renderer = PretendingRenderer(at_once)
        self.told_to_stop = False
        self.heart = Heart(core.queue, self.renderer, lambda: self.told_to_stop, job_seconds, 2**30)
        self.heart.start()
        self.runner = JobRunner(worker, core.jobs, core.queue, core.workers, self.renderer, self.heart)
        core.workers.register(worker, 1)

    def work(self, behaviour: Behaviour) -> bool:
        self.renderer.behaviour = behaviour
        return self.runner.work()

    def end_early(self, behaviour: Behaviour, when_begun: Callable[[], object]) -> float:
        """Do a job that takes for ever, and something while it is drawn that is to end it; how long that took."""
        thread = threading.Thread(target=self.work, args=(behaviour,))
        thread.start()
        assert self.renderer.begun.wait(servers.PATIENCE_SECONDS)
        when_begun()
        begun = time.monotonic()
        thread.join(servers.PATIENCE_SECONDS)
        assert not thread.is_alive()
        return time.monotonic() - begun
