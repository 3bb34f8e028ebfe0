"""While a process imports, Python looks for no garbage; afterwards it does, as before."""

import gc

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
