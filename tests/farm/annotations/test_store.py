"""Records and collections in a real store, under a real Redis' lock and without one: many write, and nothing is lost."""

import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import pytest

from farm.annotations.collections import Change, Collections
from farm.annotations.groups import SNAPSHOT_EVERY, Collection, GroupState, RowKey
from farm.annotations.journal import Lock
from farm.annotations.records import AnnotationRecords
from farm.annotations.verdicts import NOTHING_SAID, AnnotationRecord, Saying, VerdictStatus
from farm.errors import ConflictError, NotFoundError, StaleVersionError, StorageError
from farm.jobs.connection import Connection
from farm.morphs.refs import MorphRef
from farm.settings import Settings
from farm.storage import LocalStore, ObjectStore, open_store

MODEL, OTHER = "a" * 64, "b" * 64
TARGETS = ("mouth/a", "mouth/i", "mouth/u", "mouth/e", "mouth/o", "eye/wide/both")
ANNOTATORS = 10
CONFIRMED, REJECTED = VerdictStatus.CONFIRMED, VerdictStatus.REJECTED
A: RowKey = ("あ", "mouth")


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "directory":
        return LocalStore(tmp_path)
    variables = request.getfixturevalue("s3").environment(f"annotations-{random.randrange(10**9)}")
    values = {name.removeprefix("FARM_").lower(): value for name, value in variables.items()}
    return open_store(Settings(**values))


@pytest.fixture
def turns(store: ObjectStore) -> int:
    """Changes that each annotator makes: a request to an S3 server on a busy machine takes long."""
    return 15 if isinstance(store, LocalStore) else 3


@pytest.fixture(params=["redis", "none"])
def lock(request: pytest.FixtureRequest, fresh_redis: str) -> Lock:
    """The farm's lock; and none, as when Redis was lost in the middle: the store alone must do."""
    return Connection(fresh_redis).lock if request.param == "redis" else nullcontext


@pytest.fixture
def records(store: ObjectStore, lock: Lock) -> AnnotationRecords:
    return AnnotationRecords(store, lock)


@pytest.fixture
def collections(store: ObjectStore, lock: Lock) -> Collections:
    made = Collections(store, lock)
    made.create(collection("spring"))
    return made


def collection(name: str, *models: str) -> Collection:
    return Collection(name=name, models=models or (MODEL, OTHER), who="alice", when="2026-01-02T03:04:05+00:00")


def by(who: str, why: str = "") -> Saying:
    return Saying(who=who, when="2026-01-02T03:04:05+00:00", why=why)


def ref(index: int) -> MorphRef:
    return MorphRef(index=index, name=f"morph {index}")


def said_of(record: AnnotationRecord) -> dict[str, tuple[VerdictStatus, MorphRef | None]]:
    return {target: (verdict.status, verdict.morph) for target, verdict in record.verdicts.items()}


def again[R](action: Callable[[], R]) -> tuple[R, int]:
    """What `action` returns once nobody was faster, and how often somebody was."""
    refused = 0
    while True:
        try:
            return action(), refused
        except StaleVersionError:
            refused += 1


def test_versions_go_up_and_tell_who_said_what(records: AnnotationRecords) -> None:
    assert records.read(MODEL) == NOTHING_SAID
    first = records.change(MODEL, 0, {"mouth/a": (CONFIRMED, ref(1))}, by("alice", "open"))
    second = records.change(MODEL, 1, {**said_of(first), "mouth/i": (REJECTED, ref(2))}, by("bob"))

    assert (second.version, second.who) == (2, "bob")
    assert [(v.who, v.why) for v in second.verdicts.values()] == [("alice", "open"), ("bob", "")]
    assert records.history(MODEL, 0, 10) == [second, first]
    assert records.history(MODEL, 2, 10) == [first]
    assert records.inspected([MODEL, OTHER]) == records.inspected([MODEL, *(f"{i:064x}" for i in range(99))]) == {MODEL}


def test_saying_again_what_stands_makes_no_version(records: AnnotationRecords) -> None:
    said = {"mouth/a": (CONFIRMED, ref(1))}
    first = records.change(MODEL, 0, said, by("alice"))

    assert records.change(MODEL, 1, said, by("bob")) == first
    assert records.change(OTHER, 0, {}, by("bob")) == NOTHING_SAID


