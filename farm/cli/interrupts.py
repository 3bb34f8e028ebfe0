"""No interrupt of a command is lost by Python, and none is left over."""

import signal
import sys
from threading import Timer, get_ident

_AGAIN_SECONDS = 0.05


def hear_every_interrupt() -> None:
    """No Ctrl-C is lost. Where it comes in a callback of a weak reference, of which each import has some, Python can raise
    nothing and goes on; then it comes again a moment later. Source: `sys.unraisablehook`."""

    def told(lost: "sys.UnraisableHookArgs") -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(lost)
            return
        # A command that a script starts in the background ignores Ctrl-C: then it was SIGTERM (`farm.cli.ending`).
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
