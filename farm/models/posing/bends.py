"""Ways in which joints bend what several of them hold, where the mean of what each does would thin it.

Source: PMX 2.0, weight type 3 (SDEF), as MikuMikuDance draws it; PMX 2.1, weight type 4 (QDEF: dual quaternions; Kavan et
al., Skinning with Dual Quaternions, 2007).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from farm.models.posing.turns import between_turns, quaternions, turned


@dataclass(frozen=True, slots=True)
class Frames:
    """Where the joints have gone: x becomes turn @ x + move."""

    turns: NDArray[np.float32]
    """(joints, 3, 3)"""
    moves: NDArray[np.float32]
    """(joints, 3)"""
    stirred: NDArray[np.bool_]
    """(joints,) whether it has moved at all."""

    def with_still(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The turns and moves with those of what stands still behind them, which index -1 reads."""
        still = np.eye(3, dtype=np.float32)[None], np.zeros((1, 3), np.float32)
        return np.concatenate([self.turns, still[0]]), np.concatenate([self.moves, still[1]])


class Bend(Protocol):
    """Moves some vertices in a way of its own."""

    vertices: NDArray[np.int32]
    """(s,)"""

    def take(self, positions: NDArray[np.float32], shaped: NDArray[np.float32], frames: Frames) -> None:
        """Put its vertices in `positions` (n, 3) where the joints take them from `shaped` (s, 3), where their turns differ.

        Elsewhere its way and the linear one agree.
        """
        ...


class Balls:
    """Vertices that two joints turn about a point between them (SDEF), as MikuMikuDance does.

    A vertex v with the joints' frames M0 and M1 and their shares w0 and w1 goes to
    slerp(M0, M1; w1) (v - C) + w0 M0 (C + P0) / 2 + w1 M1 (C + P1) / 2, where Pi = C + Ri - (w0 R0 + w1 R1).
    """

    def __init__(
        self,
        vertices: NDArray[np.int32],
        joints: NDArray[np.int32],
        shares: NDArray[np.float32],
        points: NDArray[np.float32],
    ) -> None:
        """(s,) `vertices`, each held by two of the `joints` (s, 2), -1 for what stands still, with `shares` (s, 2) whose
        rows sum to 1; `points` (3, s, 3) are C, R0 and R1."""
        self.vertices, self._joints, self._shares = vertices, joints, shares.astype(np.float64)
        self._centres = points[0].astype(np.float64)
        ends = points[1:].astype(np.float64)
        mean = (self._shares.T[:, :, None] * ends).sum(axis=0)
        self._anchors = self._centres + (ends - mean) / 2
        """(2, s, 3) what each joint moves by its share."""

    def take(self, positions: NDArray[np.float32], shaped: NDArray[np.float32], frames: Frames) -> None:
        """Put the vertices in `positions` (n, 3) where the joints take them from `shaped` (s, 3), where their turns differ.

        Elsewhere both ways agree.
        """
        turns, moves = frames.with_still()
        bent = np.flatnonzero((turns[self._joints[:, 0]] != turns[self._joints[:, 1]]).any(axis=(1, 2)))
        if not len(bent):
            return
        first, second = self._joints[bent].T
        all_turns = quaternions(turns)
        turn = between_turns(all_turns[first], all_turns[second], self._shares[bent, 1])
        moved = turned(shaped[bent] - self._centres[bent], turn)
        for place, joint in enumerate((first, second)):
            anchored = (turns[joint] @ self._anchors[place, bent][:, :, None])[:, :, 0] + moves[joint]
            moved += anchored * self._shares[bent, place, None]
        positions[self.vertices[bent]] = moved


class Duals:
    """Vertices whose joints are blended as rigid movements (QDEF): the mean of their dual quaternions, of length 1."""

    def __init__(self, vertices: NDArray[np.int32], joints: NDArray[np.int32], shares: NDArray[np.float32]) -> None:
        """(s,) `vertices`, each held by `joints` (s, k), -1 for what stands still, with `shares` (s, k) whose rows sum
        to 1."""
        self.vertices, self._joints, self._shares = vertices, joints, shares.astype(np.float64)

    def take(self, positions: NDArray[np.float32], shaped: NDArray[np.float32], frames: Frames) -> None:
        """As `Bend.take`."""
        turns, moves = frames.with_still()
        held = self._shares > 0
        leading = self._joints[np.arange(len(self._joints)), self._shares.argmax(axis=1)]
        apart = (turns[self._joints] != turns[leading][:, None]).any(axis=(2, 3)) & held
        bent = np.flatnonzero(apart.any(axis=1))
        if not len(bent):
            return
        real = quaternions(turns)
        dual = _times(np.column_stack([moves.astype(np.float64) / 2, np.zeros(len(moves))]), real)
        joints, shares = self._joints[bent], self._shares[bent]
        # A rotation is two quaternions: of each joint's the one that is nearer to the leading joint's.
        near = np.where((real[joints] * real[leading[bent]][:, None]).sum(axis=2) < 0, -1.0, 1.0)
        parts = (shares * near)[:, :, None]
        mixed, moved = (real[joints] * parts).sum(axis=1), (dual[joints] * parts).sum(axis=1)
        length = np.linalg.norm(mixed, axis=1, keepdims=True)
        mixed, moved = mixed / length, moved / length
        axis, w, shift, v = mixed[:, :3], mixed[:, 3:], moved[:, :3], moved[:, 3:]
        place = 2 * (w * shift - v * axis + np.cross(axis, shift))
        positions[self.vertices[bent]] = turned(shaped[bent], mixed) + place


def _times(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) products of quaternions x, y, z, w."""
    a, aw, b, bw = first[:, :3], first[:, 3:], second[:, :3], second[:, 3:]
    return np.column_stack([aw * b + bw * a + np.cross(a, b), aw * bw - (a * b).sum(axis=1, keepdims=True)])
