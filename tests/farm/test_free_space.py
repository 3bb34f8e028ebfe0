"""Disks that are full, for real."""

import errno
import os
from pathlib import Path

import pytest

from farm import free_space
from farm.errors import DiskFullError


def test_what_is_left_is_named_and_so_is_what_is_needed(tmp_path: Path) -> None:
    free_space.require(tmp_path / "not" / "made" / "yet", 1, "")

    with pytest.raises(DiskFullError, match=r"out has \d.* left, and about 1048576\.0 GiB are needed\. Buy a disk\."):
        free_space.require(tmp_path / "out", 2**50, "Buy a disk.")


def test_a_write_that_fails_for_want_of_room_gets_a_sentence(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with (
            pytest.raises(DiskFullError, match=r"The disk of .* is full\. Go on later\."),
            free_space.noticed(tmp_path, "Go on later."),
        ):
            os.write(full, b"x")
    finally:
        os.close(full)


def test_any_other_failure_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), free_space.noticed(tmp_path, ""):
        raise PermissionError(errno.EACCES, "no")
