"""A farm for the SDK's tests: a real API, whose workers' part the tests play."""

from dataclasses import dataclass

from farm.client import BatchView, FarmClient, UploadedModel
from farm.jobs.batches import BatchRecord
from farm.jobs.states import Job, claim, fail, finish, job_id
from farm.jobs.store import JobStore, new_id, utc_now
from farm.spec import RenderSpec
from farm.storage import ObjectStore
from tests.support import servers

SPEC = RenderSpec(samples=1, size=48)
WORKER = "worker@test"


@dataclass
class Farm:
    """An API without workers: the tests do their work on the job store."""

    api: servers.Api
    jobs: JobStore
    store: ObjectStore
    client: FarmClient
    model: UploadedModel

    def submit(self, **options: object) -> BatchView:
        return self.client.submit([self.model], SPEC, **options)  # type: ignore[arg-type]

    def batch_of(self, count: int) -> str:
        """A batch of jobs that no order made."""
        batch = new_id()
        jobs = [Job(job_id(batch, i), "0" * 64, f"model {i}", {}, 1, 8, f"{batch}{i}") for i in range(count)]
        self.jobs.add_batch(batch, BatchRecord(f"batch of {count}", SPEC, utc_now()), jobs)
        return batch

    def begin(self, job: str) -> None:
        self.jobs.change(job, lambda j: claim(j, WORKER))

    def done(self, job: str) -> None:
        self.begin(job)
        self.jobs.change(job, lambda j: finish(j, j.attempt))

    def failed(self, job: str, why: str = "It has no face.") -> None:
        self.begin(job)
        self.jobs.change(job, lambda j: fail(j, j.attempt, "model-unusable", why))
