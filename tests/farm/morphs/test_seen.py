"""What the farm decides for characters whose morphs a person looked at, from their files alone."""

from pathlib import Path

from benchmarks.annotation import tally_seen
from benchmarks.seen import seen


def test_what_was_seen_is_decided_and_no_side_swapped(real_models: Path, mascots: dict[str, Path]) -> None:
    cast = seen(real_models, mascots)
    found = tally_seen(cast)

    assert len(cast) == 11
    assert found.precision >= 0.99, found.misses
    assert found.recall >= 0.97, found.misses
    assert found.swapped == 0
