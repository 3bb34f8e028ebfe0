"""Ten annotators at once: what the farm accepted stands in the store, all of it and nothing else.

`make annotators` lets them work for a minute.
"""

import os
import time
from contextlib import ExitStack
from typing import Any

import httpx

from tests.api.annotation.conftest import Farm
from tests.api.annotation.crowd import at_once

ANNOTATORS = 10
DECISIONS = 12
"""Of each; with FARM_TEST_ANNOTATE_SECONDS, as many as they can in that time."""


def history(client: httpx.Client, path: str, what: str) -> list[dict[str, Any]]:
    """All of it, oldest first."""
    found: list[dict[str, Any]] = []
    before: int | None = 0
    while before is not None:
        page = client.get(f"{path}/history", params={"before": before, "limit": 100}).json()
        found += page[what]
        before = page["next"]
    return found[::-1]


def test_ten_annotators_leave_a_consistent_store(farm: Farm) -> None:
    farm.collect("spring", "momo", "nagi")
    deadline = time.monotonic() + float(os.environ.get("FARM_TEST_ANNOTATE_SECONDS", "0"))

    def go_on(done: int) -> bool:
        return done < DECISIONS or time.monotonic() < deadline

    with ExitStack() as stack:
        clients = [stack.enter_context(farm.client("anna" if n % 2 else "ben")) for n in range(ANNOTATORS)]
        notes = at_once(clients, "spring", go_on)
        rita = stack.enter_context(farm.client("rita"))

        # THEN nobody was told that two have written the same version
        records = [key for one in notes for key in one.records]
        rows = [key for one in notes for key in one.rows]
        assert len(records) == len(set(records))
        assert len(rows) == len(set(rows))
        assert len(records) + len(rows) + sum(one.refused for one in notes) >= ANNOTATORS * DECISIONS

        # AND the histories have every version once, as it was accepted, by whom
        for model in farm.models.values():
            versions = history(rita, f"/v1/annotations/models/{model}", "versions")
            assert [one["version"] for one in versions] == list(range(1, len(versions) + 1))
            for number, one in enumerate(notes):
                for (of, version), verdicts in one.records.items():
                    if of == model:
                        kept = versions[version - 1]
                        assert kept["who"] == ("anna" if number % 2 else "ben")
                        assert set(kept["verdicts"]) == set(verdicts)
            assert len(versions) == sum(of == model for of, _ in records)
        changes = history(rita, "/v1/annotations/collections/spring", "changes")
        assert [one["version"] for one in changes] == list(range(1, len(changes) + 1))
        assert sorted(version for _, version in rows) == [one["version"] for one in changes]

        # AND what stands is what was accepted last
        table = {row["id"]: row for row in rita.get("/v1/annotations/collections/spring/table").json()["rows"]}
        youngest = {row: max(version for of, version in rows if of == row) for row, _ in rows}
        for row, version in youngest.items():
            (target,) = (one.rows[row, version] for one in notes if (row, version) in one.rows)
            assert (table[row]["version"], table[row]["verdict"]["target"]) == (version, target)
    print(f"{len(records)} records and {len(rows)} names decided, {sum(one.refused for one in notes)} refused")
