"""How a process imports what it is made of, and leaves it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Without Python's search for garbage: a thousand modules make little, and it would look through all of them over and
    over (an eighth of the time that the API's imports take). Nested, the outermost counts."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def leave() -> None:
    """Called at a process's end: Python then takes a thousand modules apart, and would first look for garbage among all that
    they hold, several times (a quarter of a second). The kernel takes the memory back anyway."""
    gc.freeze()
