"""Fit the weights of the decision on annotated characters: a logistic regression for each semantic.

Names mislead, so each morph counts again with its name hidden, and again with the names of all morphs of its part, shared
out: what moves has to explain what a name does not. Ridge penalties keep the few hundred numbers small.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from benchmarks.annotated import Character
from farm.morphs.naming import Naming, Promise, naming, part_of, semantic_of, side_of
from farm.morphs.panels import Panel
from farm.morphs.scoring import PROMISED, STRAYING, Weights
from farm.morphs.traits import PARTS, TRAITS, face_of, traits
from farm.morphs.vocabulary import Side, target_morphs

SEMANTICS = tuple(dict.fromkeys(semantic_of(target.name) for target in target_morphs()))
COUNTS = {"eye": (1.0, 0.3, 0.3), "eyebrow": (1.0, 0.3, 0.3), "mouth": (1.0, 0.1, 0.1)}
"""How much a morph counts as it is named, with its name hidden, with the others' names. Less for mouths: which
vowel a shape is, often only its name tells."""
ROUGH = {"eye": 0.5, "eyebrow": 0.25, "mouth": 0.0}
"""How much of that a morph counts, as none that plays the semantic, which plays it only roughly: a smile is no blink, but
vowels have no line between properly and roughly."""
NAME_PENALTY, TRAIT_PENALTY = 0.5, {"eye": 2.0, "eyebrow": 2.0, "mouth": 4.0}
_PROMISES = tuple(Promise)
_PANELS = {"eye": Panel.EYE, "eyebrow": Panel.EYEBROW, "mouth": Panel.MOUTH}


@dataclass(frozen=True)
class Sheet:
    """One character's morphs as rows to fit on."""

    character: Character

    @cached_property
    def names(self) -> list[Naming]:
        """What the name of each morph promises."""
        return [naming(morph.name, morph.panel) for morph in self.character.morphs]

    @cached_property
    def measured(self) -> list[dict[str, dict[str, float]]]:
        """The traits of each morph, by part."""
        face = face_of(self.names, self.character.evidence)
        return [
            {part: traits(part, self.character.evidence[index], face) for part in PARTS}
            for index in range(len(self.character.morphs))
        ]

    @cached_property
    def rows(self) -> dict[str, np.ndarray]:
        """By semantic (n, traits + 4): traits, promise's place, whether it plays the semantic, how much it counts, whether it
        stands with its own name."""
        return {semantic: self._rows(semantic) for semantic in SEMANTICS}

    def _rows(self, semantic: str) -> np.ndarray:
        part = part_of(semantic)
        verdicts = [verdict for target, verdict in self.character.truth.items() if semantic_of(target) == semantic]
        best = {index for verdict in verdicts for index in verdict.best}
        uncounted = {index for verdict in verdicts for index in verdict.uncounted} - best
        of_part = [
            i for i, name in enumerate(self.names) if name.panel in (None, Panel.SYSTEM, Panel.OTHER, _PANELS[part])
        ]
        dealt = dict.fromkeys(Promise, 0.0)
        for index in of_part:
            dealt[self.names[index].promise(semantic)] += 1 / len(of_part)
        found = []
        for index, name in enumerate(self.names):
            measured = self.measured[index][part]
            if not measured:
                continue
            promise, plays = name.promise(semantic), float(index in best)
            as_named, hidden, dealt_anew = (
                ROUGH[part] * count if index in uncounted else count for count in COUNTS[part]
            )
            ways = [(promise, as_named)]
            if promise is not Promise.ELSEWHERE:
                ways.append((Promise.UNKNOWN, hidden))
            if index in of_part:
                ways += [(each, dealt_anew * share) for each, share in dealt.items() if share]
            values = [measured[trait] for trait in TRAITS[part]]
            found += [
                [*values, _PROMISES.index(each), plays, count, way == 0] for way, (each, count) in enumerate(ways)
            ]
        return np.array(found, np.float64).reshape(-1, len(TRAITS[part]) + 4)


def fit(sheets: Sequence[Sheet]) -> Weights:
    """The weights that explain `sheets` best."""
    scales = {part: _scales(part, sheets) for part in PARTS}
    names, shares = {}, {}
    for semantic in SEMANTICS:
        names[semantic], shares[semantic] = _fit(semantic, np.concatenate([s.rows[semantic] for s in sheets]), scales)
    alone = {semantic: _alone(semantic, sheets) for semantic in SEMANTICS}
    raw = Weights(scales, names, shares, alone, _true_sides(sheets), (1.0, 0.0))
    return replace(raw, calibration=_calibration(raw, sheets))


def _scales(part: str, sheets: Iterable[Sheet]) -> dict[str, tuple[float, float]]:
    semantic = next(each for each in SEMANTICS if part_of(each) == part)
    rows = np.concatenate([sheet.rows[semantic] for sheet in sheets])
    at_home = rows[(rows[:, -1] == 1) & (rows[:, -4] != _PROMISES.index(Promise.ELSEWHERE))]
    return {
        trait: (round(float(column.mean()), 4), round(float(column.std()) + 1e-3, 4))
        for trait, column in zip(TRAITS[part], at_home.T, strict=False)
    }


