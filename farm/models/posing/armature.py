"""Which of a character's bones can move, and which vertices they hold."""

from collections.abc import Set
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from farm.models.description import BoneFlag, Character
from farm.models.posing.bends import Balls, Bend, Duals
from farm.models.posing.morphs import Vector
from farm.models.posing.skeleton import Follower, Joint, Skeleton, Skin
from farm.morphs.names import normalise

_MOST_MOVING = 512
"""Bones that can move; no character's morphs need more, and each costs time in every pose."""
_ROLES = {
    "左目": "leftEye",
    "左瞳": "leftEye",
    "eye_l": "leftEye",
    "eye.l": "leftEye",
    "lefteye": "leftEye",
    "右目": "rightEye",
    "右瞳": "rightEye",
    "eye_r": "rightEye",
    "eye.r": "rightEye",
    "righteye": "rightEye",
    "あご": "jaw",
    "顎": "jaw",
    "下あご": "jaw",
    "下顎": "jaw",
    "jaw": "jaw",
}
"""Bones by their names after NFKC, where the file has no humanoid that says it."""
_HUMANOID_ROLES = ("leftEye", "rightEye", "jaw")
_NOTHING = 1e-6
"""A sum of weights that is none."""


class Armature:
    """The bones of one character about the neck that turns."""

    def __init__(self, character: Character, neck: int, world: NDArray[np.float32]) -> None:
        """`world` (3, 3) leads from the file's axes to the world's."""
        self._character, self._neck, self._world = character, neck, world
        self._children: dict[int | None, list[int]] = {}
        for index, bone in enumerate(character.bones):
            self._children.setdefault(bone.parent, []).append(index)
        self._weights = np.where(character.bone_indices >= 0, character.bone_weights, 0).clip(0, None)
        self._total = self._weights.sum(axis=1)

    def place_of(self, bone: int) -> Vector:
        """The bone's head at rest, in world axes."""
        x, y, z = (self._world @ np.array(self._character.bones[bone].position)).tolist()
        return x, y, z

    @cached_property
    def turns(self) -> NDArray[np.float32]:
        """(n,) the share of each vertex's weight that lies on the neck and the bones below it, in [0, 1]."""
        below = np.zeros(len(self._character.bones) + 1, bool)  # one more, so that index -1 (no bone) reads False
        waiting = [self._neck]
        while waiting:
            index = waiting.pop()
            if not below[index]:  # parents that run in a circle end here
                below[index] = True
                waiting += self._children.get(index, [])
        moved = (self._weights * below[self._character.bone_indices]).sum(axis=1)
        shares = np.divide(moved, self._total, out=np.zeros_like(moved), where=self._total > _NOTHING)
        return np.asarray(shares.clip(0, 1), np.float32)

    @property
    def owners(self) -> NDArray[np.int32]:
        """(n,) the bone with the largest weight of each vertex; -1 for none."""
        rows = np.arange(len(self._weights))
        largest = self._weights.argmax(axis=1)
        found = np.where(self._weights[rows, largest] > 0, self._character.bone_indices[rows, largest], -1)
        return np.asarray(found, np.int32)

    def roles(self, head: int) -> list[str]:
        """What each bone is to a face."""
        found = [""] * len(self._character.bones)
        humanoid = self._character.humanoid
        if humanoid:
            for role in _HUMANOID_ROLES:
                if role in humanoid:
                    found[humanoid[role]] = role
        else:
            for index, bone in enumerate(self._character.bones):
                found[index] = _ROLES.get(normalise(bone.name)) or _ROLES.get(normalise(bone.name_en)) or ""
        found[head] = "head"
        found[self._neck] = "neck"
        return found

    def bind(self, moved: Set[int], positions: NDArray[np.float32]) -> tuple[Skeleton, Skin]:
        """The moving bones when morphs move those in `moved`, and what they hold.

        `positions` (n, 3) are the vertices at rest in world axes.
        """
        moving, followers = self._moving(moved)
        joints = self._joints(moving)
        place = {joint.bone: number for number, joint in enumerate(joints)}
        holder = np.full(len(self._character.bones) + 1, -1, np.int32)
        for index, owner in self._owners_among(moving):
            holder[index] = place[owner]
        shares = np.divide(
            self._weights,
            self._total[:, None],
            out=np.zeros_like(self._weights, np.float32),
            where=self._total[:, None] > _NOTHING,
        ).astype(np.float32)
        shares[self._total <= _NOTHING, 0] = 1  # held by nothing: stands still
        joint_of = np.where(shares > 0, holder[self._character.bone_indices], -1).astype(np.int32)
        joint_of[self._total <= _NOTHING] = -1
        bound = self._character.bound
        anchors = None if bound is None else (bound @ self._world.T).astype(np.float32)
        skin = Skin(joint_of, shares, positions, anchors, self._bends(joint_of, shares))
        return Skeleton(joints, followers, self._neck), skin

    def _bends(self, joint_of: NDArray[np.int32], shares: NDArray[np.float32]) -> list[Bend]:
        """What SDEF and QDEF move: only where joints of different movement have a share do they differ from the mean."""
        found: list[Bend] = []
        if (spherical := self._character.spherical) is not None:
            joints, parts = joint_of[spherical.vertices, :2], shares[spherical.vertices, :2]
            held = np.flatnonzero((joints[:, 0] != joints[:, 1]) & (parts > 0).all(axis=1))
            points = np.stack([spherical.centres, spherical.firsts, spherical.seconds])[:, held] @ self._world.T
            found += [Balls(spherical.vertices[held], joints[held], parts[held], points)] if len(held) else []
        if (dual := self._character.dual) is not None:
            joints, parts = joint_of[dual], shares[dual]
            leading = joints[np.arange(len(joints)), parts.argmax(axis=1)]
            held = np.flatnonzero(((joints != leading[:, None]) & (parts > 0)).any(axis=1))
            found += [Duals(dual[held], joints[held], parts[held])] if len(held) else []
        return found

    def _moving(self, moved: Set[int]) -> tuple[set[int], list[Follower]]:
        """The neck, the bones that morphs move, and all that follow one of these (付与), directly or not."""
        bones = self._character.bones
        moving = {self._neck, *sorted(moved)[:_MOST_MOVING]}
        chain = [(index, bone.inheritance) for index, bone in enumerate(bones) if bone.inheritance is not None]
        chain.sort(key=lambda one: (bones[one[0]].layer, one[0]))
        grew = True
        while grew:
            grew = False
            for index, inheritance in chain:
                if len(moving) < _MOST_MOVING and index not in moving and inheritance.parent in moving:
                    moving.add(index)
                    grew = True
        followers = [
            Follower(
                bone=index,
                leader=inheritance.parent,
                ratio=inheritance.ratio,
                turns=bool(bones[index].flags & BoneFlag.INHERIT_ROTATION),
                moves=bool(bones[index].flags & BoneFlag.INHERIT_TRANSLATION),
            )
            for index, inheritance in chain
            if index in moving and inheritance.parent in moving
        ]
        return moving, followers

    def _owners_among(self, moving: set[int]) -> list[tuple[int, int]]:
        """Every bone that hangs on a moving one, or is one, with the nearest: each chain is walked once."""
        found = []
        waiting = [(index, index) for index in moving]
        while waiting:
            index, owner = waiting.pop()
            found.append((index, owner))
            waiting += [(child, owner) for child in self._children.get(index, []) if child not in moving]
        return found

    def _joints(self, moving: set[int]) -> list[Joint]:
        """The moving bones, each behind the nearest moving one above it; a circle of parents is cut."""
        above = {index: self._above(index, moving) for index in moving}
        place: dict[int, int] = {}
        joints: list[Joint] = []
        for start in sorted(moving):
            line: list[int] = []
            index: int | None = start
            while index is not None and index not in place and index not in line:
                line.append(index)
                index = above[index]
            for bone in reversed(line):
                parent = above[bone]
                at = self.place_of(bone)
                place[bone] = len(joints)
                joints.append(Joint(bone, -1 if parent is None else place.get(parent, -1), at))
                if joints[-1].parent == place[bone]:
                    joints[-1] = Joint(bone, -1, at)
        return joints

    def _above(self, index: int, moving: set[int]) -> int | None:
        """The nearest moving bone above `index`; None for none, and where parents run in a circle."""
        passed = {index}
        parent = self._character.bones[index].parent
        while parent is not None and parent not in passed:
            if parent in moving:
                return parent
            passed.add(parent)
            parent = self._character.bones[parent].parent
        return None
