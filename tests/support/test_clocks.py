"""A clock that is set, as the tests set it: only the wall clock jumps, and sleeping takes as long as ever."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.clocks import ABSENT, Clock, can_set_clocks

_TELLS = "import time; t = time.monotonic(); time.sleep(0.2); print(time.time(), t, time.monotonic() - t)"


@pytest.mark.skipif(not can_set_clocks(), reason=ABSENT)
@pytest.mark.parametrize("seconds", [0, -86400, 86400])
def test_only_the_wall_clock_jumps(tmp_path: Path, seconds: int) -> None:
    clock = Clock(tmp_path)
    clock.set(seconds)

    told = subprocess.run(
        [sys.executable, "-c", _TELLS],
        env={**os.environ, **clock.environment},
        capture_output=True,
        text=True,
        check=True,
    )

    wall, monotonic, slept = map(float, told.stdout.split())
    assert abs(wall - time.time() - seconds) < 60
    assert abs(monotonic - time.monotonic()) < 60
    assert 0.2 <= slept < 60