def test_a_stale_change_is_refused_and_told_who_was_faster(records: AnnotationRecords) -> None:
    records.change(MODEL, 0, {"mouth/a": (CONFIRMED, ref(1))}, by("alice"))

    with pytest.raises(
        StaleVersionError, match=r"version 0 .* version 1 stands. Since then: alice set mouth/a to 'morph 1'"
    ):
        records.change(MODEL, 0, {"mouth/a": (REJECTED, None)}, by("bob"))
    with pytest.raises(StaleVersionError, match="There is no such version"):
        records.undo(MODEL, 7, by("bob"))

    assert [record.who for record in records.history(MODEL, 0, 10)] == ["alice"]


def test_undo_goes_back_step_by_step_and_a_change_afterwards_begins_anew(records: AnnotationRecords) -> None:
    states: list[Mapping[str, tuple[VerdictStatus, MorphRef | None]]] = [
        {"mouth/a": (CONFIRMED, ref(1))},
        {"mouth/a": (CONFIRMED, ref(2))},
        {"mouth/a": (REJECTED, None)},
    ]
    for version, said in enumerate(states):
        records.change(MODEL, version, said, by("alice"))

    assert said_of(records.undo(MODEL, 3, by("bob"))) == states[1]
    assert said_of(records.undo(MODEL, 4, by("bob"))) == states[0]
    records.change(MODEL, 5, states[2], by("carol"))
    assert said_of(records.undo(MODEL, 6, by("bob"))) == states[0]
    assert records.undo(MODEL, None, by("bob")).verdicts == {}
    with pytest.raises(ConflictError, match="Nothing is left to undo"):
        records.undo(MODEL, None, by("bob"))
    assert records.history(MODEL, 0, 20)[-3].verdicts["mouth/a"].status is REJECTED, "no version was changed"


def test_ten_annotators_of_one_model_lose_nothing(records: AnnotationRecords, turns: int) -> None:
    def annotate(number: int) -> list[tuple[int, str, str]]:
        chance, done = random.Random(number), []
        for turn in range(turns):
            target = chance.choice(TARGETS)

            def change(target: str = target, turn: int = turn) -> AnnotationRecord:
                now = records.read(MODEL)
                said = {**said_of(now), target: (CONFIRMED, ref(number * 1000 + turn))}
                return records.change(MODEL, now.version, said, by(f"annotator {number}"))

            record, _ = again(change)
            done.append((record.version, target, record.verdicts[target].who))
        return done

    with ThreadPoolExecutor(ANNOTATORS) as pool:
        acknowledged = [change for found in pool.map(annotate, range(ANNOTATORS)) for change in found]

    history = records.history(MODEL, 0, 1000)[::-1]
    assert [record.version for record in history] == list(range(1, ANNOTATORS * turns + 1))
    assert sorted(version for version, _, _ in acknowledged) == [record.version for record in history]
    assert {(v, t): who for v, t, who in acknowledged} == {(v, t): history[v - 1].who for v, t, _ in acknowledged}
    for before, after in pairwise([NOTHING_SAID, *history]):
        changed = [t for t in TARGETS if before.verdicts.get(t) != after.verdicts.get(t)]
        assert len(changed) == 1, "each version changes what its author wanted, on top of all before"


def test_ten_annotators_of_one_collection_lose_nothing(
    store: ObjectStore, lock: Lock, collections: Collections, turns: int
) -> None:
    def annotate(number: int) -> dict[int, tuple[RowKey, str | None]]:
        # Each is another replica of the API, with a memory of its own.
        mine, chance = Collections(store, lock), random.Random(number)
        done: dict[int, tuple[RowKey, str | None]] = {}
        for _ in range(turns):
            key, target = (f"name {chance.randrange(8)}", "mouth"), chance.choice(TARGETS)

            def change(key: RowKey = key, target: str = target) -> tuple[GroupState, int]:
                now = mine.state("spring").of(key)
                seen = now.version if now else 0
                # With the author as exception, so that no two say the same.
                wanted = Change(key, seen, target, (f"{number}-{seen}",))
                return mine.change("spring", [wanted], by(f"annotator {number}"))

            (state, changed), _ = again(change)
            assert changed == 1
            (version,) = [v.version for v in state.verdicts.values() if v.key == key][:1]
            done[version] = key, target
        return done

    with ThreadPoolExecutor(ANNOTATORS) as pool:
        acknowledged = [item for found in pool.map(annotate, range(ANNOTATORS)) for item in found.items()]

    history = collections.history("spring", 0, 1000)[::-1]
    assert [entry.version for entry in history] == list(range(1, ANNOTATORS * turns + 1))
    written = {verdict.version: (verdict.key, verdict.target) for entry in history for verdict in entry.verdicts}
    assert len(written) == ANNOTATORS * turns
    assert len(acknowledged) == len(written)
    last: dict[RowKey, int] = {}
    for entry in history:
        for verdict in entry.verdicts:
            assert verdict.replaces == last.get(verdict.key, 0), "each follows the verdict that its author saw"
            last[verdict.key] = verdict.version
    fresh = Collections(store, lock).state("spring")
    assert fresh == collections.state("spring") == GroupState().followed_by(history)


