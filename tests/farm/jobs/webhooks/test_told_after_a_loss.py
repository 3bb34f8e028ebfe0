"""Redis is lost and made again from the store: a batch that had ended has ended, and whoever was not told is told once."""

from pathlib import Path

import pytest

from farm.dataset.manifest import MANIFEST, result_object
from farm.errors import ServiceError
from farm.jobs import states
from farm.jobs.batches import BatchRecord, Told, Webhook
from farm.jobs.connection import Connection
from farm.jobs.events import BEGINNING, Events
from farm.jobs.orders import OrderBook, OrderedModel, Standing, order_of
from farm.jobs.reconcile import reconcile
from farm.jobs.states import State
from farm.jobs.store import JobStore, new_id, utc_now
from farm.jobs.webhooks import Delivery, DeliveryState
from farm.morphs.refs import MorphRef
from farm.spec import RenderSpec
from farm.storage import LocalStore
from tests.farm.jobs.webhooks.receiver import SECRET, Receiver, delivery, finish, messenger
from tests.support.audit import audit


class Farm:
    """Jobs in Redis, orders and results in a folder."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.connection, self.jobs, self.store = connection, JobStore(connection), LocalStore(folder)
        self.book = OrderBook(self.store)

    def order(self, url: str) -> str:
        """A batch of two models; its id."""
        record = BatchRecord("a name", RenderSpec(), utc_now(), "", Webhook(url, SECRET))
        annotation = {"mouth/a": MorphRef(index=0, name="あ")}
        models = [OrderedModel(model=f"{n}" * 64, name="model", annotation=annotation) for n in range(2)]
        order = self.book.write(order_of(new_id(), record, models))
        self.jobs.add_batch(order.id, order.record, order.jobs())
        return order.id

    def finish(self, batch: str, failed: int = 0) -> None:
        """End its jobs, the first `failed` of them badly; the others leave a result."""
        finish(self.jobs, batch, failed)
        for job in self.jobs.jobs(batch):
            if job.state is State.DONE:
                self.store.put(result_object(job.render_key, MANIFEST), b"{}")

    def tell(self) -> bool:
        """One try to tell what is due."""
        return messenger(self.connection, keep=self.book.note_told).tell_next()

    def lose_redis(self) -> None:
        """All of it, and make it again."""
        self.connection.redis.flushall()
        reconcile(self.store, self.jobs)
        assert audit(self.connection) == []

    def ends(self, batch: str) -> int:
        """How often the stream of events says that the batch has ended."""
        found, _ = Events(self.connection).read(BEGINNING, batch)
        return sum(event.ends_batch for event in found)


@pytest.fixture
def farm(connection: Connection, tmp_path: Path) -> Farm:
    return Farm(connection, tmp_path)


def test_a_batch_that_had_ended_and_was_not_told_is_told_once(farm: Farm, receiver: Receiver) -> None:
    batch = farm.order(receiver.url)
    farm.finish(batch)

    farm.lose_redis()

    assert farm.ends(batch) == 1
    assert farm.tell() is True
    assert farm.tell() is False
    assert len(receiver.got) == 1
    assert delivery(farm.connection, batch) == Delivery(DeliveryState.DELIVERED, 1, "HTTP 200")


def test_a_batch_that_was_told_is_not_told_again_however_often_redis_is_lost(farm: Farm, receiver: Receiver) -> None:
    receiver.answers = [500]
    batch = farm.order(receiver.url)
    farm.finish(batch)
    assert [farm.tell(), farm.tell(), farm.tell()] == [True, True, False]

    for _ in range(2):
        farm.lose_redis()
        assert farm.tell() is False

    assert farm.ends(batch) == 1
    assert len(receiver.got) == 2
    assert delivery(farm.connection, batch) == Delivery(DeliveryState.DELIVERED, 2, "HTTP 200")


def test_what_was_given_up_stays_so(farm: Farm, receiver: Receiver) -> None:
    receiver.answers = [410]
    batch = farm.order(receiver.url)
    farm.finish(batch)
    assert farm.tell() is True

    farm.lose_redis()

    assert farm.tell() is False
    assert delivery(farm.connection, batch) == Delivery(DeliveryState.GIVEN_UP, 1, "HTTP 410")


def test_an_end_that_was_told_does_not_stand_for_a_later_one(farm: Farm, receiver: Receiver) -> None:
    batch = farm.order(receiver.url)
    farm.finish(batch, failed=1)
    assert farm.tell() is True
    for job in farm.jobs.jobs(batch, states=frozenset((State.FAILED,))):
        farm.jobs.change(job.id, states.retry)
    farm.finish(batch)  # and Redis is lost before this was told

    farm.lose_redis()

    assert farm.tell() is True
    assert len(receiver.got) == 2


def test_a_cancelled_batch_comes_back_cancelled_and_is_told(farm: Farm, receiver: Receiver) -> None:
    batch = farm.order(receiver.url)
    farm.book.stand(batch, Standing(cancelled=True))
    farm.jobs.change_all(batch, states.cancel)

    farm.lose_redis()

    assert farm.jobs.batch(batch).ended
    assert farm.ends(batch) == 1
    assert farm.tell() is True


def test_a_store_that_is_away_keeps_nobody_from_being_told(farm: Farm, receiver: Receiver) -> None:
    def away(batch: str, told: Told) -> None:
        raise ServiceError("The store is away.")

    batch = farm.order(receiver.url)
    farm.finish(batch)

    assert messenger(farm.connection, keep=away).tell_next() is True
    assert delivery(farm.connection, batch).state is DeliveryState.DELIVERED
