"""Nobody writes lines of the log but the farm: names come from strangers."""

import logging
from collections.abc import Iterator

import pytest

from farm import logs
from farm.cli.console import clean, clean_lines

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
