"""The annotating part of the SDK against a real API, also over a line that loses answers."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farm.annotations.verdicts import VerdictStatus
from farm.client import FarmClient, RefusedError
from farm.morphs.refs import BARE, MorphRef
from tests.support import servers
from tests.support.faults import Fault, FaultyProxy

CONFIRMED, REJECTED = VerdictStatus.CONFIRMED, VerdictStatus.REJECTED


@pytest.fixture(scope="module")
def api(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Api]:
    folder = tmp_path_factory.mktemp("client")
    environment = {
        "FARM_REDIS_URL": new_database(), "FARM_STORAGE_URL": f"file://{folder / 'store'}", "FARM_RATE_LIMIT": "0",
    }  # fmt: skip
    with servers.api_server(folder, environment) as server:
        yield server


@pytest.fixture(scope="module")
def client(api: servers.Api) -> Iterator[FarmClient]:
    with FarmClient(api.url) as client:
        yield client


@pytest.fixture
def model(client: FarmClient, mascots: dict[str, Path]) -> str:
    (uploaded,), _ = client.upload(mascots["momo"])
    return uploaded.id


@pytest.fixture
def lossy(api: servers.Api) -> Iterator[FarmClient]:
    """A client whose next answer is lost on the way, and no other."""
    with (
        FaultyProxy("127.0.0.1", int(api.url.rpartition(":")[2]), seed=3) as proxy,
        FarmClient(proxy.endpoint) as client,
    ):
        list(client.models())  # somebody has answered here
        proxy.fault = Fault.LOSE_ANSWER

        def heal() -> None:
            servers.wait_until(lambda: proxy.seen[Fault.LOSE_ANSWER] >= 1, "an answer being lost")
            proxy.fault = Fault.OK

        healer = threading.Thread(target=heal)
        healer.start()
        yield client
        healer.join()
        assert proxy.seen[Fault.LOSE_ANSWER] >= 1


def bare(name: str) -> MorphRef:
    return MorphRef(index=BARE, name=name)


def test_a_model_is_inspected_told_and_undone(client: FarmClient, model: str) -> None:
    seen = client.annotations.of_model(model)
    said = {"mouth/a": (CONFIRMED, bare("あ")), "mouth/i": (REJECTED, None)}

    told = client.annotations.save(seen, said, only_tell=True)
    saved = client.annotations.save(seen, said, "looked at it")

    assert told.rule == saved.rule
    assert told.before == saved.before == seen.rule
    assert client.annotations.of_model(model).record.version == saved.record.version == seen.record.version + 1
    with pytest.raises(RefusedError, match="set mouth/a to 'あ', confirmed") as refused:
        client.annotations.save(seen, {})
    assert (refused.value.status, refused.value.code) == (412, "version-stale")
    undone = client.annotations.undo(saved, "after all")
    assert undone.record.verdicts == seen.record.verdicts
    assert next(client.annotations.history(model)).why == "after all"


def test_a_change_whose_answer_was_lost_is_no_stale_one(client: FarmClient, lossy: FarmClient, model: str) -> None:
    seen = client.annotations.of_model(model)

    saved = lossy.annotations.save(seen, {"mouth/o": (CONFIRMED, bare("お"))}, "over a bad line")

    assert saved.record.version == seen.record.version + 1
    assert saved.record.why == "over a bad line"


def test_an_undo_whose_answer_was_lost_is_done_once(client: FarmClient, lossy: FarmClient, model: str) -> None:
    before = client.annotations.of_model(model)
    seen = client.annotations.save(before, {"mouth/a": (REJECTED, None)}, str(before.record.version))

    undone = lossy.annotations.undo(seen)

    assert undone.record.version == seen.record.version + 1
    assert undone.record.verdicts == before.record.verdicts


def test_a_verdict_whose_answer_was_lost_is_no_stale_one(client: FarmClient, lossy: FarmClient, model: str) -> None:
    client.annotations.create_collection("lossy", [model])
    row = next(client.annotations.table("lossy"))

    decided = lossy.annotations.decide("lossy", row, None, why="nothing")

    assert (decided.version, decided.verdict and decided.verdict.target) == (1, None)


def test_a_collection_is_decided_name_by_name_and_as_a_table(client: FarmClient, model: str) -> None:
    made = client.annotations.create_collection("spring", [model])
    assert (made.models, made.decided) == (1, 0)
    row = client.annotations.next_row("spring")
    assert row is not None

    decided = client.annotations.decide("spring", row, None, [model], "not this one")
    table = client.annotations.table_csv("spring")
    taken = client.annotations.take_csv("spring", table.replace(",open,", ",decided,"))

    assert decided.exceptions == (model,)
    assert taken == made.names - 1
    assert client.annotations.next_row("spring") is None
    assert list(client.annotations.table("spring", undecided=True)) == []
    assert client.annotations.collection("spring").decided == made.names
    assert client.annotations.collection("spring") in client.annotations.collections()
    assert client.annotations.undo_row("spring", decided).verdict is None
