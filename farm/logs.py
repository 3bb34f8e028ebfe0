"""Lines of the log that nobody else can write: names of files, batches and paths come from strangers."""

import logging
from types import TracebackType
from typing import Any

_INDENT = "    "


def plain(text: str) -> str:
    """`text` on one line, what is no printable character as an escape (``\\n``, ``\\x1b``)."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


class PlainRecord(logging.LogRecord):
    """A record whose message is one line, and whose traceback cannot be taken for other records."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.exc_info, tuple) and self.exc_info[1] is not None:
            self.exc_text = _traceback(self.exc_info[1], self.exc_info[2])

    def getMessage(self) -> str:  # noqa: N802 - as it is called
        """The message, on one line."""
        return plain(super().getMessage())


def _traceback(error: BaseException, trace: TracebackType | None) -> str:
    text = logging.Formatter().formatException((type(error), error, trace))
    return "\n".join(_INDENT + plain(line) for line in text.split("\n"))


def install() -> None:
    """Make the records of this process, and of those that it forks, such ones."""
    logging.setLogRecordFactory(PlainRecord)
