"""What was ordered, in the object store, so that Redis can be lost.

    batches/<id>/order.json     written once, before Redis hears of the batch: specification, models, annotations
    batches/<id>/standing.json  priority, paused, cancelled; written when one of them changes from what was ordered
    batches/<id>/told.json      that its end was told to the webhook, and of what; the last time that one was

`farm.jobs.reconcile` makes batches and jobs of them again. What is done stands in the manifests.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer, TypeAdapter, ValidationError

from farm.errors import NotFoundError
from farm.jobs.batches import BatchRecord, Told, Webhook
from farm.jobs.states import Job, Work, job_id
from farm.morphs.provenance import NOBODYS, Provenance
from farm.morphs.refs import MorphRef, packed
from farm.spec import RenderSpec, render_key
from farm.storage import ObjectStore

_PAGE = 1000
_TOLD = TypeAdapter(Told)


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OrderedModel(_Record):
    """A model of an order."""

    model: str
    name: str
    annotation: Annotated[dict[str, MorphRef], PlainSerializer(packed)]
    provenance: Provenance = NOBODYS
    render_key: str = ""
    """The name of its result. Said here, since a later renderer would name it otherwise and look for it in vain."""
    pictures: int = 0
    """Of an inspection, where one is asked for; 0: samples are."""


class OrderedWebhook(_Record):
    """`farm.jobs.batches.Webhook`."""

    url: str
    secret: str


class Standing(_Record):
    """How the batch is treated."""

    priority: int = 0
    paused: bool = False
    cancelled: bool = False
    wanted: tuple[int, ...] = ()
    """Places of jobs of a cancelled batch that were asked for again."""

    def cancels(self, place: int) -> bool:
        """Whether the job at this place is cancelled unless it has ended."""
        return self.cancelled and place not in self.wanted


class Order(_Record):
    """A batch as it was ordered."""

    id: str
    name: str
    created: str
    request: str
    spec: RenderSpec
    webhook: OrderedWebhook | None
    models: tuple[OrderedModel, ...]
    standing: Standing = Standing()
    """How it was to be treated at first."""
    owner: str = ""
    preview: bool = False

    @property
    def record(self) -> BatchRecord:
        """What the job store keeps about it once."""
        webhook = Webhook(self.webhook.url, self.webhook.secret) if self.webhook else None
        return BatchRecord(self.name, self.spec, self.created, self.request, webhook, self.owner, self.preview)

    def jobs(self) -> list[Job]:
        """Its jobs, as they are when nothing has happened yet."""
        return [new_job(self.id, place, model, self.spec) for place, model in enumerate(self.models)]


def new_job(batch: str, index: int, ordered: OrderedModel, spec: RenderSpec) -> Job:
    """The job of one model of an order."""
    if ordered.pictures:
        samples = images = ordered.pictures
    else:
        samples = spec.samples_by_rule(ordered.annotation)
        images = spec.images_of(samples)
    return Job(
        id=job_id(batch, index),
        model=ordered.model,
        name=ordered.name,
        annotation=ordered.annotation,
        samples=samples,
        images_total=images,
        render_key=ordered.render_key or render_key(ordered.model, ordered.annotation, spec, ordered.provenance),
        provenance=ordered.provenance,
        work=Work.INSPECTION if ordered.pictures else Work.RESULT,
    )


def order_of(
    batch: str,
    record: BatchRecord,
    models: Sequence[OrderedModel],
    standing: Standing = Standing(),  # noqa: B008
) -> Order:
    """A batch as an order."""
    webhook = OrderedWebhook(url=record.webhook.url, secret=record.webhook.secret) if record.webhook else None
    return Order(
        id=batch,
        name=record.name,
        created=record.created,
        request=record.request,
        spec=record.spec,
        webhook=webhook,
        models=tuple(
            model.model_copy(
                update={
                    "render_key": model.render_key
                    or render_key(model.model, model.annotation, record.spec, model.provenance)
                }
            )
            for model in models
        ),
        standing=standing,
        owner=record.owner,
        preview=record.preview,
    )


class OrderBook:
    """The orders in the object store. Every method raises ServiceError when it does not answer."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def write(self, order: Order) -> Order:
        """Keep an order; the one that stands: where there is one of this id already, that one."""
        if self._store.put_new(f"batches/{order.id}/order.json", order.model_dump_json().encode()):
            return order
        return self.read(order.id)

    def stand(self, batch: str, standing: Standing) -> None:
        """Note how a batch is treated from now on."""
        self._store.put(f"batches/{batch}/standing.json", standing.model_dump_json().encode())

    def standing(self, batch: str) -> Standing:
        """How the batch is treated; as by default when there is no such order."""
        try:
            return self._noted(batch) or self.read(batch).standing
        except NotFoundError:
            return Standing()

    def standing_of(self, order: Order) -> Standing:
        """How the batch of `order` is treated."""
        return self._noted(order.id) or order.standing

    def _noted(self, batch: str) -> Standing | None:
        try:
            return Standing.model_validate_json(self._store.get(f"batches/{batch}/standing.json"))
        except NotFoundError:
            return None

    def note_told(self, batch: str, told: Told) -> None:
        """Keep that the end of a batch was told."""
        self._store.put(f"batches/{batch}/told.json", _TOLD.dump_json(told))

    def told(self, batch: str) -> Told | None:
        """What is kept of the last end that was told; None: nothing that can be read."""
        try:
            return _TOLD.validate_json(self._store.get(f"batches/{batch}/told.json"))
        except (NotFoundError, ValidationError):
            return None

    def read(self, batch: str) -> Order:
        """An order. Raises NotFoundError."""
        return Order.model_validate_json(self._store.get(f"batches/{batch}/order.json"))

    def ids(self) -> Iterator[str]:
        """The ids of all batches."""
        last = ""
        while page := self._store.folders("batches/", last, _PAGE):
            yield from page
            last = page[-1]

    def remove(self, batch: str) -> None:
        """Forget an order."""
        self._store.delete_all(f"batches/{batch}/")
