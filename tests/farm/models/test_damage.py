"""Damaged and hostile files: our own errors only, and no allocation that the file's size does not cover."""

import random
import resource
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from farm.errors import FarmError
from farm.models import inventory
from farm.models.description import Character
from farm.models.inventory import Inventory
from farm.models.mmd.pmd import read_pmd
from farm.models.mmd.pmx import read_pmx
from farm.models.mmd.pmx_writer import Layout, pmx_bytes
from farm.models.vrm.reader import read_vrm
from tests.farm.models import made_files as made
from tests.farm.models import packed


@contextmanager
def _no_more_memory_than(extra: int) -> Iterator[None]:
    """Allocations that go `extra` bytes beyond what the process has now end in MemoryError."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + extra, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _take_in(read: Callable[[bytes], Character], data: bytes) -> bool:
    """Do with `data` what an upload does; False when it is refused. Any error but ours is a failure of the test."""
    try:
        character = read(data)
    except FarmError as error:
        str(error).encode()
        return False
    made.assert_sound(character)
    try:
        held = inventory.of_character(character, {}, list(character.textures))
    except FarmError:
        return True
    assert Inventory.model_validate_json(held.model_dump_json()) == held
    return True


def _mutations(data: bytes, count: int, seed: int) -> list[bytes]:
    """`data` with one to eight bytes replaced, single bits turned, pieces cut out or doubled."""
    dice = random.Random(seed)
    found = []
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(dice.choice((1, 1, 1, 2, 4, 8))):
            at = dice.randrange(len(changed))
            match dice.randrange(6):
                case 0 | 1 | 2:
                    changed[at] = dice.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, dice.randrange(256)))
                case 3:
                    changed[at] ^= 1 << dice.randrange(8)
                case 4:
                    del changed[at : at + dice.randrange(1, 16)]
                case _:
                    changed[at:at] = changed[at : at + dice.randrange(1, 16)]
        found.append(bytes(changed))
    return found


_MIXED = packed.pack_pmx(
    [
        packed.pmx_vertex(0, struct.pack("<h", 1)),
        packed.pmx_vertex(1, struct.pack("<2hf", 0, 1, 0.5)),
        packed.pmx_vertex(3, struct.pack("<2hf9f", 0, 1, 0.5, *(0.0,) * 9)),
    ],
    bones=2,
    triangles=struct.pack("<i3H", 3, 0, 1, 2),
)
_SMALL = Layout(2.1, "utf-8", 1, 1, 1, 1, 1, 2)
_PMX_FILES = [pmx_bytes(made.full_character()), pmx_bytes(made.full_character(), _SMALL), _MIXED]
_CHARACTERS = [
    *[pytest.param(read_pmx, data, id=f"PMX {number}") for number, data in enumerate(_PMX_FILES)],
    pytest.param(read_pmd, packed.pack_pmd(), id="PMD"),
]
_DAMAGED = pytest.mark.parametrize("count", [500, pytest.param(2000, marks=pytest.mark.long)])
"""Files of each; `make fuzz` makes 200,000."""
_EVERY = pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.long)])
"""Of the places that a test tries."""
_VRMS = [pytest.param(made.vrm(version).to_bytes(), id=version) for version in ("0.x", "1.0")]


@_DAMAGED
@pytest.mark.parametrize(("read", "data"), _CHARACTERS)
def test_damage_at_random_places_gives_no_other_error_than_ours(
    read: Callable[[bytes], Character], data: bytes, count: int
) -> None:
    accepted = [_take_in(read, changed) for changed in _mutations(data, count, seed=3)]

    assert 0 < sum(accepted) < len(accepted)  # the damage is neither harmless nor always fatal


@_DAMAGED
@pytest.mark.parametrize("data", _VRMS)
def test_damage_to_a_vrm_gives_no_other_error_than_ours(data: bytes, count: int) -> None:
    accepted = [_take_in(read_vrm, changed) for changed in _mutations(data, count, seed=5)]

    assert 0 < sum(accepted) < len(accepted)


@pytest.mark.parametrize(
    "values",
    [(2**31 - 1, 2**28), *(pytest.param((value,), marks=pytest.mark.long) for value in (2**31 - 1, 2**28))],
    ids=str,
)
@pytest.mark.parametrize(("read", "data"), _CHARACTERS)
def test_a_huge_number_at_any_place_is_refused_without_allocating(
    read: Callable[[bytes], Character], data: bytes, values: tuple[int, ...]
) -> None:
    """Whatever count stands there: four bytes at every position are replaced in turn, by one number or by two in turn."""
    numbers = [struct.pack("<i", value) for value in values]
    refused = 0
    with _no_more_memory_than(64 * 2**20):
        for at in range(len(data) - 4):
            try:
                read(data[:at] + numbers[at % len(numbers)] + data[at + 4 :])
            except FarmError:
                refused += 1

    assert refused > 40


def test_the_memory_limit_of_these_tests_is_one() -> None:
    with _no_more_memory_than(64 * 2**20), pytest.raises(MemoryError):
        np.empty(2**28, np.uint8)


@_EVERY
@pytest.mark.parametrize("value", [-1, -(2**31)])
@pytest.mark.parametrize(("read", "data"), _CHARACTERS)
def test_a_negative_number_at_any_place_is_no_other_error_than_ours(
    read: Callable[[bytes], Character], data: bytes, value: int, every: int
) -> None:
    number = struct.pack("<i", value)

    accepted = [_take_in(read, data[:at] + number + data[at + 4 :]) for at in range(0, len(data) - 4, 3 * every)]

    assert not all(accepted)


def test_a_vertex_count_that_the_file_could_just_hold_costs_no_more_than_the_file() -> None:
    """A gigabyte must not come from a few bytes: the bound of every count is the bytes that are left."""
    head = packed.pack_pmx([])
    at = head.index(packed.pmx_text("name") + packed.pmx_text("") * 2) + len(
        packed.pmx_text("name") + packed.pmx_text("") * 2
    )
    rest = bytes(4 * 2**20)
    tracemalloc.start()
    try:
        _take_in(read_pmx, head[:at] + struct.pack("<i", len(rest) // 40) + rest)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 16 * len(rest)
