"""While a process imports, Python looks for no garbage; afterwards it does, as before, but not once more at the end."""

import gc
import subprocess
import sys

import pytest

from farm.starting import importing


def test_the_search_begins_again_when_the_outermost_has_ended_however() -> None:
    def import_what_is_not_there() -> None:
        with importing():
            with importing():
                assert not gc.isenabled()
            assert not gc.isenabled()
            raise ModuleNotFoundError

    assert gc.isenabled()
    with pytest.raises(ModuleNotFoundError):
        import_what_is_not_there()

    assert gc.isenabled()


def test_who_does_without_the_search_goes_on_so() -> None:
    gc.disable()
    try:
        with importing():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


GARBAGE = """
import gc
import farm.cli

class Cycle:
    def __init__(self):
        self.own = self

    def __del__(self):
        print("looked through")

gc.set_threshold(1_000_000)  # none but the last
Cycle()
farm.cli.main(["--version"])
"""


def test_a_command_ends_without_a_last_search() -> None:
    done = subprocess.run([sys.executable, "-c", GARBAGE], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("farm, version")
    assert "looked through" not in done.stdout