def _fit(
    semantic: str, rows: np.ndarray, scales: dict[str, dict[str, tuple[float, float]]]
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    part = part_of(semantic)
    count = len(TRAITS[part])
    middles, spreads = np.array(list(scales[part].values())).T
    standard = np.clip((rows[:, :count] - middles) / spreads, -STRAYING, STRAYING)
    promises = np.eye(len(_PROMISES))[rows[:, -4].astype(int)]
    design = np.hstack([np.ones((len(rows), 1)), promises, standard, standard**2])
    penalty = np.array([0.01] + [NAME_PENALTY] * len(_PROMISES) + [TRAIT_PENALTY[part]] * (2 * count))
    found = _logistic(design, rows[:, -3], rows[:, -2], penalty)
    named = found[1 : 1 + len(_PROMISES)] + found[0]
    linear, square = found[1 + len(_PROMISES) :].reshape(2, count)
    return (
        {promise: round(float(logits), 3) for promise, logits in zip(_PROMISES, named, strict=True)},
        {
            trait: (round(float(one), 3), round(float(two), 3))
            for trait, one, two in zip(TRAITS[part], linear, square, strict=True)
        },
    )


def _logistic(design: np.ndarray, plays: np.ndarray, counts: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Newton's method, with steps of 3 logits at most."""
    found = np.zeros(design.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(design @ found, -30, 30)))
        slope = design.T @ (counts * (plays - chance)) - penalty * found
        bend = design.T @ (design * (counts * chance * (1 - chance))[:, None]) + np.diag(penalty)
        step = np.linalg.solve(bend, slope)
        found += step / max(1.0, np.abs(step).max() / 3)
        if np.abs(step).max() < 1e-6:
            break
    return found


def _alone(semantic: str, sheets: Iterable[Sheet]) -> dict[str, float]:
    """How often a name that promises `semantic` keeps it, on whichever side."""
    kept, counted = dict.fromkeys(PROMISED, 0.5), dict.fromkeys(PROMISED, 1.0)
    for sheet in sheets:
        rows = sheet.rows[semantic]
        for row in rows[rows[:, -1] == 1]:
            promise = _PROMISES[int(row[-4])]
            if promise in PROMISED:
                counted[promise] += 1
                kept[promise] += row[-3]
    return {promise: round(kept[promise] / counted[promise], 3) for promise in PROMISED}


def _true_sides(sheets: Iterable[Sheet]) -> float:
    """How often a proper morph that moves one side is named for that side."""
    kept, counted = 0.5, 1.0
    for sheet in sheets:
        for target, verdict in sheet.character.truth.items():
            if side_of(target) is not Side.BOTH:
                counted += len(verdict.best)
                kept += sum(sheet.names[index].usual_side is side_of(target) for index in verdict.best)
    return round(kept / counted, 3)


def _calibration(raw: Weights, sheets: Iterable[Sheet]) -> tuple[float, float]:
    logits, plays, counts = [], [], []
    for sheet in sheets:
        for semantic, rows in sheet.rows.items():
            part = part_of(semantic)
            for row in rows[rows[:, -1] == 1]:
                promise = _PROMISES[int(row[-4])]
                if promise in PROMISED:
                    chance = raw.score(semantic, promise, dict(zip(TRAITS[part], row, strict=False))).confidence
                    logits.append(np.log(chance / (1 - chance)))
                    plays.append(row[-3])
                    counts.append(row[-2])
    design = np.array([logits, np.ones(len(logits))]).T
    slope, offset = _logistic(design, np.array(plays), np.array(counts), np.array([1e-3, 1e-3]))
    return round(float(slope), 3), round(float(offset), 3)


def written(weights: Weights, count: int) -> str:
    """`weights.toml`."""
    lines = [
        f"# How names and traits speak for a semantic. Fitted by `python -m benchmarks.annotation --write` on {count} real",
        "# characters that a person annotated by looking (measurements and names only). Not to be edited by hand.",
        "#",
        "# scales: the middle and the spread of each trait. names: logits of each promise, with the constant term in them.",
        "# traits: logits for each spread from the middle, and for its square.",
        "# alone: how often a name without measurement is right, on whichever side. true_sides: how often its side is, too.",
        "# calibration: slope and offset from logits to those of how often a named morph is right.",
        f"true_sides = {weights.true_sides}",
        f"calibration = [{weights.calibration[0]}, {weights.calibration[1]}]",
    ]
    for part, table in weights.scales.items():
        lines += ["", f"[scales.{part}]", *(f"{trait} = [{a}, {b}]" for trait, (a, b) in table.items())]
    for kind, tables in (("names", weights.names), ("alone", weights.alone)):
        for semantic, values in tables.items():
            lines += ["", f'[{kind}."{semantic}"]', *(f"{promise} = {value}" for promise, value in values.items())]
    for semantic, pairs in weights.traits.items():
        lines += ["", f'[traits."{semantic}"]', *(f"{trait} = [{a}, {b}]" for trait, (a, b) in pairs.items())]
    return "\n".join(lines) + "\n"
