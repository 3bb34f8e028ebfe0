"""What the routes work with: made once for the application, given to each route by FastAPI."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, UploadFile

from farm.annotations.annotations import Annotations
from farm.catalog import Catalog
from farm.inspection.pictures import KeptPictures, PictureOrders
from farm.jobs.allowances import Memory
from farm.jobs.connection import Connection
from farm.jobs.demand import Demands
from farm.jobs.events import Events
from farm.jobs.keeper import Keeper
from farm.jobs.orders import OrderBook
from farm.jobs.queue import Queue
from farm.jobs.sessions import Sessions
from farm.jobs.store import JobStore, new_id
from farm.jobs.submission import BatchControl
from farm.jobs.webhooks import Messenger
from farm.jobs.workers import Workers
from farm.reading.readers import Readers
from farm.results import Results
from farm.settings import Settings
from farm.spec import AnnotationRule, RenderSpec
from farm.storage import ObjectStore, open_store
from farm.uploads import Intake
from farm.worker.celery_app import CeleryTickets, make_app


@dataclass(frozen=True, slots=True)
class Services:
    """The services behind the routes."""

    settings: Settings
    connection: Connection
    catalog: Catalog
    annotations: Annotations
    jobs: JobStore
    queue: Queue
    workers: Workers
    demands: Demands
    events: Events
    book: OrderBook
    batches: BatchControl
    intake: Intake
    results: Results
    pictures: KeptPictures
    picture_orders: PictureOrders
    store: ObjectStore
    readers: Readers
    sessions: Sessions
    keeper: Keeper
    messenger: Messenger

    def asked(self, spec: RenderSpec) -> RenderSpec:
        """What a request asks for: which annotations count is the farm's to say where the request does not."""
        if "annotation" in spec.model_fields_set:
            return spec
        return spec.model_copy(update={"annotation": AnnotationRule(self.settings.annotation)})


def make_services(settings: Settings) -> Services:
    """The services for these settings; nothing is sent yet."""
    store = open_store(settings)
    connection = Connection(settings.redis_url, settings.lease_seconds)
    tickets = CeleryTickets(make_app(settings), connection)
    readers = Readers()
    catalog, book, jobs, queue = Catalog(store, readers), OrderBook(store), JobStore(connection), Queue(connection)
    annotations = Annotations(catalog, store, connection.lock)
    pixels = settings.preview_megapixels * 10**6
    batches = BatchControl(catalog, annotations, book, jobs, queue, tickets.issue, Memory(connection), pixels)
    intake = Intake(settings, store, catalog, readers, settings.import_buckets)
    pictures = KeptPictures(store)
    return Services(
        settings=settings,
        connection=connection,
        catalog=catalog,
        annotations=annotations,
        jobs=jobs,
        queue=queue,
        workers=Workers(connection),
        demands=Demands(connection),
        events=Events(connection),
        book=book,
        batches=batches,
        intake=intake,
        results=Results(store),
        pictures=pictures,
        picture_orders=PictureOrders(store, pictures, catalog, jobs, batches),
        store=store,
        readers=readers,
        sessions=Sessions(connection),
        keeper=Keeper(connection, book, tickets, settings.history_days, f"api-{new_id()}", [intake.sweep]),
        messenger=Messenger(connection, jobs, book.note_told, settings.webhook_private),
    )


def pieces(file: UploadFile) -> Iterator[bytes]:
    """The bytes of a form's file, a few at a time."""
    return iter(lambda: file.file.read(2**20), b"")


def _services(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


type ServicesOf = Annotated[Services, Depends(_services)]
