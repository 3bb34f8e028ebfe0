"""The bones that can move, and what their movement does to the vertices they hold.

Only what a pose can move takes part: all other bones stand still, so the weights of a still bone belong to its nearest
moving ancestor, which gives the same positions at a fraction of the cost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from farm.models.posing.bends import Bend, Frames
from farm.models.posing.morphs import Vector
from farm.models.posing.turns import NO_TURN, Turn, after, matrix_of, share_of

_NO_MOVE: Vector = (0.0, 0.0, 0.0)
_NO_SHARE = -2
"""In place of a joint that has no share."""


@dataclass(frozen=True, slots=True)
class Follower:
    """付与: a bone that takes a share of another bone's own movement; both are indices among the file's bones."""

    bone: int
    leader: int
    ratio: float
    turns: bool
    moves: bool


@dataclass(frozen=True, slots=True)
class Joint:
    """A bone that can move."""

    bone: int
    """Index among the file's bones."""
    parent: int
    """The nearest moving bone above it, as an index among the joints, always a smaller one; -1 for none."""
    head: Vector
    """At rest, in world axes."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The moving bones, parents before children."""

    joints: list[Joint]
    followers: list[Follower]
    """In the order in which they are worked out."""
    neck: int
    """The bone that takes the head's rotation, as an index among the file's bones."""

    def neck_in(self, frames: Frames) -> Vector:
        """Where the neck's head is."""
        return self.place_in(frames, self.neck)

    def place_in(self, frames: Frames, bone: int) -> Vector:
        """Where the head of a bone that can move is."""
        number = next(number for number, joint in enumerate(self.joints) if joint.bone == bone)
        x, y, z = (
            frames.turns[number] @ np.array(self.joints[number].head, np.float32) + frames.moves[number]
        ).tolist()
        return x, y, z

    def pose(self, own: Mapping[int, tuple[Vector, Turn]], head_turn: Turn) -> Frames:
        """The joints' frames when bones move by `own` (move and turn in world axes) and the neck turns by `head_turn`."""
        own = self.with_followers(own, head_turn)
        count = len(self.joints)
        turns = np.tile(np.eye(3), (count, 1, 1))
        moves = np.zeros((count, 3))
        stirred = np.zeros(count, bool)
        for number, joint in enumerate(self.joints):
            above = joint.parent
            if above >= 0 and stirred[above]:
                turns[number], moves[number], stirred[number] = turns[above], moves[above], True
            if (movement := own.get(joint.bone)) is not None:
                move, turn = movement
                matrix, head = matrix_of(turn), np.array(joint.head)
                # About the bone's own head first, then with all that is above it.
                moves[number] += turns[number] @ (head + move - matrix @ head)
                turns[number] = turns[number] @ matrix
                stirred[number] = True
        return Frames(turns.astype(np.float32), moves.astype(np.float32), stirred)

    def turn_of(self, bone: int, own: Mapping[int, tuple[Vector, Turn]]) -> Turn:
        """How far a bone is turned from its rest, with all that carries it, when bones move by `own`."""
        own = self.with_followers(own, NO_TURN)
        turn, number = NO_TURN, next((n for n, joint in enumerate(self.joints) if joint.bone == bone), -1)
        while number >= 0:
            joint = self.joints[number]
            if joint.bone in own:
                turn = after(own[joint.bone][1], turn)
            number = joint.parent
        return turn

    def with_followers(self, own: Mapping[int, tuple[Vector, Turn]], head_turn: Turn) -> dict[int, tuple[Vector, Turn]]:
        """`own`, and what follows of it by 付与."""
        movements = dict(own)
        if head_turn != NO_TURN:
            moved, turned = movements.get(self.neck, (_NO_MOVE, NO_TURN))
            movements[self.neck] = moved, after(head_turn, turned)
        for follower in self.followers:
            if follower.leader not in movements:
                continue
            (lead_x, lead_y, lead_z), lead_turn = movements[follower.leader]
            move, turn = movements.get(follower.bone, (_NO_MOVE, NO_TURN))
            if follower.moves:
                move = (
                    move[0] + lead_x * follower.ratio,
                    move[1] + lead_y * follower.ratio,
                    move[2] + lead_z * follower.ratio,
                )
            if follower.turns:
                turn = after(turn, share_of(lead_turn, follower.ratio))
            movements[follower.bone] = move, turn
        return movements


