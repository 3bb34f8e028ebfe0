"""Annotation by REST: records of models, verdicts on collections, tables in and out, and who may not overwrite whom."""

import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from farm.keys import Role, entry_for, new_key
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import upload_form
from tests.api.rest.conftest import FREE
from tests.api.rest.requests import assert_problem, only_job, ref_in, submit, upload
from tests.farm.models import made_files as made
from tests.support import servers

KEYS = {name: new_key() for name in ("alice", "bob", "reader")}
ROOT = "/v1/annotations"
HOSTILE = "=HYPERLINK(1)"


class People:
    """Clients of one API, each with a key of its own."""

    def __init__(self, url: str) -> None:
        self.alice, self.bob, self.reader = (
            httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=servers.PATIENCE_SECONDS, trust_env=False)
            for key in KEYS.values()
        )

    def close(self) -> None:
        for client in (self.alice, self.bob, self.reader):
            client.close()


@pytest.fixture(scope="module")
def people(api_redis: str, folder: Path) -> Iterator[People]:
    """A farm whose operator wants only confirmed annotations to count."""
    roles = {"alice": [Role.ANNOTATE, Role.SUBMIT], "bob": [Role.ANNOTATE], "reader": [Role.READ]}
    environment = {
        "FARM_REDIS_URL": api_redis,
        "FARM_STORAGE_URL": f"file://{folder}/keyed-store",
        "FARM_API_KEYS": ",".join(entry_for(name, roles[name], key) for name, key in KEYS.items()),
        "FARM_ANNOTATION": "confirmed",
        **FREE,
    }
    (folder / "keyed").mkdir()
    with servers.api_server(folder / "keyed", environment) as server, closing(People(server.url)) as people:
        yield people


@pytest.fixture(scope="module")
def models(people: People, mascots: dict[str, Path]) -> list[str]:
    """The two mascots, and a model of whose morphs one is named as a formula."""
    character = made.names_twice()
    character = replace(character, morphs=(*character.morphs, replace(character.morphs[-1], name=HOSTILE)))
    uploads = [upload_form(mascots["nagi"]), upload_form(mascots["momo"]), ("odd.pmx", pmx_bytes(character))]
    answers = [upload(people.alice, *form) for form in uploads]
    return [answer.json()["models"][0]["id"] for answer in answers]


@pytest.fixture
def collection(people: People, models: list[str], request: pytest.FixtureRequest) -> str:
    """A collection of the test's own."""
    name = request.node.name.replace("test_", "")[:60]
    answer = people.alice.post(f"{ROOT}/collections", json={"name": name, "models": models})
    assert answer.status_code == 201, answer.text
    return f"{ROOT}/collections/{name}"


def table_of(api: httpx.Client, collection: str) -> list[dict[str, Any]]:
    """The table's rows, read page by page."""
    found: list[dict[str, Any]] = []
    after = ""
    while after is not None:
        page = api.get(f"{collection}/table", params={"after": after, "limit": 7}).json()
        found += page["rows"]
        after = page["next"]
    return found


def rows_of(api: httpx.Client, collection: str) -> dict[str, dict[str, Any]]:
    """The same by name; of several panels' rows of a name, the last."""
    return {row["name"]: row for row in table_of(api, collection)}


def put(api: httpx.Client, path: str, etag: str, body: dict[str, Any], **query: object) -> httpx.Response:
    return api.put(path, json=body, headers={"If-Match": etag} if etag else {}, params=query)  # type: ignore[arg-type]


