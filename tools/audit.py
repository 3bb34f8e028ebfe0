#!/usr/bin/env python3
"""Looks every pinned package up among the known vulnerabilities: `make check` calls it.

usage: tools/audit.py [--require] [--service URL] [LOCK...]

Asks OSV (https://osv.dev), which has PyPI's and GitHub's advisories, in one request for all pins of requirements/*.txt.
Where nobody answers, on a machine without a network, a line says so and the code is 0; with --require it is 1. A
vulnerability is 1, unless requirements/accepted-advisories.txt names it with the reason why it does not matter here.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx

SERVICE = "https://api.osv.dev"
LOCKS = Path(__file__).resolve().parents[1] / "requirements"
ACCEPTED = "accepted-advisories.txt"
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_SECONDS = 10.0
_AT_ONCE = 500
"""Queries of one request; OSV takes a thousand."""

type Pin = tuple[str, str]
"""Name and version."""


class NoAnswerError(Exception):
    """The service cannot be reached, or says nothing that can be read."""


def pins(locks: Iterable[Path]) -> list[Pin]:
    """What the lock files pin, each once."""
    return sorted({(name.lower(), version) for lock in locks for name, version in _PIN.findall(lock.read_text())})


def advisories(service: str, wanted: Sequence[Pin]) -> dict[Pin, set[str]]:
    """The ids of the known vulnerabilities of each pin that has some. Raises NoAnswerError."""
    found: dict[Pin, set[str]] = {}
    waiting: list[tuple[Pin, str]] = [(pin, "") for pin in wanted]
    try:
        with httpx.Client(base_url=service, timeout=_SECONDS) as client:
            while waiting:
                asked, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
                answer = client.post("/v1/querybatch", json={"queries": [_query(*one) for one in asked]})
                results = answer.raise_for_status().json()["results"]
                for (pin, _), result in zip(asked, results, strict=True):
                    if ids := {vulnerability["id"] for vulnerability in result.get("vulns", ())}:
                        found.setdefault(pin, set()).update(ids)
                    if page := result.get("next_page_token"):
                        waiting.append((pin, page))
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason, *_ = f"{type(error).__name__}: {error}".splitlines()
        raise NoAnswerError(reason) from error
    return found


def _query(pin: Pin, page: str) -> dict[str, Any]:
    query: dict[str, Any] = {"package": {"name": pin[0], "ecosystem": "PyPI"}, "version": pin[1]}
    return query | ({"page_token": page} if page else {})


def accepted(folder: Path) -> dict[str, str]:
    """Advisories that do not matter here, with the reason."""
    path = folder / ACCEPTED
    lines = (
        (line.partition("#")[0].split(maxsplit=1) for line in path.read_text().splitlines()) if path.exists() else ()
    )
    return {words[0]: words[1].strip() if len(words) > 1 else "" for words in lines if words}


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, report, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("locks", nargs="*", type=Path, metavar="LOCK", help="lock files; without: all of requirements/")
    parser.add_argument("--service", default=SERVICE, help="where OSV's API is (%(default)s)")
    parser.add_argument("--require", action="store_true", help="fail where the service does not answer")
    asked = parser.parse_args(arguments)
    locks = asked.locks or [lock for lock in sorted(LOCKS.glob("*.txt")) if lock.name != ACCEPTED]
    wanted, excused = pins(locks), accepted(locks[0].parent)
    if not wanted:
        print(f"audit: nothing is pinned in {', '.join(map(str, locks))}", file=sys.stderr)
        return 1
    if bare := [name for name, reason in excused.items() if not reason]:
        print(f"audit: say in {ACCEPTED} why {', '.join(bare)} does not matter", file=sys.stderr)
        return 1
    try:
        found = advisories(asked.service, wanted)
    except NoAnswerError as error:
        print(f"audit: skipped, {asked.service} does not answer ({error}); {len(wanted)} pins were not looked up")
        return 1 if asked.require else 0
    bad = {pin: sorted(ids - excused.keys()) for pin, ids in found.items() if ids - excused.keys()}
    for (name, version), ids in sorted(bad.items()):
        links = ", ".join(f"https://osv.dev/vulnerability/{number}" for number in ids)
        print(f"audit: {name} {version}: {links}", file=sys.stderr)
    if bad:
        print(f"audit: renew what is named (`make lock`), or accept it with a reason in {ACCEPTED}", file=sys.stderr)
        return 1
    print(f"audit: no known vulnerability in {len(wanted)} pins" + (f", {len(excused)} accepted" if excused else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
