"""What `farm inspect` says of motion files, and of what a model makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from farm.cli.console import note, say_json, stdout
from farm.errors import FarmError
from farm.models.package import open_model
from farm.motion.channels import Channel
from farm.motion.description import Motion
from farm.motion.reading import SUFFIXES, open_motion
from farm.motion.retargeting import Retargeted
from farm.wording import clean, counted

_FEW = 40
"""Names that a model lacks, shown of each kind; --json has them all."""


@dataclass(frozen=True, slots=True)
class ShownMotion:
    """One motion, and what the model lacks of it."""

    path: Path
    motion: Motion
    retargeted: Retargeted | None


def is_motion(path: Path) -> bool:
    """Whether the path is that of a motion file."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def inspect_motions(paths: Sequence[Path], model: Path | None, as_json: bool) -> bool:
    """Show motion files; whether all could be read. Raises FarmError for a model that cannot be used."""
    files = open_model(model) if model is not None else None
    annotation: dict[str, int] = {}
    if files is not None:
        annotation = {target: morph.index for target, morph in files.package().inventory.annotation.items()}
    good = True
    for path in paths:
        try:
            motion = open_motion(path)
        except (FarmError, OSError) as error:
            good = False
            note(error.code if isinstance(error, FarmError) else "unreadable", "red", f"{path}: {error}")
            continue
        retargeted = Retargeted(motion, files.character, annotation) if files is not None else None
        found = ShownMotion(path, motion, retargeted)
        if as_json:
            say_json(_record(found))
        else:
            _show(found)
    return good


def _keys(*channels: Channel | None) -> int:
    return max((len(channel.times) for channel in channels if channel is not None), default=0)


def _record(found: ShownMotion) -> dict[str, Any]:
    motion = found.motion
    record: dict[str, Any] = {
        "path": str(found.path),
        "format": motion.format,
        "made_for": motion.made_for,
        "seconds": motion.seconds,
        "rate": motion.rate,
        "frames": motion.frames(motion.rate) if motion.rate is not None else None,
        "bones": [{"name": track.name, "keys": _keys(track.moves, track.turns)} for track in motion.bones],
        "morphs": [{"name": track.name, "keys": _keys(track.weights)} for track in motion.morphs],
        "gaze": motion.look is not None,
        "skipped": dict(motion.skipped),
        "warnings": list(motion.warnings),
    }
    if found.retargeted is not None:
        record |= {
            "absent_bones": list(found.retargeted.absent_bones),
            "absent_morphs": list(found.retargeted.absent_morphs),
        }
    return record


def _show(found: ShownMotion) -> None:
    motion = found.motion
    frames = f", {counted(motion.frames(motion.rate), 'frame')} at {motion.rate:g} a second" if motion.rate else ""
    facts = Table.grid(padding=(0, 2))
    rows = [
        ("file", str(found.path)),
        ("format", motion.format),
        ("made for", motion.made_for),
        ("length", f"{motion.seconds:.2f} s{frames}"),
        ("moves", f"{counted(len(motion.bones), 'bone')}, {counted(len(motion.morphs), 'morph')}"),
        ("not read", ", ".join(f"{counted(count, 'key')} of {what}" for what, count in motion.skipped.items())),
    ]
    if found.retargeted is not None:
        bones, morphs = found.retargeted.absent_bones, found.retargeted.absent_morphs
        rows += [("bones that the model lacks", _few(bones)), ("morphs that the model lacks", _few(morphs))]
    for name, value in rows:
        facts.add_row(escape(name), escape(clean(value)))
    stdout.print(facts)
    names = Table("moves", "keys", title="Bones and morphs", title_justify="left", box=SIMPLE_HEAD)
    for track in motion.bones:
        names.add_row(escape(clean(track.name)), str(_keys(track.moves, track.turns)))
    for played in motion.morphs:
        names.add_row(escape(clean(played.name)), str(_keys(played.weights)))
    stdout.print(names)
    for warning in motion.warnings:
        note("warning", "yellow", warning)


def _few(names: Sequence[str]) -> str:
    more = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {more} more" if more > 0 else "") if names else "none"
