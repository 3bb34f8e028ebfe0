"""What `farm worker` does: a worker's main process, from its temporary folder to its end."""

import logging
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from farm import free_space, logs
from farm.cli.ending import take_hangup_for_sigterm
from farm.environment import for_server, share_cores
from farm.scratch import Scratch
from farm.settings import Settings
from farm.starting import importing

log = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_START_BYTES = 2**20
"""What a worker and its processes write before they take a job."""


def run(concurrency: int, metrics_host: str, metrics_port: int) -> int:
    """Run a worker of so many Blenders until it is told to stop; its exit code.

    Where the disk of temporary files is full it waits for room: before it starts, and, by beginning anew, where that was why
    it could not start.
    """
    take_hangup_for_sigterm()
    settings, begun_with = Settings(), for_server()
    logs.configure(settings.log_format, settings.secrets)
    place = Path(os.environ.get("TMPDIR") or tempfile.gettempdir())
    _wait_for_room(place)
    code = 1
    try:
        with Scratch() as scratch:
            code = _work(settings, scratch.path, concurrency, metrics_host, metrics_port)
    except OSError as error:
        if not free_space.is_want_of(error):
            raise
    if code and free_space.takes_nothing(place, _START_BYTES):
        log.warning("The worker ended, since its disk is full, and begins anew.")
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], begun_with)
    return code


def _wait_for_room(place: Path) -> None:
    told = False
    while free_space.takes_nothing(place, _START_BYTES):
        if not told:
            log.warning("The worker waits. %s", free_space.full(place, free_space.ROOM_FOR_TEMPORARY))
        told = True
        time.sleep(_LOOK_SECONDS)
    if told:
        log.warning("There is room again in %s: the worker starts.", place)


def _work(settings: Settings, scratch: Path, concurrency: int, metrics_host: str, metrics_port: int) -> int:
    """Run it with this temporary folder."""
    hangup = signal.getsignal(signal.SIGHUP)
    # What its processes leave behind when they are killed goes with the folder, or when the next worker starts.
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
    # prometheus_client looks at this variable when it is imported: the counts of all pool processes are added up here.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(scratch)
    share_cores(concurrency)
    with importing():
        from celery.bootsteps import StartStopStep
        from celery.signals import setup_logging, worker_ready, worker_shutdown, worker_shutting_down

        from farm import metrics
        from farm.drawing import ahead
        from farm.worker import exposition, shutdown
        from farm.worker.celery_app import node

    name = node(settings)
    logs.configure(settings.log_format, settings.secrets, worker=name)
    if settings.require_gpu:
        from farm.drawing.blender import Blender

        blender = Blender(require_gpu=True)
        blender.start()  # raises when OpenGL is software: better no worker than one a hundred times too slow
        blender.stop()
    with importing():
        from farm.worker.presence import Presence
        from farm.worker.tasks import app

    exposition.keep()  # before it forks
    shutdown.prepare(scratch)
    presence = Presence(app, settings, name, concurrency)

    class Awake(StartStopStep):  # type: ignore[misc]  # Celery has no types
        """Serves metrics as soon as the pool's processes are there, whether Redis is or not."""

        requires = ("celery.worker.components:Pool",)

        def start(self, parent: object) -> None:
            signal.signal(signal.SIGHUP, hangup)  # Celery takes it for a wish to start anew
            ahead.let_go()
            metrics.REDIS.set(0)
            exposition.serve(metrics_host, metrics_port)

    app.steps["worker"].add(Awake)

    @worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
    def _ready(**_: object) -> None:
        presence.start()

    @worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
    def _told_to_stop(**_: object) -> None:
        shutdown.announce(settings.shutdown_seconds)

    @worker_shutdown.connect(weak=False)  # type: ignore[untyped-decorator]
    def _ended(**_: object) -> None:
        presence.stop()

    # The worker itself, not Celery's command line, whose twenty commands are all imported before it runs one.
    process = app.Worker(
        hostname=name,
        concurrency=concurrency,
        loglevel="INFO",
        without_mingle=True,
        without_gossip=True,
        quiet=settings.log_format == "json",  # its banner is no line of the log
    )
    setup_logging.connect(lambda **_: None, weak=False)  # `logs.configure` did it
    process.start()
    return int(process.exitcode or 0)
