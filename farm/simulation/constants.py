"""The numbers that the simulation stands on, out of `constants.toml`, where each has its source."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any


class Kind(StrEnum):
    """Whose word a number is."""

    MEASURED = "measured"
    """By this project, on the machine that the source names."""
    OURS = "ours"
    """A default of this project's; a test holds it to where it is set."""
    DOCUMENTED = "documented"
    """Others say that their programs, or their data, are so."""
    ASSUMED = "assumed"
    """Nobody has measured it for the cluster in question; an option changes it."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, and where it comes from."""

    section: str
    name: str
    value: float
    kind: Kind
    source: str


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads((files("farm.simulation") / "constants.toml").read_text("utf-8"))


def constants() -> Iterator[Constant]:
    """All of them, in the file's order."""
    tables = _tables()
    machines = {f"machine.{name}": table for name, table in tables["machine"].items()}
    for section, table in {**machines, **{name: table for name, table in tables.items() if name != "machine"}}.items():
        for name, entry in table.items():
            if isinstance(entry, dict):
                yield Constant(section, name, float(entry["value"]), Kind(entry["kind"]), entry["source"])


@cache
def value(section: str, name: str) -> float:
    """The number of this name. Raises KeyError."""
    return next(known.value for known in constants() if (known.section, known.name) == (section, name))


@dataclass(frozen=True, slots=True)
class Machine:
    """A worker's machine, with one Blender on it."""

    name: str
    ready_seconds: float
    """Before a model's first image."""
    images_per_second: float
    """From then on, with encoding and uploading."""

    def seconds(self, images: int) -> float:
        """Of an attempt at so many images."""
        return self.ready_seconds + images / self.images_per_second


MACHINES = ("gpu", "cpu")


def machine(name: str) -> Machine:
    """One of `MACHINES`, as it was measured."""
    section = f"machine.{name}"
    ready = value(section, "ready_seconds")
    rate = value(section, "model_images") / (value(section, "model_seconds") - ready)
    return Machine(_tables()["machine"][name]["name"], ready, rate)
