"""How a command ends when it is told to."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType


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