def test_a_reader_begins_at_the_last_entry_that_says_all(
    collections: Collections, store: ObjectStore, lock: Lock
) -> None:
    for number in range(SNAPSHOT_EVERY + 5):
        collections.change(
            "spring", [Change((f"name {number % 30}", "eye"), None, "eye/wide/both", (str(number),))], by("a")
        )
    folder = "annotations/collections/spring/verdicts/"
    for key in store.list(folder, "", 1000)[6:]:
        store.delete(key)  # nobody may need those before

    state = Collections(store, lock).state("spring")

    assert state == collections.state("spring")
    assert (state.version, len(state.verdicts)) == (SNAPSHOT_EVERY + 5, 30)


def test_verdicts_of_many_names_stand_together_or_not_at_all(collections: Collections) -> None:
    collections.change("spring", [Change(A, 0, "mouth/a")], by("alice"))
    stale = [Change(("い", "mouth"), 0, "mouth/i"), Change(A, 0, None)]

    with pytest.raises(StaleVersionError, match="alice set 'あ' to mouth/a"):
        collections.change("spring", stale, by("bob"))

    assert set(collections.state("spring").verdicts) == {A}
    state, changed = collections.change("spring", [stale[0], Change(A, 1, "mouth/a")], by("bob"))
    assert (changed, state.version) == (1, 2), "what stands already is no change"


def test_undo_of_a_name_goes_back_step_by_step(collections: Collections) -> None:
    for target in ("mouth/a", None, "mouth/o"):
        collections.change("spring", [Change(A, None, target)], by("alice"))
    collections.change("spring", [Change(("い", "mouth"), 0, "mouth/i")], by("alice"))
    found = []
    for _ in range(3):
        verdict = collections.undo("spring", A, None, by("bob")).of(A)
        assert verdict is not None
        found.append((verdict.decided, verdict.target, verdict.who))

    assert found == [(True, None, "bob"), (True, "mouth/a", "bob"), (False, None, "bob")]
    with pytest.raises(ConflictError, match="Nothing is left to undo"):
        collections.undo("spring", A, None, by("bob"))
    with pytest.raises(StaleVersionError):
        collections.undo("spring", ("い", "mouth"), 3, by("bob"))
    collections.change("spring", [Change(A, None, "mouth/e")], by("carol"))
    back = collections.undo("spring", A, None, by("bob")).of(A)
    assert back is not None
    assert (back.decided, back.restores) == (False, 0)


def test_a_name_stands_for_one_list_of_models(collections: Collections) -> None:
    assert collections.create(collection("spring", OTHER, MODEL)).who == "alice"
    with pytest.raises(ConflictError, match="Take another name"):
        collections.create(collection("spring", MODEL))
    with pytest.raises(NotFoundError, match="no collection 'autumn'"):
        collections.change("autumn", [Change(A, 0, None)], by("alice"))

    assert collections.names() == collections.of_model(MODEL) == ["spring"]
    assert collections.of_model("c" * 64) == []
    assert collections.members([MODEL, "c" * 64]) == {MODEL}


def test_a_damaged_version_is_told_and_not_overwritten(records: AnnotationRecords, store: ObjectStore) -> None:
    records.change(MODEL, 0, {"mouth/a": (CONFIRMED, ref(1))}, by("alice"))
    (key,) = store.list(f"annotations/models/{MODEL}/")
    store.put(key, b"{}")

    with pytest.raises(StorageError, match="damaged"):
        records.change(MODEL, None, {}, by("bob"))