class Skin:
    """Which joints hold which vertices, and by how much.

    Most vertices hang on one joint, or on none: those move rigidly. The others are the sum of what each joint does to its
    share of them, unless something else is said to bend them (SDEF, QDEF).
    """

    def __init__(
        self,
        joints: NDArray[np.int32],
        shares: NDArray[np.float32],
        positions: NDArray[np.float32],
        bound: NDArray[np.float32] | None = None,
        bends: Sequence[Bend] = (),
    ) -> None:
        """`joints` (n, k) hold the vertices, -1 for what stands still, with `shares` (n, k) whose rows sum to 1.

        `bound` (n, k, 3) is where each joint alone would put a vertex at rest; None where that is `positions` (n, 3) for all.
        Each of `bends` moves some of them in its own way.
        """
        self._bends = bends
        held = shares > 0
        self._given = np.where(held, joints, _NO_SHARE), shares, bound
        self.held = (held & (joints >= 0)).any(axis=1)
        """(n,) whether any joint has a share of the vertex."""
        lowest = np.where(held, joints, np.iinfo(np.int32).max).min(axis=1)
        highest = np.where(held, joints, -1).max(axis=1)
        rigid = lowest == highest
        count = int(highest.max(initial=-1)) + 1
        order = np.argsort(np.where(rigid, highest, -1), kind="stable").astype(np.int32)
        starts = np.searchsorted(np.where(rigid, highest, -1)[order], np.arange(count + 1))
        self._rigid = [order[starts[joint] : starts[joint + 1]] for joint in range(count)]
        """For each joint, the vertices that it holds alone."""
        self._mixed = np.flatnonzero(~rigid).astype(np.int32)
        """Vertices that several joints hold, or one and what stands still."""
        self._row, slot = np.nonzero(held[self._mixed])
        """(entries,) one for each joint of each mixed vertex, by vertex: the vertex's place among the mixed ones."""
        vertex = self._mixed[self._row]
        self._joint = joints[vertex, slot]
        self._share = shares[vertex, slot][:, None]
        self._away = None if bound is None else (bound[vertex, slot] - positions[vertex]) * self._share
        """(entries, 3) how far a joint alone would have the vertex from its place, times its share."""
        self._starts = np.searchsorted(self._row, np.arange(len(self._mixed)))

    def held_by(self, joint: int) -> NDArray[np.int32]:
        """The vertices of which a joint has a share; of -1, those of which what stands still has one."""
        return np.flatnonzero((self._given[0] == joint).any(axis=1)).astype(np.int32)

    def of(self, vertices: NDArray[np.int32], positions: NDArray[np.float32]) -> "Skin":
        """What holds (m,) vertices of the (n, 3) positions, in their order, without what bends them."""
        joints, shares, bound = self._given
        return Skin(joints[vertices], shares[vertices], positions[vertices], None if bound is None else bound[vertices])

    def turn(self, normals: NDArray[np.float32], frames: Frames) -> NDArray[np.float32]:
        """(n, 3) normals as the joints turn them, each by their shares; of what two turn the mean is shorter than 1."""
        turned = normals.copy()
        for joint, vertices in enumerate(self._rigid):
            if frames.stirred[joint] and len(vertices):
                turned[vertices] = normals[vertices] @ frames.turns[joint].T
        if len(self._mixed):
            turns = np.concatenate([frames.turns, np.eye(3, dtype=np.float32)[None]])[self._joint]
            parts = (turns @ normals[self._mixed][self._row][:, :, None])[:, :, 0] * self._share
            turned[self._mixed] = np.add.reduceat(parts, self._starts, axis=0)
        return turned

    def take(self, positions: NDArray[np.float32], frames: Frames) -> None:
        """Move (n, 3) shaped positions, in place, to where the joints take them."""
        if not frames.stirred.any():
            return
        mixed = positions[self._mixed]
        shaped = [positions[bend.vertices] for bend in self._bends]
        for joint, vertices in enumerate(self._rigid):
            if frames.stirred[joint] and len(vertices):
                positions[vertices] = positions[vertices] @ frames.turns[joint].T + frames.moves[joint]
        if len(self._mixed):
            # The last frame, which -1 reads, is that of what stands still.
            turns = np.concatenate([frames.turns, np.eye(3, dtype=np.float32)[None]])[self._joint]
            moves = np.concatenate([frames.moves, np.zeros((1, 3), np.float32)])[self._joint]
            anchors = mixed[self._row] * self._share
            if self._away is not None:
                anchors += self._away
            moved = (turns @ anchors[:, :, None])[:, :, 0] + moves * self._share
            positions[self._mixed] = np.add.reduceat(moved, self._starts, axis=0)
        for bend, points in zip(self._bends, shaped, strict=True):
            bend.take(positions, points, frames)


class Skins(Skin):
    """Two skins as one: the vertices of the second stand behind the `count` of the first. Each moves as it does alone."""

    def __init__(self, first: Skin, second: Skin, count: int) -> None:
        self._first, self._second, self._count = first, second, count
        self.held = np.concatenate([first.held, second.held])

    def turn(self, normals: NDArray[np.float32], frames: Frames) -> NDArray[np.float32]:
        """As `Skin.turn`."""
        before, behind = normals[: self._count], normals[self._count :]
        return np.concatenate([self._first.turn(before, frames), self._second.turn(behind, frames)])

    def take(self, positions: NDArray[np.float32], frames: Frames) -> None:
        """As `Skin.take`."""
        self._first.take(positions[: self._count], frames)
        self._second.take(positions[self._count :], frames)
