"""Lines of the log: nobody else can write any (names of files, batches and paths come from strangers), each says to what it
belongs (worker, batch, job, attempt), and none has a secret.
"""

import logging
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote

from farm.wording import json_text

_INDENT = "    "
_TALKATIVE = ("farm", "api", "celery")
"""Loggers whose infos are written; others, such as those of HTTP clients, which tell whole addresses, only warn."""
_HIDDEN = "***"
_SHORTEST_SECRET = 4
"""Characters; hiding shorter ones would make holes everywhere."""
_SECRET_PLACES = re.compile(
    r"(?P<before>://)[^/@\s]*@"
    r"|(?P<name>(?i:x-amz-signature|x-amz-credential|x-amz-security-token|password|passwd|secret|token|api[-_]?key)=)[^&\s'\"]+"
)
"""Where secrets stand in addresses, also in those of others: of webhooks, and presigned ones."""

_everywhere: dict[str, str] = {}
_here: ContextVar[dict[str, str]] = ContextVar("log context", default={})  # noqa: B039 - never changed, only replaced


@contextmanager
def within(**fields: object) -> Iterator[None]:
    """Lines of this thread, or task, and of what it calls belong to these (``batch=...``) inside."""
    token = _here.set({**_here.get(), **{name: str(value) for name, value in fields.items()}})
    try:
        yield
    finally:
        _here.reset(token)


@contextmanager
def everywhere(**fields: object) -> Iterator[None]:
    """The same for all threads of the process: it does one thing at a time."""
    before = dict(_everywhere)
    _everywhere.update({name: str(value) for name, value in fields.items()})
    try:
        yield
    finally:
        _everywhere.clear()
        _everywhere.update(before)


def plain(text: str) -> str:
    """`text` on one line, what is no printable character as an escape (``\\n``, ``\\x1b``)."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def without_secrets(text: str) -> str:
    """`text` with stars for what stands where addresses have secrets."""
    return _SECRET_PLACES.sub(
        lambda found: f"{found['before']}{_HIDDEN}@" if found["before"] else f"{found['name']}{_HIDDEN}", text
    )


class PlainRecord(logging.LogRecord):
    """A record whose message is one line, and whose traceback cannot be taken for other records."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context = {**_everywhere, **_here.get()}
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


class _Lines(logging.Formatter):
    """A record as a line for people, or, `as_json`, as an object for programs."""

    def __init__(self, as_json: bool, secrets: Iterable[str]) -> None:
        super().__init__()
        self._as_json = as_json
        long = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
        written = long | {quote(secret, safe="") for secret in long}
        self._secrets = (
            re.compile("|".join(map(re.escape, sorted(written, key=len, reverse=True)))) if written else None
        )

    def format(self, record: logging.LogRecord) -> str:
        message = self._clean(record.getMessage())
        context = {name: self._clean(value) for name, value in getattr(record, "context", {}).items()}
        trace = self._clean(record.exc_text or "")
        if record.stack_info:
            trace += "\n" + self._clean("\n".join(_INDENT + plain(line) for line in record.stack_info.split("\n")))
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        if self._as_json:
            said = {"time": moment, "level": record.levelname, "logger": record.name, "message": message}
            return json_text({**context, **said, **({"traceback": trace} if trace else {})})
        belongs = " ".join(f"{name}={plain(value)}" for name, value in context.items())
        line = f"{moment} {record.levelname} {record.name}{f' [{belongs}]' if belongs else ''} {message}"
        return f"{line}\n{trace}" if trace else line

    def _clean(self, text: str) -> str:
        if self._secrets:
            text = self._secrets.sub(_HIDDEN, text)
        return without_secrets(text)


class _Handler(logging.StreamHandler[Any]):
    """Ours, to be known again."""


def configure(form: str, secrets: Iterable[str], **fields: str) -> None:
    """Write the records of this process, and of those that it forks, to the standard error; `form` is "text" or "json".

    `secrets` are hidden wherever they would stand; all belongs to `fields`, such as the worker that this is.
    """
    install()
    _everywhere.update(fields)
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(handler)
    handler = _Handler(sys.stderr)
    handler.setFormatter(_Lines(form == "json", secrets))
    root.addHandler(handler)
    logging.captureWarnings(True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO)
