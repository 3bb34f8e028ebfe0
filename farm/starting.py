"""How a process imports what it is made of."""

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
