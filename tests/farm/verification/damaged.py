"""What is found in a rendered folder, and where its files are."""

from pathlib import Path

from farm.verification.findings import Fault, Finding
from farm.verification.verify import verify
from tests.support.packed import model_id


def found(out: Path) -> list[Finding]:
    return list(verify(out, 1, lambda report: None))


def faults(out: Path) -> set[tuple[Fault, str]]:
    return {(finding.fault, finding.where) for finding in found(out)}


def folder(out: Path, label: str) -> Path:
    return out / f"{label}-{model_id(label)[:8]}"


def picture(out: Path, label: str, sample: int, style: str = "flat", partition: str = "rotated") -> Path:
    place = folder(out, label)
    return place / style / partition / f"{place.name}_{sample:05d}.png"


def at(out: Path, path: Path) -> str:
    return path.relative_to(out).as_posix()
