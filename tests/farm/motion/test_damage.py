"""Damaged and hostile motions: our own errors only, and no allocation that the file's size does not cover."""

import struct
import tracemalloc
from collections import Counter
from random import Random

import pytest

from farm.errors import MotionError
from farm.motion.reading import read_motion
from farm.motion.vmd_writer import MorphKey, vmd_bytes
from tests.fuzz import motions
from tests.fuzz.mutation import bad_file


@pytest.mark.parametrize("suffix", [".vmd", ".vrma"])
def test_damage_at_random_places_gives_no_other_error_than_ours(suffix: str) -> None:
    """What is taken all the same moves two characters; `make fuzz` does the same 50,000 times."""
    dice = Random(11)
    files = [file for file in motions.seeds() if file[0].endswith(suffix)]

    outcomes = Counter(motions.take_in(*bad_file(dice, files)) for _ in range(150))

    assert set(outcomes) <= {"taken", "motion-format", "motion-truncated"}
    assert outcomes["taken"] > 20
    assert outcomes["motion-format"] > 20


@pytest.mark.parametrize("value", [2**31 - 1, 2**28, -1, -(2**31)])
@pytest.mark.parametrize("number", range(4))
def test_any_number_at_any_place_is_no_other_error_than_ours(number: int, value: int) -> None:
    name, data = motions.seeds()[number]
    raw = struct.pack("<i", value)
    refused = 0
    for at in range(0, len(data) - 4, 61):
        try:
            read_motion(f".{name.rpartition('.')[2]}", data[:at] + raw + data[at + 4 :])
        except MotionError:
            refused += 1

    assert refused


def test_a_file_costs_no_more_than_a_few_times_its_size() -> None:
    data = vmd_bytes([], [MorphKey("あ", frame % 9000, 0.5) for frame in range(40_000)])
    tracemalloc.start()
    try:
        read_motion(".vmd", data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 16 * len(data)
