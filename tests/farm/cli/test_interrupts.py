"""A command that is interrupted ends, at whatever moment the signal comes."""

import subprocess
import sys

import pytest

from tests.support.servers import PATIENCE_SECONDS

COMMAND = """
import signal, sys, time, weakref
from types import ModuleType
import click
from farm import cli
from farm.cli.ending import stopped_by_sigterm

class Thing:
    pass

@click.command()
def odd():
    with stopped_by_sigterm():
        {moment}
        time.sleep({patience})

made = sys.modules["odd"] = ModuleType("odd")
made.odd = odd
cli._COMMANDS["odd"] = "odd"
signal.signal(signal.SIGINT, {sigint})
cli.main(["odd"])
"""
IN_A_CALLBACK = "thing = Thing(); kept = weakref.ref(thing, lambda _: signal.raise_signal({})); del thing"
IN_A_STRING = "exec('signal.raise_signal(signal.SIGINT)')"


@pytest.mark.parametrize(
    ("moment", "sigint"),
    [
        (IN_A_CALLBACK.format("signal.SIGINT"), "signal.default_int_handler"),
        (IN_A_CALLBACK.format("signal.SIGTERM"), "signal.default_int_handler"),
        (IN_A_CALLBACK.format("signal.SIGTERM"), "signal.SIG_IGN"),
        (IN_A_STRING, "signal.default_int_handler"),
    ],
    ids=["Ctrl-C in a callback", "SIGTERM in a callback", "SIGTERM in the background", "Ctrl-C in a string of code"],
)
def test_an_interrupt_that_python_would_lose_ends_the_command(moment: str, sigint: str) -> None:
    code = COMMAND.format(moment=moment, sigint=sigint, patience=PATIENCE_SECONDS)

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS / 2
    )

    assert done.stderr == "farm: interrupted; everything that was started is stopped.\n"
    assert done.returncode == 130
