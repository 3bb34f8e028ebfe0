"""Writes VMD, for the tests: keys in any order, with whatever curves, and what a camera does as empty keys."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from farm.motion.vmd import BONE_KEY, MAGIC, MAGIC_BYTES, MODEL_BYTES, MORPH_KEY, NAME_BYTES

LINEAR = (20, 20, 107, 107)
"""x1, y1, x2, y2 as MikuMikuDance writes them for an even pace."""
type Curve = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class BoneKey:
    """Where a bone is at a frame, and how it comes there from the key before."""

    name: str
    frame: int
    move: Sequence[float] = (0.0, 0.0, 0.0)
    turn: Sequence[float] = (0.0, 0.0, 0.0, 1.0)
    curves: tuple[Curve, Curve, Curve, Curve] = (LINEAR, LINEAR, LINEAR, LINEAR)
    """Of x, y, z and the turn."""
    physics: bool = True
    """Off is written into two bytes of the curves, as newer versions of MikuMikuDance do."""


@dataclass(frozen=True, slots=True)
class MorphKey:
    """How much of a morph plays at a frame."""

    name: str
    frame: int
    weight: float


def _name(text: str, size: int) -> bytes:
    """Shift-JIS in a field of `size` bytes, cut off where it must be; behind it stands what was in memory."""
    raw = text.encode("cp932", errors="replace")[:size]
    return raw if len(raw) == size else (raw + b"\0").ljust(size, b"\xfd")


def _table(key: BoneKey) -> np.ndarray:
    """(4, 16) the curves, interleaved; each row is the one before without its first byte, and ends in zeros."""
    first = np.array(key.curves, np.uint8).T.ravel()
    rows = np.zeros((4, 16), np.uint8)
    for row in range(4):
        rows[row, : 16 - row] = first[row:]
    if not key.physics:
        rows[0, 2:4] = 0x63, 0x0F
    return rows


def vmd_bytes(
    bones: Iterable[BoneKey] = (),
    morphs: Iterable[MorphKey] = (),
    made_for: str = "狐",
    others: Mapping[int, int] | None = None,
    switches: Iterable[tuple[int, Mapping[str, bool]]] = (),
) -> bytes:
    """A motion as the bytes of a .vmd file.

    `others` says how many empty keys of a size stand behind the morphs (61: camera, 28: light, 9: shadow); `switches` which
    IK is on from a frame.
    """
    given, played = tuple(bones), tuple(morphs)
    bone_keys, morph_keys = np.zeros(len(given), BONE_KEY), np.zeros(len(played), MORPH_KEY)
    for row, key in zip(bone_keys, given, strict=True):
        row["name"] = np.frombuffer(_name(key.name, NAME_BYTES), np.uint8)
        row["frame"], row["move"], row["turn"], row["curves"] = key.frame, key.move, key.turn, _table(key)
    for row, played_key in zip(morph_keys, played, strict=True):
        row["name"] = np.frombuffer(_name(played_key.name, NAME_BYTES), np.uint8)
        row["frame"], row["weight"] = played_key.frame, played_key.weight
    parts = [MAGIC.ljust(MAGIC_BYTES, b"\0"), _name(made_for, MODEL_BYTES)]
    parts += [struct.pack("<I", len(given)), bone_keys.tobytes(), struct.pack("<I", len(played)), morph_keys.tobytes()]
    for size in (61, 28, 9):
        count = (others or {}).get(size, 0)
        parts += [struct.pack("<I", count), bytes(size * count)]
    shown = tuple(switches)
    parts.append(struct.pack("<I", len(shown)))
    for frame, states in shown:
        parts.append(struct.pack("<IBI", frame, 1, len(states)))
        parts += [_name(name, 20) + bytes([on]) for name, on in states.items()]
    return b"".join(parts)
