"""Nobody writes lines of the log but the farm: names come from strangers."""

import json
import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from farm import logs
from farm.wording import clean, clean_lines

FORGED = "momo\n2026-11-26 00:00:00 ERROR all is lost \x1b[2J\x1b]0;title\x07 \r\u2028\x85 あ"


@pytest.fixture
def records() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    logs.install()
    yield
    logging.setLogRecordFactory(before)


def test_a_message_is_one_line_whatever_it_quotes(records: None, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("farm.test").warning("model %s is refused", FORGED)

    line = logging.Formatter("%(levelname)s %(message)s").format(caplog.records[-1])
    assert line == (
        r"WARNING model momo\n2026-11-26 00:00:00 ERROR all is lost \x1b[2J\x1b]0;title\x07 \r\u2028\x85 あ is refused"
    )


def test_a_traceback_cannot_be_taken_for_other_records(records: None, caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        logging.getLogger("farm.test").exception("it broke")

    first, *rest = logging.Formatter("%(levelname)s %(message)s").format(caplog.records[-1]).split("\n")
    assert first == "ERROR it broke"
    assert rest[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
    assert len(rest[-1].splitlines()) == 1


def test_a_record_without_a_traceback_has_none(records: None, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("farm.test").warning("nothing", exc_info=True)

    assert "NoneType" not in caplog.records[-1].getMessage()


def test_the_command_line_prints_names_on_one_line_and_logs_on_theirs() -> None:
    assert clean("a\nb\x1b[31mc\r") == "a b\ufffd[31mc\ufffd"
    assert clean_lines("a\nb\x1b[31mc\r") == "a\nb\ufffd[31mc\ufffd"


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[str]]]:
    """The lines that `configure` had written, in the form asked for."""
    before = logging.getLogRecordFactory()
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield lambda: capsys.readouterr().err.splitlines()
    root.handlers[:] = handlers
    logging.captureWarnings(False)
    logging.setLogRecordFactory(before)


def test_a_line_says_to_what_it_belongs_in_every_thread(written: Callable[[], list[str]]) -> None:
    logs.configure("json", [])
    log = logging.getLogger("farm.test")

    with logs.everywhere(worker="worker@a", batch="b", job="b-1", attempt=2):
        thread = threading.Thread(target=lambda: log.info("from a thread"))
        thread.start()
        thread.join()
        with logs.within(batch="c"):
            log.info("nearer")
    log.info("after")

    first, second, third = map(json.loads, written())
    assert {name: first[name] for name in ("worker", "batch", "job", "attempt")} == {
        "worker": "worker@a", "batch": "b", "job": "b-1", "attempt": "2",
    }  # fmt: skip
    assert second["batch"] == "c"
    assert "batch" not in third
    assert (first["level"], first["logger"], first["message"]) == ("INFO", "farm.test", "from a thread")


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_stands_in_a_line(form: str, written: Callable[[], list[str]]) -> None:
    logs.configure(form, ["s3cr/t#1", "abc"])
    log = logging.getLogger("farm.test")

    try:
        raise ValueError("the key s3cr/t#1 in a traceback")
    except ValueError:
        log.exception("s3cr/t#1, s3cr%2Ft%231, redis://user:whatever@host, https://b/k?X-Amz-Signature=deadbeef&a=1")
    with logs.within(batch="s3cr/t#1"):
        log.info("https://hooks.example/x?token=of-theirs, abc stays")
    logging.getLogger("httpx").info("a whole address of somebody's webhook")

    text = "\n".join(written())
    assert "s3cr" not in text
    assert "whatever" not in text
    assert "deadbeef" not in text
    assert "of-theirs" not in text
    assert "somebody" not in text
    assert "abc stays" in text
    assert "&a=1" in text


def test_what_people_send_makes_no_line_of_its_own(written: Callable[[], list[str]]) -> None:
    logs.configure("text", [])
    with logs.within(batch=FORGED):
        logging.getLogger("farm.test").warning("model %s", FORGED)

    (line,) = written()
    assert line.isprintable()