def test_a_record_is_written_shown_and_undone(people: People, models: list[str]) -> None:
    path = f"{ROOT}/models/{models[0]}"
    first = people.reader.get(path)
    ref = ref_in(people.reader, models[0], "あ")
    body = {
        "verdicts": {"mouth/a": {"status": "confirmed", "morph": "あ"}, "mouth/o": {"status": "rejected"}},
        "why": "seen",
    }

    tried = put(people.alice, path, first.headers["ETag"], body, save="false").json()
    saved = put(people.alice, path, first.headers["ETag"], body)
    now = people.reader.get(path)

    assert first.json()["record"] == {
        "version": 0, "verdicts": {}, "idle": [], "who": "", "when": None, "why": "", "restores": None
    }  # fmt: skip
    assert first.json()["rule"] == {
        "proposals": {"target_morphs": 23, "samples": 100}, "confirmed": {"target_morphs": 0, "samples": 20}
    }  # fmt: skip
    assert (tried["saved"], saved.json()["saved"]) == (False, True)
    assert tried["rule"] == saved.json()["rule"] == now.json()["rule"]
    assert saved.json()["before"] == first.json()["rule"]
    assert now.json()["rule"]["confirmed"] == {"target_morphs": 1, "samples": 20}
    assert now.json()["rule"]["proposals"]["target_morphs"] == 22
    assert saved.headers["ETag"] == now.headers["ETag"] != first.headers["ETag"]
    target = now.json()["targets"]["mouth/a"]
    assert (target["status"], target["morph"], target["origin"]) == ("confirmed", ref, "person")
    assert (target["who"], target["why"]) == ("alice", "seen")
    undone = people.bob.post(f"{path}/undo", headers={"If-Match": now.headers["ETag"]}, json={"why": "wrong model"})
    assert undone.json()["record"]["verdicts"] == {}
    versions = people.reader.get(f"{path}/history").json()["versions"]
    assert [(version["version"], version["who"]) for version in versions] == [(2, "bob"), (1, "alice")]
    again = people.bob.post(f"{path}/undo", headers={"If-Match": undone.headers["ETag"]})
    assert_problem(again, 409, "conflict", "Nothing is left to undo")


def test_a_stale_record_is_refused_with_who_changed_what(people: People, models: list[str]) -> None:
    path = f"{ROOT}/models/{models[1]}"
    etag = people.bob.get(path).headers["ETag"]
    put(people.alice, path, etag, {"verdicts": {"mouth/a": {"status": "rejected"}}})

    for_bob = put(people.bob, path, etag, {"verdicts": {"mouth/i": {"status": "rejected"}}})
    only_asked = put(people.bob, path, etag, {"verdicts": {}}, save="false")
    without = put(people.bob, path, "", {"verdicts": {}})
    odd = put(people.bob, path, '"of-another-thing"', {"verdicts": {}})

    assert_problem(for_bob, 412, "version-stale", "alice set mouth/a to no morph, rejected", "Nothing was written")
    assert_problem(only_asked, 412, "version-stale", "alice")
    assert_problem(without, 428, "precondition-required", "If-Match")
    assert_problem(odd, 412, "version-stale", "Read it again")
    assert set(people.bob.get(path).json()["record"]["verdicts"]) == {"mouth/a"}


