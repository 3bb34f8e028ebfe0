"""Writes the tables of ``docs/reference/pose-spaces.md`` from the spaces' files: ``python -m tools.pose_spaces``."""

from pathlib import Path

from farm.spaces.limbs import LIMBS
from farm.spaces.reading import Group, Move, Parameter, Way
from farm.spaces.space import Space, space_named, space_names

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "pose-spaces.md"
_AXES = ("nods", "tilts", "turns")
_SIDES = ("left", "right")
_LIMB_WORDS = {
    "upper_arm": "upper arm", "arm_twist": "upper arm (its twist bone)", "lower_arm": "forearm",
    "forearm_twist": "forearm (its twist bone)", "upper_leg": "thigh", "lower_leg": "shin",
}  # fmt: skip


def table(space: Space) -> str:
    """The entries of a space in order, and below them how its groups are drawn."""
    owner = {entry: (g, p) for g in space.file.group for p in g.parameter for entry in p.entries}
    lines = ["| | entry | range | what plays it |", "|---|---|---|---|"]
    for place, (entry, bounds) in enumerate(zip(space.entries, space.ranges, strict=True)):
        parameter = owner[entry][1]
        side = _SIDES[parameter.entries.index(entry)] if len(parameter.entries) == 2 else ""
        lines.append(f"| {place} | `{entry}` | {bounds[0]:g} to {bounds[1]:g} | {_ways(parameter, side)} |")
    rule = space.file.samples
    lines += ["", "| group | parameters | drawn |", "|---|---|---|"]
    lines += [
        f"| {g.name} | {', '.join(p.name for p in g.parameter) or 'by `extended`'} | {_rule(g)} |"
        for g in space.file.group
    ]
    counted = f"{rule.many} with more than {rule.more_than} annotated targets of the space, otherwise {rule.few}"
    lines += ["", f"Samples: {rule.many if rule.many == rule.few else counted}."]
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with its tables as the files have them now."""
    for name in space_names():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        after = rest.split(end)[1]
        text = f"{before}{begin}\n{table(space_named(name))}\n{end}{after}"
    return text


def _ways(parameter: Parameter, side: str) -> str:
    return "; else ".join(_way(way, side) for way in parameter.by)


def _way(way: Way, side: str) -> str:
    if way.target:
        said = f"`{way.target}`" + (f", {side}" if side else "")
        return said + (f"; below 0 `{way.against}`" if way.against else "")
    if way.names:
        return "morphs called " + ", ".join(way.names) + (f", {side}" if side else "")
    if way.head is not None:
        ((axis, degrees),) = ((axis, degrees) for axis, degrees in enumerate(way.head) if degrees)
        return f"the neck bone {_AXES[axis]} by {_number(degrees)}° a unit"
    return ", ".join(_move(move, side) for move in way.moves)


def _move(move: Move, side: str) -> str:
    if move.bone in LIMBS:
        ((axis, degrees),) = ((axis, degrees) for axis, degrees in enumerate(move.turn) if degrees)
        degrees = -degrees if side == "right" and axis > 0 else degrees
        return f"the {side} {_LIMB_WORDS.get(move.bone, move.bone)} by {_number(degrees)}° a unit about {'XYZ'[axis]}"
    bone = {"eye": f"the {side} eye's bone" if side else "both eyes' bones", "upper_body": "the upper body's bone"}.get(
        move.bone, f"the {move.bone}'s bone"
    )
    if any(move.turn):
        ((axis, degrees),) = ((axis, degrees) for axis, degrees in enumerate(move.turn) if degrees)
        degrees = -degrees if side == "right" and axis > 0 else degrees
        most = f", {_number(move.reach)} head heights at most" if move.reach else ""
        return f"{bone} {_AXES[axis]} by {_number(degrees)}°{most}"
    ways = zip(("to the left", "back", "up"), move.move, strict=True)
    return f"{bone} goes " + " and ".join(f"{_number(way)} {where}" for where, way in ways if way) + " (head heights)"


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _rule(group: Group) -> str:
    said = ["one at a time"] if group.plays == "one" else ["each by itself"]
    if group.sets:
        said = ["one of " + ", ".join(" + ".join(each) for each in group.sets)]
    if any(len(parameter.entries) == 2 for parameter in group.parameter) and not group.sets:
        shares = {side: getattr(group.sides, side) for side in ("both", "left", "right", "apart")}
        said.append("sides " + ", ".join(f"{side} {share:g}" for side, share in shares.items() if share))
    if group.rest:
        said.append(f"rests in {group.rest:.0%}")
    if group.alone:
        said.append(f"plays in {group.alone:.0%}, and then alone")
    if group.still_when_frontal or any(way.head for parameter in group.parameter for way in parameter.by):
        said.append("still in the frontal partition")
    return "; ".join(said)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
