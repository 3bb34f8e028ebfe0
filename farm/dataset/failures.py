"""The models of a folder that cannot be drawn, remembered so that a run does not try them each time it goes on.

`failed.jsonl` holds one JSON object a line. Only what no other attempt would end better is noted (the job *failed*); the
render key says what was tried, so another specification or another Facefarm tries again.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from farm.dataset.output import replacing

FAILED = "failed.jsonl"


@dataclass(frozen=True, slots=True, order=True)
class Failure:
    """One model that cannot be drawn as it was asked for."""

    name: str
    model: str
    render_key: str
    code: str
    error: str


class Failures:
    """Those of the folder `out`."""

    def __init__(self, out: Path) -> None:
        self._path = out / FAILED
        self._known = {failure.render_key: failure for failure in _read(self._path)}

    def find(self, render_key: str) -> Failure | None:
        """The failure of this key, if it is known."""
        return self._known.get(render_key)

    def add(self, failure: Failure) -> None:
        """Note one, so that it is known whenever the process is killed."""
        self._known[failure.render_key] = failure
        self._write()

    def drop(self, render_key: str) -> None:
        """It was drawn after all."""
        if self._known.pop(render_key, None) is not None:
            self._write()

    def drop_model(self, model: str) -> None:
        """Nothing is left to be known of a model."""
        kept = {key: failure for key, failure in self._known.items() if failure.model != model}
        if len(kept) < len(self._known):
            self._known = kept
            self._write()

    def _write(self) -> None:
        if not self._known:
            self._path.unlink(missing_ok=True)
            return
        with replacing(self._path) as path, path.open("w", encoding="utf-8") as file:
            for failure in sorted(self._known.values()):
                file.write(json.dumps(asdict(failure), ensure_ascii=False) + "\n")


def _read(path: Path) -> list[Failure]:
    """Lines that are no failures, from another version, are passed over: their models are tried again."""
    found = []
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    values = json.loads(line)
                    found.append(Failure(**{name: str(values[name]) for name in Failure.__slots__}))
                except (ValueError, KeyError, TypeError):
                    continue
    except FileNotFoundError:
        pass
    return found
