"""What a person decided about the use of a model: who, when and why, a line each, and the last one counts.

The file ``licence-decisions.jsonl`` stands in the rendered folder, or wherever a collection's decisions are kept.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from farm.errors import StorageError
from farm.licences.terms import Permission
from farm.wording import mistake

DECISIONS = "licence-decisions.jsonl"
MAX_BYTES = 256 * 2**20


class LicenceDecision(BaseModel):
    """What somebody decided about one model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(pattern="^[0-9a-f]{64}$")
    allows: tuple[Permission, ...] = ()
    denies: tuple[Permission, ...] = ()
    who: str = Field(min_length=1, max_length=200)
    when: AwareDatetime
    why: str = Field(min_length=1, max_length=2000)

    def source(self) -> str:
        """Whose word it is, for people."""
        return f"{self.who}, {self.when:%Y-%m-%d}: {self.why}"


class Decisions:
    """All decisions of one file, by model; where there is no file, none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._standing: dict[str, dict[Permission, tuple[bool, LicenceDecision]]] = {}
        for decision in _read(path):
            self._count(decision)

    def _count(self, decision: LicenceDecision) -> None:
        standing = self._standing.setdefault(decision.model, {})
        standing |= dict.fromkeys(decision.allows, (True, decision))
        standing |= dict.fromkeys(decision.denies, (False, decision))

    def of(self, model: str) -> Mapping[Permission, tuple[bool, LicenceDecision]]:
        """What stands about a model: whether it is allowed, and by whose decision."""
        return self._standing.get(model, {})

    def add(self, decision: LicenceDecision) -> None:
        """Write a decision; what stood before stays in the file. Raises StorageError when it cannot be written."""
        append_line(self.path, decision)
        self._count(decision)


def append_line(path: Path, record: BaseModel) -> None:
    """Append a record to a file of JSON lines, for good. Raises StorageError."""
    line = record.model_dump_json().encode() + b"\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "ab") as file:
            file.write(line)  # one write: lines of two writers do not mix
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise StorageError(f"{path} cannot be written ({error.strerror}); nothing was recorded.") from error


def read_lines[R: BaseModel](path: Path, kind: type[R]) -> Iterator[R]:
    """The records of a file of JSON lines. Raises StorageError for one that is damaged."""
    if not path.exists():
        return
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
        raise StorageError(f"{path} is no plain file of at most {MAX_BYTES // 2**20} MiB.")
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield kind.model_validate_json(line)
            except ValidationError as error:
                raise StorageError(
                    f"Line {number} of {path} is damaged ({mistake(error.errors()[0])}); mend or remove that line."
                ) from error


def _read(path: Path) -> Iterator[LicenceDecision]:
    return read_lines(path, LicenceDecision)