def test_a_cached_record_is_not_sent_again_until_a_group_changes_it(
    people: People, collection: str, models: list[str]
) -> None:
    path = f"{ROOT}/models/{models[0]}"
    etag = people.reader.get(path).headers["ETag"]
    assert people.reader.get(path, headers={"If-None-Match": etag}).status_code == 304
    row = rows_of(people.reader, collection)["い"]

    assert put(people.alice, f"{collection}/rows/{row['id']}", '"0"', {"target": None}).status_code == 200

    changed = people.reader.get(path, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert "mouth/i" not in changed.json()["targets"]
    assert put(people.alice, path, etag, {"verdicts": {}}).status_code == 200, (
        "the record is still the one that was seen"
    )
    people.alice.post(f"{collection}/rows/{row['id']}/undo", headers={"If-Match": "*"})
    assert "mouth/i" in people.reader.get(path).json()["targets"]


def test_a_reader_changes_nothing(people: People, models: list[str], collection: str) -> None:
    row = rows_of(people.reader, collection)["あ"]
    refused = [
        put(people.reader, f"{ROOT}/models/{models[0]}", "*", {"verdicts": {}}),
        put(people.reader, f"{collection}/rows/{row['id']}", "*", {"target": None}),
        people.reader.post(f"{collection}/verdicts", json={"verdicts": [{"source_morph": "あ", "target": None}]}),
        people.reader.put(f"{collection}/table.csv", content=b"", headers={"Content-Type": "text/csv"}),
    ]

    for answer in refused:
        assert_problem(answer, 403, "forbidden", "annotate")


def test_the_names_that_most_models_have_come_first_and_progress_is_told(people: People, collection: str) -> None:
    rows = table_of(people.reader, collection)
    counts = [row["models"] for row in rows]
    assert counts == sorted(counts, reverse=True)
    before = people.reader.get(f"{collection}/next").json()
    assert (before["row"]["id"], before["decided"], before["names"]) == (rows[0]["id"], 0, len(rows))

    put(people.alice, f"{collection}/rows/{rows[0]['id']}", '"0"', {"target": rows[0]["proposal"], "why": "all alike"})

    after = people.reader.get(f"{collection}/next").json()
    assert (after["row"]["id"], after["decided"]) == (rows[1]["id"], 1)
    skipped = people.reader.get(f"{collection}/next", params={"after": rows[1]["id"]}).json()
    assert skipped["row"]["id"] == rows[2]["id"]
    left = people.reader.get(f"{collection}/table", params={"undecided": "true", "limit": 1000}).json()["rows"]
    assert [row["id"] for row in left] == [row["id"] for row in rows[1:]]
    assert people.reader.get(collection).json()["decided"] == 1
    listed = people.reader.get(f"{ROOT}/collections").json()["collections"]
    assert people.reader.get(collection).json() in listed


def test_a_stale_verdict_is_refused_and_one_on_another_name_is_not(people: People, collection: str) -> None:
    rows = rows_of(people.bob, collection)
    path, other = f"{collection}/rows/{rows['う']['id']}", f"{collection}/rows/{rows['え']['id']}"
    etag, other_etag = people.bob.get(path).headers["ETag"], people.bob.get(other).headers["ETag"]
    assert put(people.alice, path, etag, {"target": "mouth/o"}).json()["version"] == 1

    assert_problem(put(people.bob, path, etag, {"target": None}), 412, "version-stale", "alice set 'う' to mouth/o")
    assert put(people.bob, other, other_etag, {"target": "mouth/e"}).status_code == 200

    changes = people.bob.get(f"{collection}/history").json()["changes"]
    assert [(change["who"], change["verdicts"][0]["target"]) for change in changes] == [
        ("bob", "mouth/e"), ("alice", "mouth/o"),
    ]  # fmt: skip


def test_a_verdict_against_the_evidence_lists_the_models_it_does_not_hold_for(
    people: People, collection: str, models: list[str]
) -> None:
    rows = rows_of(people.alice, collection)
    left = next(row for row in rows.values() if row["proposal"] == "eye/closed/left")

    made = put(people.alice, f"{collection}/rows/{left['id']}", '"0"', {"target": "eye/closed/right"}).json()

    assert made["exceptions"]
    assert made["exceptions_total"] == len(made["exceptions"])
    assert set(made["exceptions"]) <= set(models)


def test_hostile_names_leave_as_text_and_come_back_as_they_were(people: People, collection: str) -> None:
    answer = people.reader.get(f"{collection}/table.csv")
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"].startswith("text/csv")
    assert f"'{HOSTILE}" in [row["source_morph"] for row in table]
    assert not [cell for row in table for cell in row.values() if cell[:1] in tuple("=+-@\t\r")]
    for row in table:
        row["state"] = "decided"
        if row["source_morph"] == f"'{HOSTILE}":
            row["target"] = "mouth/u"
    out = io.StringIO()
    writer = csv.DictWriter(out, table[0].keys())
    writer.writeheader()
    writer.writerows(table)

    def send() -> httpx.Response:
        data = out.getvalue().encode("utf-8-sig")
        return people.alice.put(f"{collection}/table.csv", content=data, headers={"Content-Type": "text/csv"})

    answer = send()
    assert answer.status_code == 200, answer.text
    assert (answer.json()["changed"], answer.json()["unknown"]) == (len(table), 0)
    assert rows_of(people.reader, collection)[HOSTILE]["verdict"]["target"] == "mouth/u"
    assert_problem(send(), 412, "version-stale", "alice set")
    unchanged = people.alice.put(
        f"{collection}/table.csv",
        content=people.reader.get(f"{collection}/table.csv").content,
        headers={"Content-Type": "text/csv"},
    )
    assert (unchanged.json()["changed"], unchanged.json()["unchanged"]) == (0, len(table))


def test_verdicts_come_as_json_all_or_none(people: People, collection: str, models: list[str]) -> None:
    def said(**more: object) -> dict[str, object]:
        return {"source_morph": "あ", "panel": "mouth", "target": "mouth/a", **more}

    def send(*verdicts: dict[str, object]) -> httpx.Response:
        return people.alice.post(f"{collection}/verdicts", json={"verdicts": list(verdicts)})

    good = send(said(version=0), said(source_morph="nobody's", version=0))
    assert (good.json()["changed"], good.json()["unknown"]) == (1, 1)
    assert_problem(send(said(version=0), said(source_morph="い", target=None)), 412, "version-stale")
    assert_problem(send(said(), said()), 422, "mapping-refused", "twice")
    assert_problem(send(said(target="nose/long")), 422, "mapping-refused", "no target morph")
    assert_problem(send(said(exceptions=["f" * 64])), 422, "mapping-refused", "exception")
    assert_problem(send(said(source_morph="x" * 2000)), 422, "request-invalid")
    assert people.alice.get(collection).json()["decided"] == 1


def test_a_collection_of_unknown_models_or_odd_names_is_refused(people: People, models: list[str]) -> None:
    def create(name: str, *which: str) -> httpx.Response:
        return people.alice.post(f"{ROOT}/collections", json={"name": name, "models": list(which)})

    assert_problem(create("x", "f" * 64), 404, "not-found")
    for name in ("", "..", "a/b", "x" * 65, "=x", "a\n"):
        assert_problem(create(name, models[0]), 422, "request-invalid")
    assert_problem(people.alice.get(f"{ROOT}/collections/nobody's"), 422, "request-invalid")
    assert_problem(people.alice.get(f"{ROOT}/collections/nobodys/table"), 404, "not-found", "no collection")


def test_ten_annotators_over_rest_lose_nothing(people: People, models: list[str]) -> None:
    path, targets = f"{ROOT}/models/{models[2]}", ("mouth/a", "mouth/i", "mouth/u", "mouth/e", "mouth/o")
    names = [morph["name"] for morph in people.alice.get(f"/v1/models/{models[2]}").json()["inventory"]["morphs"]]

    def annotate(number: int) -> list[int]:
        who, done = (people.alice, people.bob)[number % 2], []
        for turn in range(4):
            while True:
                now = who.get(path)
                said = {
                    target: {"status": verdict["status"], "morph": verdict["morph"]}
                    for target, verdict in now.json()["record"]["verdicts"].items()
                }
                said[targets[(number + turn) % 5]] = {
                    "status": "rejected",
                    "morph": {"index": (number + turn) % len(names), "name": names[(number + turn) % len(names)]},
                }
                answer = put(who, path, now.headers["ETag"], {"verdicts": said, "why": f"{number} {turn}"})
                if answer.status_code == 200:
                    break
                assert answer.status_code == 412, answer.text
            if answer.json()["record"]["why"] == f"{number} {turn}":  # else it said what stood already
                done.append(answer.json()["record"]["version"])
        return done

    with ThreadPoolExecutor(10) as pool:
        acknowledged = sorted(version for found in pool.map(annotate, range(10)) for version in found)

    versions = people.reader.get(f"{path}/history", params={"limit": 100}).json()["versions"]
    assert acknowledged == [version["version"] for version in versions][::-1] == list(range(1, len(versions) + 1))


def test_only_confirmed_targets_count_where_the_operator_says_so(people: People, models: list[str]) -> None:
    path = f"{ROOT}/models/{models[1]}"
    ref = ref_in(people.alice, models[1], "あ")
    put(people.alice, path, "*", {"verdicts": {"mouth/a": {"status": "confirmed", "morph": ref}}})
    version = people.alice.get(path).json()["record"]["version"]

    batch = submit(people.alice, models[1])
    asked = submit(people.alice, models[1], spec={"annotation": "proposals", "samples": 1})
    table = submit(people.alice, models[1], mapping="source_morph,target\nい,mouth/i\n")

    assert (batch["spec"]["annotation"], asked["spec"]["annotation"]) == ("confirmed", "proposals")
    job = only_job(people.alice, batch)
    assert job["annotation"] == {"mouth/a": ref}
    assert job["provenance"] == {"record": version, "groups": {}, "table": False}
    assert set(only_job(people.alice, asked)["annotation"]) > {"mouth/a", "mouth/i"}
    assert set(only_job(people.alice, table)["annotation"]) == {"mouth/a", "mouth/i"}
    assert only_job(people.alice, table)["provenance"]["table"]


def test_proposals_count_where_nobody_says_otherwise(api: httpx.Client, nagi: str) -> None:
    batch = submit(api, nagi)

    assert batch["spec"]["annotation"] == "proposals"
    assert only_job(api, batch)["annotation"] == api.get(f"/v1/models/{nagi}").json()["inventory"]["annotation"]
    assert only_job(api, batch)["provenance"] == {"record": 0, "groups": {}, "table": False}
