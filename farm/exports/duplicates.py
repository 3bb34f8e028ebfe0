"""Near-duplicates: one character in several files, such as its costumes. They must not stand on both sides of a split.

Two measures, both of what was rendered, so that no model file is needed:

- **likeness**, in [-1, 1]: the correlation of the neutral heads' colours, cut to the head and scaled to 24 x 24.
- **geometry**: as many vertices on the head and in the face, the head's box in the same place, the same morphs at the same
  places of the file. Recoloured heads have that in common.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from farm.exports.listed import ListedModel
from farm.exports.members import Member

LIKE = 0.92
"""Heads of at least this likeness are one character's. Among the real characters at hand, a PMD and a PMX of one are
alike by 0.93, a light edition by 1.00, and no two others by more than 0.51."""
_SAME_PLACE = 0.004
"""Shares of the frame, a pixel of 256, by which the edges of two heads of one geometry may differ."""
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models that are taken for one character."""

    a: str
    b: str
    """Content hashes; `a` is the smaller."""
    likeness: float
    geometry: bool


def near_duplicates(members: Sequence[Member]) -> list[Pair]:
    """All pairs, by hash."""
    ordered = sorted(members, key=lambda member: member.model)
    width = next((member.head.size for member in ordered if member.head is not None), 1)
    heads = np.zeros((len(ordered), width), np.float32)
    for place, member in enumerate(ordered):
        if member.head is not None:
            heads[place] = member.head
    likeness: dict[tuple[int, int], float] = {}
    for start in range(0, len(ordered), _BLOCK):
        alike = heads[start : start + _BLOCK] @ heads[start:].T
        for row, column in np.argwhere(alike >= LIKE):
            if row < column:
                likeness[start + int(row), start + int(column)] = float(alike[row, column])
    built = _of_one_geometry(ordered)
    return [
        Pair(
            ordered[i].model,
            ordered[j].model,
            round(likeness.get((i, j), float(heads[i] @ heads[j])), 4),
            (i, j) in built,
        )
        for i, j in sorted(likeness.keys() | built)
    ]


def _of_one_geometry(members: Sequence[Member]) -> set[tuple[int, int]]:
    by_form: dict[tuple[int, int, str], list[int]] = {}
    for place, member in enumerate(members):
        form = (member.survey.head_vertices, member.survey.face_vertices, member.mapping)
        if member.survey.head_vertices:
            by_form.setdefault(form, []).append(place)
    pairs = set()
    for places in by_form.values():
        for at, i in enumerate(places):
            for j in places[at + 1 :]:
                edges = zip(members[i].survey.head_box, members[j].survey.head_box, strict=True)
                if all(abs(one - other) <= _SAME_PLACE for one, other in edges):
                    pairs.add((i, j))
    return pairs


def groups(members: Sequence[ListedModel], pairs: Sequence[Pair]) -> list[tuple[str, ...]]:
    """The models' hashes, those of one character together, each group sorted and all by their first."""
    first = {member.model: member.model for member in members}

    def root(model: str) -> str:
        while first[model] != model:
            first[model] = model = first[first[model]]
        return model

    for pair in pairs:
        low, high = sorted((root(pair.a), root(pair.b)))
        first[high] = low
    found: dict[str, list[str]] = {}
    for model in sorted(first):
        found.setdefault(root(model), []).append(model)
    return [tuple(models) for models in found.values()]
