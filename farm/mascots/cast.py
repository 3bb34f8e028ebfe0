"""The two mascots by name."""

from collections.abc import Callable, Mapping

from farm.mascots import momo, nagi
from farm.mascots.kit import Mascot

MASCOTS: Mapping[str, Callable[[], Mascot]] = {"nagi": nagi.make, "momo": momo.make}
"""Every mascot by the name of its folder."""
