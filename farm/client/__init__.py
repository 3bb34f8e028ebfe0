"""The Python SDK: a farm's REST API as methods and typed answers. The command line uses nothing else.

from farm.client import FarmClient

with FarmClient("http://127.0.0.1:8000") as farm:
    models, refused = farm.upload(Path("nagi.pmx"))
    batch = farm.submit(models, RenderSpec())
    for update in farm.watch(batch.id):
        print(update.batch.images_done, "of", update.batch.images_total)
"""

from farm.client.client import FarmClient
from farm.client.events import Event, EventStream
from farm.client.transport import RefusedError
from farm.client.views import (
    AttemptView,
    BatchView,
    JobView,
    ModelRef,
    RefusedModel,
    UploadedModel,
    WorkerJob,
    WorkerView,
)
from farm.client.watch import Update
from farm.jobs.batches import Webhook

__all__ = [
    "AttemptView",
    "BatchView",
    "Event",
    "EventStream",
    "FarmClient",
    "JobView",
    "ModelRef",
    "RefusedError",
    "RefusedModel",
    "Update",
    "UploadedModel",
    "Webhook",
    "WorkerJob",
    "WorkerView",
]
