"""A farm for the tests of the operators' page: a real API, Valkey and store; a test says what the workers do."""

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

from farm.jobs import states
from farm.jobs.batches import BatchRecord
from farm.jobs.connection import Connection
from farm.jobs.orders import OrderBook, OrderedModel, Standing, order_of
from farm.jobs.states import Job
from farm.jobs.store import JobStore, new_id, utc_now
from farm.jobs.workers import Workers
from farm.keys import Role, new_key
from farm.spec import RenderSpec
from farm.storage import LocalStore
from tests.support import finished

SPEC = RenderSpec(samples=2, styles=("flat", "ink"))
IMAGES = 8
WORKER = finished.WORKER
KEYS = {role: new_key() for role in Role}


@dataclass(frozen=True)
class Farm:
    """A farm without workers."""

    url: str
    store: LocalStore
    connection: Connection
    folder: Path

    @property
    def jobs(self) -> JobStore:
        return JobStore(self.connection)

    @property
    def workers(self) -> Workers:
        return Workers(self.connection)

    def submit(self, *names: str, name: str = "a batch", paused: bool = False) -> str:
        """A batch with a job for each of `names`; its id."""
        batch, record = new_id(), BatchRecord(name, SPEC, utc_now())
        models = [OrderedModel(model=f"{number:064x}", name=label, annotation={}) for number, label in enumerate(names)]
        order = OrderBook(self.store).write(order_of(batch, record, models, Standing(paused=paused)))
        assert self.jobs.add_batch(batch, record, order.jobs(), paused=paused)
        return batch

    def take(self) -> Job:
        """The next job, in a worker's hands."""
        return finished.take(self.connection)

    def draw(self, job: Job, images: int) -> None:
        """The worker has drawn so many."""
        self.jobs.change(job.id, lambda present: states.progress(present, present.attempt, images))

    def finish(self, job: Job) -> None:
        """The worker has finished the job, and its pictures are in the store."""
        finished.finish(self.connection, self.store, job, SPEC, self.folder)


def start(folder: Path, redis_url: str, **settings: str) -> tuple[dict[str, str], LocalStore, Connection]:
    store = folder / "store"
    environment = {
        "FARM_REDIS_URL": redis_url,
        "FARM_STORAGE_URL": f"file://{store}",
        "FARM_RATE_LIMIT": "0",
        **settings,
    }
    return environment, LocalStore(store), Connection(redis_url, 45)


def sign_in(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
