"""Commands for containers: each runs one role of the farm, with the settings of the environment."""

import os
import socket
import sys
import tempfile
import time

import click

from farm.errors import ServiceError
from farm.settings import Settings


def _node() -> str:
    """The name of this container's worker; a pod's host name is its own."""
    return f"worker@{socket.gethostname()}"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
def api(host: str, port: int) -> None:
    """Run the REST API."""
    import uvicorn

    uvicorn.run("api.app:make", factory=True, host=host, port=port, log_level="warning", timeout_graceful_shutdown=5)


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 64), default=1, show_default=True, help="Blender processes.")
@click.option("--metrics-port", type=click.IntRange(1, 65535), default=9100, show_default=True)
def worker(concurrency: int, metrics_port: int) -> None:
    """Run a worker: take jobs from the queue and render them with Blender."""
    # prometheus_client looks at this variable when it is imported: the counts of all pool processes are added up here.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="farm-metrics-")
    settings = Settings()
    if settings.require_gpu:
        from farm.worker.blender import Blender

        blender = Blender(require_gpu=True)
        blender.start()  # raises when OpenGL is software: better no worker than one a hundred times too slow
        blender.stop()
    from celery.signals import worker_ready

    from farm.worker import metrics
    from farm.worker.tasks import app

    @worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
    def _ready(**_: object) -> None:
        metrics.serve(metrics_port)

    app.worker_main(
        [
            "worker",
            f"--concurrency={concurrency}",
            f"--hostname={_node()}",
            "--loglevel=INFO",
            "--without-mingle",
            "--without-gossip",
        ]
    )


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=5555, show_default=True)
def flower(port: int) -> None:
    """Run Flower, the page that shows the queue and the workers."""
    settings = Settings()
    command = [
        sys.executable, "-m", "celery", "--broker", settings.redis_url, "flower", f"--port={port}",
        "--address=0.0.0.0" if settings.flower_basic_auth.get_secret_value() else "--address=127.0.0.1",
    ]  # fmt: skip
    if auth := settings.flower_basic_auth.get_secret_value():
        os.environ["FLOWER_BASIC_AUTH"] = auth  # in the environment, not on the command line for all to see
    os.execv(command[0], command)


@click.group()
def probe() -> None:
    """Answer Kubernetes' probes by the exit code."""


@probe.command("worker")
@click.option("--timeout", type=float, default=5.0, show_default=True, help="Seconds to wait for the answer.")
def probe_worker(timeout: float) -> None:
    """0 when this container's worker answers over Redis: its loop runs and it is connected."""
    from farm.worker.celery_app import make_app

    if not make_app(Settings()).control.ping(destination=[_node()], timeout=timeout):
        raise ServiceError(f"{_node()} does not answer.")


@click.command()
@click.option("--timeout", type=float, default=600.0, show_default=True, help="Seconds to wait at most.")
def drain(timeout: float) -> None:
    """Let this container's worker finish what it has and take nothing new."""
    from farm.worker.celery_app import QUEUE, make_app

    control = make_app(Settings()).control
    control.cancel_consumer(QUEUE, destination=[_node()])
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        active = control.inspect(destination=[_node()], timeout=5.0).active() or {}
        if not any(active.values()):
            return
        time.sleep(1)
