"""How a command ends when it is told to."""

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Timer, get_ident
from types import FrameType

_AGAIN_SECONDS = 0.05


def hear_every_interrupt() -> None:
    """No Ctrl-C is lost. Where it comes in a callback of a weak reference, of which each import has some, Python can raise
    nothing and goes on; then it comes again a moment later. Source: `sys.unraisablehook`."""

    def told(lost: "sys.UnraisableHookArgs") -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(lost)
            return
        # A command that a script starts in the background ignores Ctrl-C: then it was SIGTERM (`stopped_by_sigterm`).
        number = signal.SIGINT if callable(signal.getsignal(signal.SIGINT)) else signal.SIGTERM
        again = Timer(_AGAIN_SECONDS, signal.pthread_kill, [get_ident(), number])
        again.daemon = True
        again.start()  # from here it would be raised in this very function, and be lost again

    sys.unraisablehook = told


def handled() -> None:
    """Called when a Ctrl-C was taken care of. One that came in a string of code, as each dataclass runs one, makes Python end
    itself by that signal whatever the exit code is, unless a string has run since.

    Source: CPython, `run_eval_code_obj` in Python/pythonrun.c."""
    exec("")  # noqa: S102 - an empty string


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """SIGTERM ends a command like Ctrl-C does: through the `finally` clauses, leaving nothing behind.

    So does SIGHUP, which comes when the terminal is closed; a command that was started with nohup goes on.
    """

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with ExitStack() as stack:
        for number in (signal.SIGTERM, signal.SIGHUP):
            if number is not signal.SIGHUP or _heard():
                stack.callback(signal.signal, number, signal.signal(number, stop))
        yield


def take_hangup_for_sigterm() -> None:
    """A server that has its own way to end on SIGTERM ends so when its terminal is closed, too; not under nohup."""

    def end(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGTERM)

    if _heard():
        signal.signal(signal.SIGHUP, end)


def _heard() -> bool:
    return signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
