"""Reads VMD, the motions of MikuMikuDance: 30 frames a second, keys in any order, names cut at 15 bytes of Shift-JIS.

What a camera, lights and shadows do is passed over, and so is what is shown and which IK is on. Source: the layout as the
makers of players for it published it; there is no specification.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from farm.errors import MotionFormatError
from farm.models.binary import Cursor, finite
from farm.models.description import MMD
from farm.models.posing.turns import units
from farm.motion.channels import Bezier, Channel, Doubles
from farm.motion.description import BoneTrack, Convention, MorphTrack, Motion, Rest
from farm.motion.limits import MAX_SECONDS, check_tracks
from farm.wording import counted

RATE = 30.0
"""Frames a second."""
MAGIC = b"Vocaloid Motion Data 0002"
MAGIC_BYTES = 30
NAME_BYTES = 15
MODEL_BYTES = 20
IK_BYTES = 21
"""A name of 20 bytes, and whether that IK is on."""
BONE_KEY = np.dtype(
    [
        ("name", "u1", NAME_BYTES),
        ("frame", "<u4"),
        ("move", "<f4", 3),
        ("turn", "<f4", 4),
        ("curves", "u1", (4, 16)),
    ]
)
MORPH_KEY = np.dtype([("name", "u1", NAME_BYTES), ("frame", "<u4"), ("weight", "<f4")])
LARGEST_POINT = 127
"""What stands for 1 in the points of a curve."""
_OLDER = b"Vocaloid Motion Data file"
_SKIPPED = (("camera", 61), ("light", 28), ("shadow", 9))
"""What follows the morphs, in order, and the bytes of a key of it."""
_MOST_SKIPPED_LOOPS = 2**20
"""Keys of IK, each of which has its own length; a motion has a handful."""


def read_name(raw: bytes) -> str:
    """Shift-JIS up to the first zero byte; half a character at a cut end is dropped."""
    return raw.split(b"\0", 1)[0].decode("cp932", errors="ignore")


def read_vmd(data: bytes) -> Motion:
    """Read the bytes of a .vmd file. Raises MotionFormatError, ModelFormatError or ModelTruncatedError."""
    r = Cursor(data, "VMD")
    magic = bytes(r.take(min(MAGIC_BYTES, r.left)))
    if magic.startswith(_OLDER):
        raise MotionFormatError(
            "The VMD is of the first version, which is not read here. Save it again in MikuMikuDance."
        )
    if not magic.startswith(MAGIC):
        raise MotionFormatError(
            f"This is not a VMD file: it does not begin with '{MAGIC.decode()}'. If it is a pose (.vpd) or another motion, "
            "name it so, or export it as VMD."
        )
    made_for = read_name(bytes(r.take(MODEL_BYTES)))
    warnings: list[str] = []
    bones = list(_bones(r, warnings))
    # Poses of bones alone end here with some tools, and most motions before what no character does.
    morphs = list(_morphs(r, warnings)) if r.left else []
    return Motion(
        format="VMD 0002",
        naming=Convention.MMD,
        rest=Rest.A_POSE,
        axes=MMD,
        made_for=made_for,
        bones=tuple(bones),
        morphs=tuple(morphs),
        rate=RATE,
        skipped=_skip_rest(r),
        warnings=tuple(warnings),
    )


def _bones(r: Cursor, warnings: list[str]) -> Iterator[BoneTrack]:
    keys = r.array(BONE_KEY, r.count("keys of bones", BONE_KEY.itemsize))
    if not (np.isfinite(keys["move"]).all() and np.isfinite(keys["turn"]).all()):
        warnings.append("Some keys of bones have places that are not numbers; they are set to 0.")
    for name, rows in _tracks(keys, "bones", warnings):
        times = rows["frame"] / RATE
        moves = finite(rows["move"]).astype(np.float64)
        turns, curves = units(finite(rows["turn"])), _curves(rows["curves"])
        yield BoneTrack(
            name,
            Channel(times, moves, Bezier(curves[:, :3])),
            Channel(times, turns, Bezier(curves[:, 3:]), turns=True),
        )


def _morphs(r: Cursor, warnings: list[str]) -> Iterator[MorphTrack]:
    keys = r.array(MORPH_KEY, r.count("keys of morphs", MORPH_KEY.itemsize))
    for name, rows in _tracks(keys, "morphs", warnings):
        yield MorphTrack(name, Channel(rows["frame"] / RATE, finite(rows["weight"]).astype(np.float64)[:, None]))


def _tracks(keys: NDArray[np.void], what: str, warnings: list[str]) -> Iterator[tuple[str, NDArray[np.void]]]:
    """The keys of each name in order of time; of several keys at one time the last in the file counts.

    Names come in the order of the file. Raises MotionFormatError for more of them than any model has.
    """
    late = keys["frame"] > MAX_SECONDS * RATE
    if late.any():
        warnings.append(f"{counted(int(late.sum()), 'key')} of {what} come after a whole day; they are left out.")
        keys = keys[~late]
    if not len(keys):
        return
    words = _words(keys["name"])
    order = np.lexsort((keys["frame"], words[:, 1], words[:, 0]))  # a stable sort, in a time that no names can stretch
    words, frames = words[order], keys["frame"][order]
    renamed = (words[1:] != words[:-1]).any(axis=1)
    starts = np.flatnonzero(np.append(True, renamed))
    check_tracks(len(starts), what)
    last = np.append(renamed | (frames[1:] != frames[:-1]), True)
    if not last.all():
        again = counted(int((~last).sum()), "key")
        warnings.append(f"{again} of {what} stand at times that have a later one in the file, which counts.")
    ends = np.append(starts[1:], len(order))
    seen: set[str] = set()
    for place in np.argsort(np.minimum.reduceat(order, starts)).tolist():
        rows = slice(starts[place], ends[place])
        name = read_name(words[starts[place]].tobytes())
        if name not in seen:  # two that differ in bytes that spell nothing
            seen.add(name)
            yield name, keys[order[rows][last[rows]]]


def _words(raw: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """(k, 2) names as numbers: 16 bytes, with zeros for whatever was in memory behind a name."""
    padded = np.zeros((len(raw), 16), np.uint8)
    padded[:, :NAME_BYTES] = np.where(np.logical_or.accumulate(raw == 0, axis=1), 0, raw)
    return padded.view(np.uint64)


def _curves(raw: NDArray[np.uint8]) -> Doubles:
    """(k, 4, 4) x1, y1, x2, y2 in [0, 1] of the curves of x, y, z and the turn.

    The first row of the file's table has all, interleaved, and each row after it the same, shifted by one: so row i begins
    with curve i. The rows' beginnings are read, as two bytes of the first row say with newer files whether physics is on.
    """
    return np.asarray(raw[:, :, ::4].clip(0, LARGEST_POINT) / LARGEST_POINT)


def _skip_rest(r: Cursor) -> dict[str, int]:
    """Pass over what no character does, to notice a file that is cut off there; how many keys of each there are."""
    skipped: dict[str, int] = {}
    for what, size in _SKIPPED:
        if not r.left:
            return skipped
        count = r.count(f"keys of the {what}", size)
        r.take(count * size)
        if count:
            skipped[what] = count
    if not r.left:
        return skipped
    count = r.count("keys of display and IK", 9)
    if count > _MOST_SKIPPED_LOOPS:
        raise MotionFormatError(
            f"The VMD has {count} keys of display and IK, more than a motion has. Save it again in an editor."
        )
    for _ in range(count):
        r.take(5)
        r.take(IK_BYTES * r.count("switches of IK", IK_BYTES))
    if count:
        skipped["display and IK"] = count
    return skipped
