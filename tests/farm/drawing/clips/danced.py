"""Motions for the mascots, and clips of them that are drawn."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from farm.catalog import Catalog
from farm.models.package import Package
from farm.motion.vmd_writer import BoneKey, MorphKey, vmd_bytes
from farm.reading.readers import Readers
from farm.storage import LocalStore

type Turn = tuple[float, float, float, float]
LAST = 12
"""The frame of the last keys."""
TURNS: dict[str, tuple[tuple[float, float, float], float]] = {
    "センター": ((0.0, 1.0, 0.0), 36.0),
    "上半身": ((0.0, 0.0, 1.0), -12.0),
    "首": ((1.0, 0.0, 0.0), 18.0),
    "頭": ((0.0, 1.0, 0.0), -24.0),
}
"""Each bone's axis in the file's axes and its angle at the last key, from 0 at the first."""
WAY = (3.0, 1.5, -2.0)
WEIGHTS = {"まばたき": 1.0, "ウィンク２": 0.5, "あ": 0.75, "怒り": 0.25}
"""Weights at the last key, from 0 at the first."""


def turn(axis: Sequence[float], degrees: float) -> Turn:
    """About an axis of length 1."""
    half = np.radians(degrees) / 2
    x, y, z = (np.array(axis) * np.sin(half)).tolist()
    return x, y, z, float(np.cos(half))


def dance(still: Sequence[str] = (), lacking: bool = True) -> bytes:
    """A VMD in which everything goes evenly from rest to what is said above, but for what is `still`."""
    bones, morphs = [], []
    for name, (axis, degrees) in TURNS.items():
        way = WAY if name == "センター" else (0.0, 0.0, 0.0)
        if name not in still:
            bones += [BoneKey(name, 0), BoneKey(name, LAST, way, turn(axis, degrees))]
    for name, weight in WEIGHTS.items():
        if name not in still:
            morphs += [MorphKey(name, 0, 0.0), MorphKey(name, LAST, weight)]
    if lacking:
        bones += [BoneKey("右足", 0, (0.0, 1.0, 0.0))]
        morphs += [MorphKey("猫耳", 0, 1.0)]
    return vmd_bytes(bones, morphs)


def about(axis: Sequence[float], degrees: float) -> NDArray[np.float64]:
    """(3, 3) by Rodrigues' formula."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def head_of(share: float) -> NDArray[np.float64]:
    """(3, 3) how far the head is turned in world axes when so much of the dance is done, by its bones one after the other."""
    # The file is left-handed: Y up, the character looks along -Z; the world right-handed: Z up, the character looks along -Y.
    to_world = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    whole = np.eye(3)
    for axis, degrees in TURNS.values():
        whole = whole @ (to_world @ about(axis, degrees * share) @ to_world.T)
    return np.asarray(whole)


def store_with(folder: Path, package: Package, *motions: bytes) -> tuple[LocalStore, list[str]]:
    """A store with a model and motions, and the motions' ids."""
    store, ids = LocalStore(folder), []
    catalog, readers = Catalog(store), Readers(1)
    catalog.add(package)
    try:
        for motion in motions:
            with readers.motion("dance.vmd", [motion]) as found:
                catalog.add_motion(found.about, found.file)
                ids.append(found.about.id)
    finally:
        readers.close()
    return store, ids
