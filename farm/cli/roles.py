"""Commands for containers: each runs one role of the farm, with the settings of the environment."""

import os
import sys
import time

import click

from farm import logs
from farm.cli.ending import take_hangup_for_sigterm
from farm.cli.working import run
from farm.errors import ServiceError
from farm.settings import Settings
from farm.starting import importing

_LOOK_SECONDS = 1.0
_IDLE_LOOKS = 2
"""A job that was handed out in the moment of the drain is claimed by the second look."""


@click.command()
@click.option(
    "--host",
    default=lambda: Settings().api_host,
    show_default="FARM_API_HOST, 127.0.0.1",
    help="Address to listen on. One that others can reach asks for keys: `farm keys new`.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
def api(host: str, port: int) -> None:
    """Run the REST API."""
    with importing():
        import uvicorn
        from uvicorn.importer import import_from_string

        import_from_string("api.app:make")
    take_hangup_for_sigterm()
    os.environ["FARM_API_HOST"] = host  # the application decides by it whether it may do without keys
    uvicorn.run(
        "api.app:make",
        factory=True,
        host=host,
        port=port,
        log_config=None,  # its lines go the way of all others, which `api.app.make` lays
        log_level="warning",
        timeout_graceful_shutdown=5,
        forwarded_allow_ips=Settings().trusted_proxies,
        http=import_from_string("api.connections:Protocol"),
        ws="none",
    )


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 64), default=1, show_default=True, help="Blender processes.")
@click.option("--metrics-port", type=click.IntRange(1, 65535), default=9100, show_default=True)
@click.option(
    "--metrics-host",
    default="0.0.0.0",  # noqa: S104 - Prometheus comes from elsewhere; the network policy says from where
    show_default=True,
    help="Address that metrics are served on.",
)
def worker(concurrency: int, metrics_port: int, metrics_host: str) -> None:
    """Run a worker: take jobs from the queue and render them with Blender."""
    sys.exit(run(concurrency, metrics_host, metrics_port))


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=5555, show_default=True)
@click.option(
    "--host", show_default="0.0.0.0 with FARM_FLOWER_BASIC_AUTH, else 127.0.0.1", help="Address to listen on."
)
def flower(port: int, host: str | None) -> None:
    """Run Flower, the page that shows attempts on jobs, workers and the queue."""
    settings = Settings()
    logs.configure(settings.log_format, settings.secrets)
    from farm.flower.page import serve

    take_hangup_for_sigterm()
    serve(settings, host, port)


@click.group()
def probe() -> None:
    """Answer Kubernetes' probes by the exit code."""


@probe.command("worker")
@click.option("--timeout", type=float, default=5.0, show_default=True, help="Seconds to wait for the answer.")
def probe_worker(timeout: float) -> None:
    """0 when this container's worker answers over Redis: its loop runs and it is connected."""
    from farm.worker.celery_app import make_app, node

    settings = Settings()
    if not make_app(settings).control.ping(destination=[node(settings)], timeout=timeout):
        raise ServiceError(f"{node(settings)} does not answer.")


@click.command()
@click.argument("name", required=False)
@click.option("--undo", is_flag=True, help="Give the worker NAME jobs again.")
@click.option("--timeout", type=float, default=600.0, show_default=True, help="Without NAME: seconds to wait at most.")
@click.option("--api", "url", default=lambda: Settings().api_url, show_default="FARM_API_URL", help="The farm's API.")
def drain(name: str | None, undo: bool, timeout: float, url: str) -> None:
    """Give the worker NAME, of `farm workers`, no more jobs.

    Without NAME: this container's worker, through Redis; ends when the worker has finished what it has.
    """
    if name is not None:
        from farm.cli.workers import drain_by_name

        drain_by_name(url, name, undo)
    elif undo:
        raise click.UsageError("--undo needs the NAME of a worker; `farm workers` lists them.")
    else:
        _drain_own(timeout)


def _drain_own(timeout: float) -> None:
    from farm.jobs.connection import Connection
    from farm.jobs.demand import Demands
    from farm.jobs.workers import Workers
    from farm.worker.celery_app import node

    settings = Settings()
    name, connection = node(settings), Connection(settings.redis_url, settings.lease_seconds)
    deadline = time.monotonic() + timeout
    Workers(connection).drain(name, "Its container is ending.")
    demands, idle = Demands(connection), 0
    while idle < _IDLE_LOOKS and time.monotonic() < deadline:
        try:
            # The jobs' records say it, and not the worker: one that is too busy to answer is not idle.
            idle = 0 if name in demands.busy() else idle + 1
        except ServiceError:
            idle = 0  # Redis is away for a moment: no reason to cut the drain short
        time.sleep(_LOOK_SECONDS)
