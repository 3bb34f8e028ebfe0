"""Simulated annotators: each reads, decides, and writes under the version that it saw; what was accepted is noted."""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

TARGETS = ("eye/closed/both", "eye/happy", "mouth/a", "mouth/i", "mouth/o")
_ROOT = "/v1/annotations"


@dataclass
class Notes:
    """What the farm said to one annotator."""

    records: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    """By model and version: the verdicts that were written with it."""
    rows: dict[tuple[str, int], str | None] = field(default_factory=dict)
    """By row and version: the target."""
    refused: int = 0


def annotate(client: httpx.Client, collection: str, seed: int, go_on: Callable[[int], bool], notes: Notes) -> None:
    """Decide about models and names of a collection at random, as long as `go_on(decisions)`."""
    chance = random.Random(seed)
    models = client.get(f"{_ROOT}/collections/{collection}/models").json()["models"]
    rows = [row["id"] for row in client.get(f"{_ROOT}/collections/{collection}/table").json()["rows"]]
    done = 0
    while go_on(done):
        if chance.random() < 0.3:
            _decide_name(client, collection, chance.choice(rows[:3]), chance, notes)
        else:
            _decide_model(client, chance.choice(models), chance, notes)
        done += 1


def _decide_model(client: httpx.Client, model: dict[str, Any], chance: random.Random, notes: Notes) -> None:
    path = f"{_ROOT}/models/{model['id']}"
    seen = client.get(path).json()["record"]
    verdicts = {target: {"status": one["status"], "morph": one["morph"]} for target, one in seen["verdicts"].items()}
    target = chance.choice(TARGETS)
    if target in verdicts:
        del verdicts[target]
    else:
        verdicts[target] = {"status": "rejected", "morph": None}
    answer = client.put(path, json={"verdicts": verdicts}, headers={"If-Match": f'"{seen["version"]}"'})
    if answer.status_code == 412:
        notes.refused += 1
        return
    assert answer.status_code == 200, answer.text
    record = answer.json()["record"]
    assert record["version"] == seen["version"] + 1
    notes.records[model["id"], record["version"]] = verdicts


def _decide_name(client: httpx.Client, collection: str, row: str, chance: random.Random, notes: Notes) -> None:
    path = f"{_ROOT}/collections/{collection}/rows/{row}"
    seen = client.get(path).json()
    standing = seen["verdict"]["target"] if seen["verdict"] else ""
    target = chance.choice([target for target in (*TARGETS, None) if target != standing])
    answer = client.put(path, json={"target": target}, headers={"If-Match": f'"{seen["version"]}"'})
    if answer.status_code == 412:
        notes.refused += 1
        return
    assert answer.status_code == 200, answer.text
    assert answer.json()["version"] > seen["version"]
    notes.rows[row, answer.json()["version"]] = target


def at_once(clients: Sequence[httpx.Client], collection: str, go_on: Callable[[int], bool]) -> list[Notes]:
    """All annotators at a time; their notes. Raises what one of them did."""
    notes = [Notes() for _ in clients]
    broken: list[BaseException] = []

    def work(number: int) -> None:
        try:
            annotate(clients[number], collection, number, go_on, notes[number])
        except BaseException as error:  # noqa: BLE001 - told below
            broken.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
    return notes
